"""Outgoing requests: the egress guard and the signature of webhooks."""
