"""Embedded mode: every part of Vestibule on one machine, each its own process, supervised in the foreground."""


class StartError(Exception):
    """Base of the errors that keep embedded mode from starting; the message is one line for the terminal."""

    exit_code = 1
