"""The parts of the SQLite store: its file and its schema."""
