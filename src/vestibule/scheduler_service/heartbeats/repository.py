"""Reads and writes heartbeats in the store."""

from collections.abc import Callable
from datetime import datetime

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import Entry, Pair
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput, PreconditionFailed, Unavailable
from vestibule.database_client.entries import EntryClient
from vestibule.scheduler_service.heartbeats.heartbeat import Heartbeat, Ping

PREFIX = "heartbeat/"
MOST = 500
DEFAULT_PERIOD_S, DEFAULT_GRACE_S = 86_400.0, 3600.0
ATTEMPTS = 8


class HeartbeatRepository:
    """The heartbeats in the store; `known` is the last state read, also while the store is unavailable."""

    def __init__(self, store: EntryClient) -> None:
        self._store = store
        self.known: list[Heartbeat] = []

    async def refresh(self) -> None:
        """Read all heartbeats from the store.

        Raises:
            Unavailable: the store does not answer.
        """
        self.known = [Heartbeat.model_validate_json(entry.value) for entry in await self._store.read_all(PREFIX)]

    async def ping(
        self, name: str, ping: Ping, at: datetime, period_s: float | None, grace_s: float | None
    ) -> Heartbeat:
        """Record a ping, and the period and grace that it sets; it is on disk then.

        Raises:
            InvalidInput: there are too many heartbeats for another.
            Unavailable: the store does not answer.
        """

        def record(heartbeat: Heartbeat) -> None:
            heartbeat.period_s = period_s or heartbeat.period_s
            heartbeat.grace_s = heartbeat.grace_s if grace_s is None else grace_s
            heartbeat.record(ping, at)

        return await self._change(
            name, record, Heartbeat(name=name, period_s=DEFAULT_PERIOD_S, grace_s=DEFAULT_GRACE_S)
        )

    async def mark_alerted(self, name: str, *, is_alerted: bool) -> None:
        """Store whether an alert was raised for it. Raises what `ping` raises, and `HeartbeatNotFound`."""

        def set_alerted(heartbeat: Heartbeat) -> None:
            heartbeat.is_alerted = is_alerted

        await self._change(name, set_alerted, None)

    async def delete(self, name: str) -> None:
        """Stop expecting a heartbeat.

        Raises:
            HeartbeatNotFound: no heartbeat has that name.
            Unavailable: the store does not answer.
        """
        if not (await self._store.delete(PREFIX + name)).deleted:
            raise HeartbeatNotFound("No heartbeat has that name.")
        self.known = [one for one in self.known if one.name != name]

    async def _change(self, name: str, change: Callable[[Heartbeat], None], first: Heartbeat | None) -> Heartbeat:
        for _ in range(ATTEMPTS):
            entry = await self._store.find(PREFIX + name)
            heartbeat = await self._load(entry, first)
            change(heartbeat)
            condition = Condition.of_version(0 if entry is None else entry.version)
            try:
                await self._store.write(Pair(key=PREFIX + name, value=heartbeat.model_dump_json()), condition)
            except PreconditionFailed:
                continue  # another ping came meanwhile
            self.known = [*(one for one in self.known if one.name != name), heartbeat]
            return heartbeat
        raise Unavailable("database", "Write conflict: too many concurrent pings of that heartbeat.")

    async def _load(self, entry: Entry | None, first: Heartbeat | None) -> Heartbeat:
        if entry is not None:
            return Heartbeat.model_validate_json(entry.value)
        if first is None:
            raise HeartbeatNotFound("No heartbeat has that name.")
        if len(await self._store.read_all(PREFIX)) >= MOST:
            raise InvalidInput(f"There are {MOST} heartbeats, the maximum; delete some first.")
        return first.model_copy()
