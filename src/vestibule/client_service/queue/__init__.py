"""The queue: task messages, their encryption, their publishers, and what Redis tells of tasks."""
