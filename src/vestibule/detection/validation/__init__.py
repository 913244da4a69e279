"""Tells a value from look-alikes: check digits, numbering plans, wallet addresses, placeholders."""
