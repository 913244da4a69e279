"""Tasks and messages: run, list, wait for, cancel and retry them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from vestibule.client.asynchronous.resource import AsyncPages, AsyncResource
from vestibule.client.calls import Call, preference
from vestibule.client.decoding import decode
from vestibule.client.errors import NoAnswer, TimedOut, WaitTimedOut
from vestibule.client.results.tasks import (
    AcceptedMessage,
    AcceptedTask,
    MessageReply,
    Task,
    TaskPage,
    TaskTotals,
    WebhookKey,
)
from vestibule.contracts.errors import Unavailable

# The longest time that the service waits before it answers.
LONGEST_POLL_S = 30.0
# For an answer to a wait, beyond the wait.
GRACE_S = 5.0
# Between attempts while the service is away.
PAUSE_S = 0.5


class AsyncTasks(AsyncResource):
    """Tasks: processors run on stored values and messages, in the background."""

    async def run(
        self,
        key: str,
        processor: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        write_to: str | None = None,
        priority: str | None = None,
        delay_s: float | None = None,
        run_at: datetime | None = None,
        unique_for_s: float | None = None,
        callback: str | None = None,
        idempotency_key: str | None = None,
    ) -> AcceptedTask:
        """Process the value under a key in the background; the task is on disk then, and will run.

        Args:
            key: of a stored entry.
            processor: one of `processors.list()`; `uppercase` by default.
            options: of the processor.
            write_to: the key that the result is written to.
            priority: `high`, `normal` or `low`.
            delay_s: seconds until it starts.
            run_at: when it starts, instead.
            unique_for_s: the same work within these seconds is the same task.
            callback: the URL that is called at its end.
            idempotency_key: made by the client if it is not given, and the same for each attempt.

        Raises:
            KeyNotFound: no entry has that key.
            UnknownProcessor: no processor has that name.
        """
        body = {
            "key": key,
            "processor": processor,
            "options": options,
            "write_to": write_to,
            "priority": priority,
            "delay_s": delay_s,
            "run_at": run_at,
            "unique_for_s": unique_for_s,
            "callback": callback,
        }
        call = Call("run_task", body=body, idempotency_key=idempotency_key)
        return await self._result(call, AcceptedTask)

    async def get(self, task_id: str, *, wait_s: float = 0.0) -> Task:
        """Return a task, with its result if it succeeded; after at most `wait_s`, 30 at most, if it has not ended.

        Raises:
            TaskNotFound: no task has that id.
            ResultExpired: it succeeded, and its result is no longer stored.
        """
        return await self._result(_poll(task_id, wait_s), Task)

    async def wait(self, task_id: str, timeout_s: float) -> Task:
        """Return a task when it has ended, however it ended.

        Once the service has answered, a time in which it is away is waited out.

        Raises:
            WaitTimedOut: it has not ended within `timeout_s`, and goes on.
            TaskNotFound: no task has that id.
            ResultExpired: it succeeded, and its result is no longer stored.
        """
        until = time.monotonic() + timeout_s
        # Not much longer than asked for, where the service does not answer.
        bounded = self._configuration.changed(min(self._configuration.timeout_s, GRACE_S), None, None)
        task: Task | None = None
        while True:
            left_s = max(0.0, until - time.monotonic())
            try:
                call = _poll(task_id, min(left_s, LONGEST_POLL_S))
                task = (await self._transport.answer(call, bounded)).result(Task)
            except (NoAnswer, Unavailable) as error:
                left_s = until - time.monotonic()
                if task is None and (left_s > 0 or not isinstance(error, TimedOut)):
                    raise
                await asyncio.sleep(max(0.0, min(left_s, PAUSE_S)))
            if task is not None and task.has_ended:
                return task
            if time.monotonic() >= until:
                raise WaitTimedOut(task_id, timeout_s, task)

    async def follow(self, task_id: str) -> AsyncGenerator[Task, None]:
        """Yield a task each time that its state has changed, until its end. Raises: TaskNotFound, if there is none."""
        call = Call("get_task", path={"task_id": task_id})
        last: Task | None = None
        async for event in self._transport.events(call, self._configuration):
            if event.kind == "reconnected":
                continue
            task = decode(Task, event.json())
            if task != last:
                yield task
            last = task
            if task.has_ended:
                return

    def list(
        self,
        *,
        state: str | Sequence[str] | None = None,
        processor: str | None = None,
        token: str | None = None,
        key: str | None = None,
        cause: str | None = None,
        older_than_s: float | None = None,
        due_before: datetime | None = None,
        all_tenants: bool = False,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[TaskPage, Task]:
        """Return the tasks that meet all filters, newest first and without results; `page_size` is 1,000 at most."""
        query = {
            "state": state,
            "processor": processor,
            "token": token,
            "key": key,
            "cause": cause,
            "older_than_s": older_than_s,
            "due_before": due_before,
            "all_tenants": all_tenants,
            "limit": page_size,
            "cursor": cursor,
        }
        return AsyncPages(self, Call("list_tasks", query=query), TaskPage, lambda page: page.tasks)

    async def counts(self, *, all_tenants: bool = False) -> TaskTotals:
        """Return how many tasks are in each state, exactly."""
        return await self._result(Call("count_tasks", query={"all_tenants": all_tenants}), TaskTotals)

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task; of a running one the result is discarded. Raises: TaskConflict, if it has ended."""
        return await self._result(Call("cancel_task", path={"task_id": task_id}), Task)

    async def retry(self, task_id: str) -> Task:
        """Retry a task that failed, is dead or was cancelled. Raises: TaskConflict, if it is in another state."""
        return await self._result(Call("retry_task", path={"task_id": task_id}), Task)

    async def webhook_key(self) -> WebhookKey:
        """Return the key that signs the callbacks. Raises: WebhooksDisabled, if there are none."""
        return await self._result(Call("get_webhook_key"), WebhookKey)


