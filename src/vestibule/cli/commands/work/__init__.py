"""The commands for tasks, schedules and the queue."""
