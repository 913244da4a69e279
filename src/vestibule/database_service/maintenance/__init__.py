"""Maintenance of the store: expiry, re-encryption, erasure, backup and transfer."""