class AsyncMessages(AsyncResource):
    """Messages: texts that are processed without being stored."""

    async def send(
        self,
        text: str,
        processor: str | None = None,
        *,
        mode: str | None = None,
        options: Mapping[str, Any] | None = None,
        write_to: str | None = None,
        priority: str | None = None,
        delay_s: float | None = None,
        run_at: datetime | None = None,
        unique_for_s: float | None = None,
        callback: str | None = None,
        receipt: bool = False,
        idempotency_key: str | None = None,
    ) -> AcceptedMessage | MessageReply:
        """Screen a text and process it: in the background, or at once with `mode="sync"`.

        Args:
            text: at most 1 MiB in UTF-8.
            processor: one of `processors.list()`; `uppercase` by default.
            mode: `async` or `sync`; without it the routes of the settings decide.
            options: of the processor.
            write_to: the key that the result is written to.
            priority: `high`, `normal` or `low`.
            delay_s: seconds until it starts.
            run_at: when it starts, instead.
            unique_for_s: the same work within these seconds is the same task.
            callback: the URL that is called at its end.
            receipt: also return a signed receipt of the decision.
            idempotency_key: made by the client if it is not given, and the same for each attempt.

        Raises:
            PersonalDataFound: the policy blocks it; `extra["findings"]` says what and where.
            UnknownProcessor: no processor has that name.
        """
        body = {
            "text": text,
            "processor": processor,
            "mode": mode,
            "options": options,
            "write_to": write_to,
            "priority": priority,
            "delay_s": delay_s,
            "run_at": run_at,
            "unique_for_s": unique_for_s,
            "callback": callback,
        }
        call = Call(
            "send_message",
            body=body,
            headers=preference(receipt=receipt),
            idempotency_key=idempotency_key,
        )
        answer = await self._answer(call)
        return answer.result(AcceptedMessage) if answer.status == 202 else answer.result(MessageReply)


def _poll(task_id: str, wait_s: float) -> Call:
    return Call("get_task", path={"task_id": task_id}, query={"wait": wait_s or None}, long_poll_s=wait_s)
