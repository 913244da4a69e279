"""How workers say that they live: a sorted set in Redis, by name, scored by the Unix time of the last beat."""

WORKERS_KEY = "vestibule:workers"
BEAT_INTERVAL_S = 5.0
ALIVE_FOR_S = 3 * BEAT_INTERVAL_S
FORGOTTEN_AFTER_S = 86_400.0
