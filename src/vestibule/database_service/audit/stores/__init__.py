"""One file a store of the audit; each offers an `AUDIT`."""
