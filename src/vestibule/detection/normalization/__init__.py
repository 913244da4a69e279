"""Brings a text into the form that rules match: plain Unicode, decoded URL encoding and base64."""
