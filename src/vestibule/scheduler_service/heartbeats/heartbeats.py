"""Dead-man pings: whoever should be heard of regularly, and is told about when it is not."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from vestibule.alerts import AlertEngine, AlertType
from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import Entry
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput, PreconditionFailed, Unavailable
from vestibule.scheduler_service.availability.incidents import Incident, IncidentKind, Incidents
from vestibule.scheduler_service.state_store import StateStore

PREFIX = "book/heartbeat/"
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
MOST = 500
DEFAULT_PERIOD_S, DEFAULT_GRACE_S = 86_400.0, 3600.0
ATTEMPTS = 8


class Ping(StrEnum):
    """What a ping says."""

    DONE = "done"
    START = "start"
    FAIL = "fail"


class HeartbeatState(StrEnum):
    """How what sends a heartbeat is doing."""

    UP = "up"
    RUNNING = "running"
    LATE = "late"
    MISSED = "missed"
    FAILED = "failed"


class Heartbeat(BaseModel):
    """What is expected of a sender, and what was heard of it."""

    name: str
    period_s: float
    grace_s: float
    pings: int = 0
    last_at: datetime | None = None
    started_at: datetime | None = None
    took_s: float | None = None
    has_failed: bool = False
    is_told: bool = False

    @property
    def waits_s(self) -> float:
        """How long after the last ping the next has to come; one that has started has its grace to end."""
        return self.grace_s if self.started_at else self.period_s + self.grace_s

    @property
    def waits_since(self) -> datetime:
        """When the last ping came."""
        since = self.started_at or self.last_at
        if since is None:
            raise ValueError("a heartbeat begins with a ping")
        return since

    def take(self, ping: Ping, at: datetime) -> None:
        """Take in a ping."""
        self.pings += 1
        if ping is Ping.START:
            self.started_at = at
            return
        self.took_s = None if self.started_at is None else max(0.0, (at - self.started_at).total_seconds())
        self.last_at, self.started_at = at, None
        self.has_failed = ping is Ping.FAIL

    def state(self, now: datetime) -> HeartbeatState:
        """Return how it is doing."""
        if self.has_failed and not self.started_at:
            return HeartbeatState.FAILED
        if self.is_told:
            return HeartbeatState.MISSED
        if self.started_at:
            return HeartbeatState.RUNNING
        is_late = now > self.waits_since + timedelta(seconds=self.period_s)
        return HeartbeatState.LATE if is_late else HeartbeatState.UP


class HeartbeatRepository:
    """The heartbeats, in the store; what was last read of them is at hand without it."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.known: list[Heartbeat] = []

    def take(self, values: Iterable[str]) -> None:
        """Take what was read."""
        self.known = [Heartbeat.model_validate_json(value) for value in values]

    async def ping(
        self, name: str, ping: Ping, at: datetime, period_s: float | None, grace_s: float | None
    ) -> Heartbeat:
        """Take in a ping, and with it what is expected from now on; a 200 to it is on disk.

        Raises:
            InvalidInput: there are too many heartbeats for another.
            Unavailable: the store does not answer.
        """

        def take(heartbeat: Heartbeat) -> None:
            heartbeat.period_s = period_s or heartbeat.period_s
            heartbeat.grace_s = heartbeat.grace_s if grace_s is None else grace_s
            heartbeat.take(ping, at)

        return await self._change(name, take, Heartbeat(name=name, period_s=DEFAULT_PERIOD_S, grace_s=DEFAULT_GRACE_S))

    async def mark(self, name: str, *, is_told: bool) -> None:
        """Remember whether people were told that it was missed. Raises what `ping` raises, and `HeartbeatNotFound`."""

        def note(heartbeat: Heartbeat) -> None:
            heartbeat.is_told = is_told

        await self._change(name, note, None)

    async def delete(self, name: str) -> None:
        """Expect nothing more of a sender.

        Raises:
            HeartbeatNotFound: there is none of that name.
            Unavailable: the store does not answer.
        """
        if not await self._store.delete(PREFIX + name):
            raise HeartbeatNotFound("No heartbeat has that name.")
        self.known = [one for one in self.known if one.name != name]

    async def _change(self, name: str, change: Callable[[Heartbeat], None], first: Heartbeat | None) -> Heartbeat:
        for _ in range(ATTEMPTS):
            entry = await self._store.read(PREFIX + name)
            heartbeat = await self._of(entry, first)
            change(heartbeat)
            condition = Condition.of_version(0 if entry is None else entry.version)
            try:
                await self._store.write(PREFIX + name, heartbeat.model_dump_json(), condition)
            except PreconditionFailed:
                continue  # another ping came meanwhile
            self.known = [*(one for one in self.known if one.name != name), heartbeat]
            return heartbeat
        raise Unavailable("database", "Write conflict: too many concurrent pings of that heartbeat.")

    async def _of(self, entry: Entry | None, first: Heartbeat | None) -> Heartbeat:
        if entry is not None:
            return Heartbeat.model_validate_json(entry.value)
        if first is None:
            raise HeartbeatNotFound("No heartbeat has that name.")
        if len(await self._store.read_all(PREFIX)) >= MOST:
            raise InvalidInput(f"There are {MOST} heartbeats, the maximum; delete some first.")
        return first.model_copy()


