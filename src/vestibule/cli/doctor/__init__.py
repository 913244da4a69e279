"""`vestibule doctor`: says what is wrong with an installation, and what to do.

A check is a function below `@check("name")` in a module of this package that `command.py` lists: it takes what is
examined and yields a `Diagnosis` for each thing that it looks at. It prints nothing, changes nothing, waits for a few
seconds at most, and puts into its sentences neither a secret nor anything that callers sent. An error that it lets
rise is a diagnosis too.
"""
