"""The status page and badges, for browsers."""
