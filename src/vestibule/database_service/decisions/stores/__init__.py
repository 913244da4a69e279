"""One file a store of decisions; each offers a `DECISIONS`."""
