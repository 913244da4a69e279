"""Detectors of personal data, one file each."""
