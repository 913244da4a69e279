"""Logging: one JSON event a line, written by many processes into one rotated file."""
