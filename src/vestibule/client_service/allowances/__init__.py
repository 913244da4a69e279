"""Allowances: kept in the store, known to every replica and worker within two seconds."""
