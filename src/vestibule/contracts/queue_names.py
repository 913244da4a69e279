"""Names that all users of the queue share: its keys in Redis, the headers of its messages, its task."""

from vestibule.contracts.tasks import Priority

QUEUE = "celery"
# In the order in which a worker looks for its next task.
QUEUES = {Priority.HIGH: f"{QUEUE}.high", Priority.NORMAL: QUEUE, Priority.LOW: f"{QUEUE}.low"}
# Celery's name for the hash of the messages that a worker has taken and not acknowledged.
TAKEN = "unacked"
# The header with the Unix time at which a task was sent.
SENT_AT = "sent_at"
# The name of the Celery task that runs a processor.
PROCESS_DATA_TASK = "vestibule.process_data"
