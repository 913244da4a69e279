"""The one way out of the system: the guard of outgoing addresses and the signature of webhooks."""
