"""Detectors of secrets: one file for a family of vendors or a form of writing."""
