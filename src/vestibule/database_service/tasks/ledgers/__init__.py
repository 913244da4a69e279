"""One file a ledger of tasks, each for a store; each offers a `LEDGER`."""
