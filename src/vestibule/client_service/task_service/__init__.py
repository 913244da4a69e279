"""The use cases of tasks and schedules, and the relay that keeps ledger and queue consistent."""
