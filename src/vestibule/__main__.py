"""Runs the `vestibule` program as `python -m vestibule`."""

from vestibule.cli.entrance import run

run()
