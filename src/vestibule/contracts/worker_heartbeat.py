"""Heartbeats of workers: a sorted set in Redis of names, scored by the Unix time of the last heartbeat."""

WORKERS_KEY = "vestibule:workers"
BEAT_INTERVAL_S = 5.0
ALIVE_FOR_S = 3 * BEAT_INTERVAL_S
FORGOTTEN_AFTER_S = 86_400.0
