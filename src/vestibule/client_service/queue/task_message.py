"""The task message: a template that Celery builds once, filled in for each task.

Celery takes a quarter of a millisecond to build a message, and most of it is the same each time. So it builds one, over
kombu's in-memory transport, whose messages have the form of those in Redis; a test compares the two.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import orjson
from kombu.connection import Connection
from kombu.messaging import Producer
from kombu.utils import json

from vestibule.client_service.queue.application import VestibuleCelery, bound_to
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.tasks import END_CHANNEL, NO_TERMS, PROCESS_DATA_TASK, QUEUES, SENT_AT, Priority, WorkTerms


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """A task as its message describes it to a worker."""

    task_id: str
    data: str
    processor: str
    priority: Priority = Priority.NORMAL
    attempts: int = 0
    sent_at: float = 0.0
    request_id: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    terms: WorkTerms = NO_TERMS
    tenant: str = DEFAULT_TENANT
    partition: int = 0
    end_channel: str | None = None

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers that are not Celery's."""
        ours = {"request_id": self.request_id, SENT_AT: self.sent_at, "attempts": self.attempts, **self.trace}
        return ours if self.end_channel is None else {**ours, END_CHANNEL: self.end_channel}

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the task."""
        # A header has the id of the request.
        return (self.data, self.processor, self.terms.model_dump(exclude_defaults=True, exclude={"request_id"}))

    @property
    def queue(self) -> str:
        """The name of the list in Redis for its priority and partition."""
        return QUEUES[self.priority][self.partition]


class TaskMessageTemplate:
    """Renders messages in the form that Celery gives them."""

    def __init__(self, celery: VestibuleCelery, sample: Mapping[str, Any]) -> None:
        """Take a message built by Celery; `learn` builds one."""
        self._celery = celery
        self._sample = sample
        self._embedded = json.loads(celery.cipher.decrypt(base64.b64decode(sample["body"])))[2]  # type: ignore[no-untyped-call]

    @classmethod
    def learn(cls, celery: VestibuleCelery) -> Self:
        """Return a template from a message that Celery builds."""
        queue = f"form-{uuid4()}"
        with Connection("memory://") as connection:  # type: ignore[no-untyped-call]
            channel = connection.channel()
            producer = Producer(channel)  # type: ignore[no-untyped-call]
            celery.tasks[PROCESS_DATA_TASK].apply_async(("", ""), producer=producer, queue=queue, time_limit=1)
            sample: dict[str, Any] = channel._get(queue)
            channel._delete(queue)
        return cls(celery, sample)

    def render(self, message: TaskMessage) -> bytes:
        """Return `message` as it is pushed into Redis."""
        embedded = {**self._embedded, "sealed_for": bound_to(PROCESS_DATA_TASK, message.task_id)}
        content = orjson.dumps([message.arguments, {}, embedded])
        named = {"id": message.task_id, "root_id": message.task_id}
        limits = {"timelimit": [self._celery.time_limit_s(message.processor), None]}
        properties = {
            **self._sample["properties"],
            "correlation_id": message.task_id,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
            "delivery_tag": str(uuid4()),
        }
        return orjson.dumps(
            {
                **self._sample,
                "body": base64.b64encode(self._celery.cipher.encrypt(content)).decode("ascii"),
                "headers": {**self._sample["headers"], **named, **limits, **message.headers},
                "properties": properties,
            }
        )
