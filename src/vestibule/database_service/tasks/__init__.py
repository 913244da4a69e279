"""The task ledger: its port, its backends, encryption, acceptance and completion."""
