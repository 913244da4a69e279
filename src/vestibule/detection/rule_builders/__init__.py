"""Builds rules and detectors from tables and word lists."""
