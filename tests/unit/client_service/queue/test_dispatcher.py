"""Accepted tasks go to the queue in the background, and an error stops none that comes after it."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from vestibule.client_service.queue.dispatcher import STALE_AFTER_S, QueueUnavailable, TaskDispatcher
from vestibule.client_service.queue.task_message import TaskMessage


class _Publisher:
    """Fails once with each of its errors, then keeps what it is given."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.was_called = asyncio.Event()
        self.sent: list[str] = []

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        self.was_called.set()
        if self.errors:
            raise self.errors.pop(0)
        self.sent += [message.task_id for message in messages]


def _message(task_id: str, age_s: float = 0.0) -> TaskMessage:
    return TaskMessage(task_id, "text", "uppercase", sent_at=time.time() - age_s)


async def _send(publisher: _Publisher, *messages: TaskMessage) -> list[dict[str, object]]:
    """Have the messages sent, each when the one before was tried; return the lines of the log."""
    dispatcher = TaskDispatcher(publisher)
    with structlog.testing.capture_logs() as lines:
        async with asyncio.timeout(60), dispatcher.running():
            for message in messages:
                publisher.was_called.clear()
                dispatcher.enqueue(message)
                await publisher.was_called.wait()
    return [dict(line) for line in lines]


async def test_an_unexpected_error_is_logged_and_later_tasks_are_sent() -> None:
    """The line has the error; the relay sends the task that it hit."""
    error = RuntimeError("a defect")
    publisher = _Publisher(error)
    lines = await _send(publisher, _message("one"), _message("two"))
    assert ["two"] == publisher.sent
    assert [{"event": "task_dispatch_failed", "log_level": "error", "exc_info": error}] == lines


async def test_a_queue_that_is_unavailable_is_logged_with_its_reason() -> None:
    """It is no defect of the dispatcher: the line says how many tasks the relay has to send."""
    publisher = _Publisher(QueueUnavailable("no connection"))
    lines = await _send(publisher, _message("one"), _message("two"))
    assert ["two"] == publisher.sent
    assert [{"event": "tasks_not_sent", "log_level": "warning", "tasks": 1, "error": "no connection"}] == lines


async def test_what_waited_for_long_is_left_to_the_relay() -> None:
    """A message that is older than some seconds is dropped, and the relay sends it."""
    publisher = _Publisher()
    dispatcher = TaskDispatcher(publisher)
    for message in (_message("old", STALE_AFTER_S + 1), _message("new")):
        dispatcher.enqueue(message)
    async with asyncio.timeout(60), dispatcher.running():
        await publisher.was_called.wait()
    assert ["new"] == publisher.sent
