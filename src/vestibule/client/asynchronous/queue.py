"""The queue and its workers."""

from collections.abc import Sequence

from vestibule.client.asynchronous.resource import AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.queue import PauseChange, QueueState, Worker, WorkerList


class AsyncQueue(AsyncResource):
    """The queue."""

    async def get(self) -> QueueState:
        """Return what is paused, since when, by whom and why, and how many tasks wait."""
        return await self._result(Call("get_queue"), QueueState)

    async def pause(self, *, reason: str, processor: str | None = None) -> PauseChange:
        """Keep further tasks of a processor, or of all, from starting. Needs the scope `operator` too."""
        body = {"processor": processor, "reason": reason}
        return await self._result(Call("pause_queue", body=body), PauseChange)

    async def resume(self, *, reason: str, processor: str | None = None) -> PauseChange:
        """End a pause of a processor, or of the whole queue. Needs the scope `operator` too."""
        body = {"processor": processor, "reason": reason}
        return await self._result(Call("resume_queue", body=body), PauseChange)


class AsyncWorkers(AsyncResource):
    """The workers."""

    async def list(self) -> Sequence[Worker]:
        """Return the workers that have sent a heartbeat within a day, and what each runs."""
        return (await self._result(Call("list_workers"), WorkerList)).workers
