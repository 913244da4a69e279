"""The audit of decisions: the decision log, signed receipts, and the replay under another policy."""
