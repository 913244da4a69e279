"""One file a store; each offers a `STORE`."""
