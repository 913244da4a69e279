"""One file a channel; each offers a `CHANNEL`."""
