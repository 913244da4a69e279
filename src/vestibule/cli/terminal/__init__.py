"""What people and programs see of a command: tables, times, colours, and JSON."""
