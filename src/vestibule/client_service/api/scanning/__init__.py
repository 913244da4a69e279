"""Scanning of texts without storing them: one text or many as JSON, lines of JSON, and rows of CSV."""
