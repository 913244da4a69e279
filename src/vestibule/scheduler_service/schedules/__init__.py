"""Runs schedules: each due time becomes one task."""
