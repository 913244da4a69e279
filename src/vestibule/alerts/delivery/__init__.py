"""Delivers notifications: the outbox, routing, digests, and the dispatcher that retries."""
