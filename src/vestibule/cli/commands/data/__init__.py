"""The commands for entries, and subjects whose data they hold."""
