"""One file a processor; each offers a `PROCESSOR`."""
