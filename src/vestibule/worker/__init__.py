"""The Celery worker program: receives tasks, runs processors, screens their results."""
