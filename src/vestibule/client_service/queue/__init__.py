"""The queue: task messages, their encryption, their publishers, and the state of tasks in Redis."""
