"""The parts of the PostgreSQL store: its address, its connections, the shape of its tables and its group commit."""
