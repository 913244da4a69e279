"""Runs the `vestibule` program as `python -m vestibule`."""

from vestibule.cli.entry_point import run

run()
