"""The same system as a good tutorial would write it: what Vestibule is measured against.

It keeps the mission's routes and nothing of its promises: two expressions for personal data, SQLite with a commit a
request, Celery with its defaults, a log file. It is kept small and honest: no line is here to make it slow.
"""
