"""Runs the `vestibule` program as `python -m vestibule`."""

from vestibule.cli.main import run

run()
