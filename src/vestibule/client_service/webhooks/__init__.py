"""Webhooks that notify callers of the end of their tasks."""
