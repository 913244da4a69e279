"""Quotas of tokens and tenants: counters in memory, which replicas exchange through Redis in the background."""
