"""Validates matches: check digits, numbering plans, wallet addresses, placeholders."""
