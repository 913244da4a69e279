"""The Celery worker program: takes tasks, runs processors, screens their results."""
