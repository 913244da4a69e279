"""The queue and its workers."""

# Made of asynchronous/queue.py by `python -m vestibule.client.unasync`; change that one.

from collections.abc import Sequence

from vestibule.client.synchronous.resource import Resource
from vestibule.client.calls import Call
from vestibule.client.results.queue import PauseChange, QueueState, Worker, WorkerList


class Queue(Resource):
    """The queue."""

    def get(self) -> QueueState:
        """Return what is paused, since when, by whom and why, and how many tasks wait."""
        return self._result(Call("get_queue"), QueueState)

    def pause(self, *, reason: str, processor: str | None = None) -> PauseChange:
        """Keep further tasks of a processor, or of all, from starting. Needs the scope `operator` too."""
        body = {"processor": processor, "reason": reason}
        return self._result(Call("pause_queue", body=body), PauseChange)

    def resume(self, *, reason: str, processor: str | None = None) -> PauseChange:
        """End a pause of a processor, or of the whole queue. Needs the scope `operator` too."""
        body = {"processor": processor, "reason": reason}
        return self._result(Call("resume_queue", body=body), PauseChange)


class Workers(Resource):
    """The workers."""

    def list(self) -> Sequence[Worker]:
        """Return the workers that have sent a heartbeat within a day, and what each runs."""
        return (self._result(Call("list_workers"), WorkerList)).workers
