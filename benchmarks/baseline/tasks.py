"""The queue of the tutorial version: `celery -A benchmarks.baseline.tasks worker --concurrency 2`."""

import os

from celery import Celery

app = Celery("baseline", broker=os.environ["BASELINE_REDIS_URL"], backend=os.environ["BASELINE_REDIS_URL"])


@app.task
def process_data_task(data: str) -> str:
    """Do the work."""
    return data.upper()
