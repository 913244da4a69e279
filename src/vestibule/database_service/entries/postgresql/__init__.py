"""The parts of the PostgreSQL store: its address, its connections, its schema and its group commit."""
