"""Conversations: the stand-ins of each are kept for a day, sealed under its id, and revealed in texts."""
