"""Mechanisms that any package may use: plug-ins, private files, batching, backoff, cancellation."""
