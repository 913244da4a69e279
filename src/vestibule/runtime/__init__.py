"""Mechanisms without a framework that any room may use: plug-ins, private files, batching, cancellation."""
