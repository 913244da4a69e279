"""Embedded mode: every part of Vestibule on one machine, each its own process, kept running in the foreground."""