class HeartbeatMonitor:
    """Tells of the heartbeats that were missed, and of their return.

    When a ping is due is counted by the steady clock from the moment it was seen here; the clock on the wall counts
    only for what came before this scheduler watched.
    """

    def __init__(
        self,
        repository: HeartbeatRepository,
        incidents: Callable[[], Incidents],
        alerts: AlertEngine,
        is_planned: Callable[[str, datetime], bool],
        *,
        start_grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._incidents = incidents
        self._alerts = alerts
        self._is_planned = is_planned
        self._clock = clock
        # Senders could not be heard while no scheduler was there.
        self._grace_until = clock() + start_grace_s
        self._deadlines: dict[str, tuple[int, float]] = {}
        # What people were told, where the store did not take it yet.
        self._told: dict[str, bool] = {}

    async def check(self, now: datetime) -> bool:
        """Tell what is to be told, and say whether there was anything."""
        has_told = False
        for heartbeat in list(self._repository.known):
            heartbeat.is_told = self._told.get(heartbeat.name, heartbeat.is_told)
            is_wanting = self._is_wanting(heartbeat, now)
            is_held_back = is_wanting and self._is_planned(f"heartbeat:{heartbeat.name}", now)
            if is_wanting is not heartbeat.is_told and not is_held_back:
                await self._tell(heartbeat, now, is_wanting=is_wanting)
                has_told = True
        for name in list(self._told):
            await self._mark(name)
        self._forget_deleted()
        return has_told

    def forget(self) -> None:
        """Forget what was seen: another scheduler watches."""
        self._deadlines, self._told = {}, {}

    def _is_wanting(self, heartbeat: Heartbeat, now: datetime) -> bool:
        seen = self._deadlines.get(heartbeat.name)
        if seen is None:
            deadline = self._clock() + self._time_left(heartbeat, now)
            if not heartbeat.is_told:
                deadline = max(deadline, self._grace_until)
            seen = (heartbeat.pings, deadline)
        elif seen[0] != heartbeat.pings:
            seen = (heartbeat.pings, self._clock() + heartbeat.waits_s)
        self._deadlines[heartbeat.name] = seen
        return (heartbeat.has_failed and not heartbeat.started_at) or self._clock() > seen[1]

    @staticmethod
    def _time_left(heartbeat: Heartbeat, now: datetime) -> float:
        waited_s = (now - heartbeat.waits_since).total_seconds()
        return heartbeat.waits_s - min(max(waited_s, 0.0), heartbeat.waits_s + 1)

    async def _tell(self, heartbeat: Heartbeat, now: datetime, *, is_wanting: bool) -> None:
        subject = f"heartbeat:{heartbeat.name}"
        if is_wanting:
            why = "reported that it failed" if heartbeat.has_failed else "was not heard of in time"
            text = f"{heartbeat.name} {why}; it was expected every {heartbeat.period_s:g} s."
            self._incidents().begin(Incident(subject=subject, kind=IncidentKind.MISSED, began=now))
            await self._alerts.raise_alert(AlertType.HEARTBEAT_MISSED, text, subject=subject)
        else:
            self._incidents().end(subject, IncidentKind.MISSED, now)
            text = f"{heartbeat.name} was heard of again."
            await self._alerts.raise_alert(AlertType.HEARTBEAT_RECOVERED, text, subject=subject)
        heartbeat.is_told = self._told[heartbeat.name] = is_wanting

    async def _mark(self, name: str) -> None:
        try:
            await self._repository.mark(name, is_told=self._told[name])
        except Unavailable:
            return  # the next check tries again
        except HeartbeatNotFound:
            pass  # deleted meanwhile
        del self._told[name]

    def _forget_deleted(self) -> None:
        known = {heartbeat.name for heartbeat in self._repository.known}
        self._deadlines = {name: seen for name, seen in self._deadlines.items() if name in known}
