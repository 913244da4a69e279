"""Normalizes a text for matching: plain Unicode, decoded URL encoding and base64."""
