"""Traces over OTLP, where an endpoint is set."""
