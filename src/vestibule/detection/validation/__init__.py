"""Validates matches: checksums, numbering plans, placeholders."""
