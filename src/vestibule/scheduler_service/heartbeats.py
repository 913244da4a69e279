"""Heartbeats of external jobs: what is expected, what arrived, and the alerts when one is missed or returns."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from vestibule.alerts import AlertEngine, AlertType
from vestibule.contracts.entries import Condition, Entry, Pair
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput, PreconditionFailed, Unavailable
from vestibule.contracts.identity import DEFAULT_TENANT, Visibility
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.parts import Incident, IncidentKind, Incidents
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.lease import Lease, Role
from vestibule.scheduler_service.maintenance import MaintenanceRepository

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"


PREFIX = "heartbeat/"
MOST = 500
DEFAULT_PERIOD_S, DEFAULT_GRACE_S = 86_400.0, 3600.0
ATTEMPTS = 8


class Ping(StrEnum):
    """What a ping reports."""

    DONE = "done"
    START = "start"
    FAIL = "fail"


class HeartbeatState(StrEnum):
    """The state of a heartbeat."""

    UP = "up"
    RUNNING = "running"
    LATE = "late"
    MISSED = "missed"
    FAILED = "failed"


class Heartbeat(BaseModel):
    """The expectation of a sender, and its last pings. A name is one of its tenant alone."""

    name: str
    tenant: str = DEFAULT_TENANT
    period_s: float
    grace_s: float
    pings: int = 0
    last_at: datetime | None = None
    started_at: datetime | None = None
    took_s: float | None = None
    has_failed: bool = False
    is_alerted: bool = False

    @property
    def place(self) -> str:
        """The key below the prefix, beside the heartbeats of all tenants; no name has a stroke."""
        return place_of(self.name, self.tenant)

    @property
    def waits_s(self) -> float:
        """How long after the last ping the next is due; a run that has started may take its grace."""
        return self.grace_s if self.started_at else self.period_s + self.grace_s

    @property
    def waits_since(self) -> datetime:
        """When the last ping came."""
        since = self.started_at or self.last_at
        if since is None:
            raise ValueError("a heartbeat begins with a ping")
        return since

    def record(self, ping: Ping, at: datetime) -> None:
        """Record a ping."""
        self.pings += 1
        if ping is Ping.START:
            self.started_at = at
            return
        self.took_s = None if self.started_at is None else max(0.0, (at - self.started_at).total_seconds())
        self.last_at, self.started_at = at, None
        self.has_failed = ping is Ping.FAIL

    def state(self, now: datetime) -> HeartbeatState:
        """Return the state at `now`."""
        if self.has_failed and not self.started_at:
            return HeartbeatState.FAILED
        if self.is_alerted:
            return HeartbeatState.MISSED
        if self.started_at:
            return HeartbeatState.RUNNING
        is_late = now > self.waits_since + timedelta(seconds=self.period_s)
        return HeartbeatState.LATE if is_late else HeartbeatState.UP


def place_of(name: str, tenant: str) -> str:
    """Return the key of a heartbeat below the prefix. The default tenant's are where they were before tenants."""
    return name if tenant == DEFAULT_TENANT else f"{tenant}/{name}"


class HeartbeatRepository:
    """The heartbeats in the store; `known` is the last state read, also while the store is unavailable."""

    def __init__(self, store: EntryClient) -> None:
        self._store = store
        self._records = RecordReader(Heartbeat)
        self.known: list[Heartbeat] = []

    async def refresh(self) -> None:
        """Read all heartbeats from the store. Raises `Unavailable` if the store does not answer."""
        self.known = await self._read()

    def visible(self, visibility: Visibility) -> list[Heartbeat]:
        """Return the known heartbeats that are visible, by tenant and name."""
        found = [one for one in self.known if visibility.covers(one.tenant)]
        return sorted(found, key=lambda one: (one.tenant, one.name))

    async def ping(
        self, name: str, ping: Ping, at: datetime, period_s: float | None, grace_s: float | None, *, tenant: str
    ) -> Heartbeat:
        """Record a ping on disk, and the period and grace that it sets.

        Raises:
            InvalidInput: the tenant has too many heartbeats for another.
            Unavailable: the store does not answer.
        """

        def record(heartbeat: Heartbeat) -> None:
            heartbeat.period_s = period_s or heartbeat.period_s
            heartbeat.grace_s = heartbeat.grace_s if grace_s is None else grace_s
            heartbeat.record(ping, at)

        first = Heartbeat(name=name, tenant=tenant, period_s=DEFAULT_PERIOD_S, grace_s=DEFAULT_GRACE_S)
        return await self._change(first.place, record, first)

    async def mark_alerted(self, place: str, *, is_alerted: bool) -> None:
        """Store whether an alert was raised for it. Raises the errors of `ping`, and `HeartbeatNotFound`."""

        def set_alerted(heartbeat: Heartbeat) -> None:
            heartbeat.is_alerted = is_alerted

        await self._change(place, set_alerted, None)

    async def delete(self, name: str, tenant: str) -> None:
        """Stop expecting a heartbeat.

        Raises:
            HeartbeatNotFound: no heartbeat of the tenant has that name.
            Unavailable: the store does not answer.
        """
        place = place_of(name, tenant)
        if not (await self._store.delete(PREFIX + place)).deleted:
            raise HeartbeatNotFound("No heartbeat has that name.")
        self.known = [one for one in self.known if one.place != place]

    async def _read(self) -> list[Heartbeat]:
        return self._records.read_each(await self._store.read_all(PREFIX))

    async def _change(self, place: str, change: Callable[[Heartbeat], None], first: Heartbeat | None) -> Heartbeat:
        for _ in range(ATTEMPTS):
            entry = await self._store.find(PREFIX + place)
            heartbeat = await self._load(entry, first)
            change(heartbeat)
            condition = Condition.of_version(0 if entry is None else entry.version)
            try:
                await self._store.write(Pair(key=PREFIX + place, value=heartbeat.model_dump_json()), condition)
            except PreconditionFailed:
                continue  # another ping was stored first
            self.known = [*(one for one in self.known if one.place != place), heartbeat]
            return heartbeat
        raise Unavailable("database", "Write conflict: too many concurrent pings of that heartbeat.")

    async def _load(self, entry: Entry | None, first: Heartbeat | None) -> Heartbeat:
        # A ping replaces a record that is not valid.
        if entry is not None and (heartbeat := self._records.read(entry)) is not None:
            return heartbeat
        if first is None:
            raise HeartbeatNotFound("No heartbeat has that name.")
        if sum(one.tenant == first.tenant for one in await self._read()) >= MOST:
            raise InvalidInput(f"There are {MOST} heartbeats, the maximum; delete some first.")
        return first.model_copy()


class HeartbeatMonitor:
    """Alerts on missed heartbeats, and when they return.

    A deadline counts on the monotonic clock from the moment a ping is seen here. The wall clock counts only for pings
    from before this scheduler became active.
    """

    def __init__(
        self,
        repository: HeartbeatRepository,
        incidents: Callable[[], Incidents],
        alerts: AlertEngine,
        is_planned: Callable[[str, datetime, str], bool],
        *,
        start_grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._incidents = incidents
        self._alerts = alerts
        self._is_planned = is_planned
        self._clock = clock
        # While no scheduler was running, no ping could be received.
        self._grace_until = clock() + start_grace_s
        self._deadlines: dict[str, tuple[int, float]] = {}
        # Alerts raised that are not in the store yet.
        self._unsaved: dict[str, bool] = {}

    async def check(self, now: datetime) -> bool:
        """Raise the alerts that are due, and say whether there were any."""
        has_alerted = False
        for heartbeat in list(self._repository.known):
            heartbeat.is_alerted = self._unsaved.get(heartbeat.place, heartbeat.is_alerted)
            is_missed = self._is_missed(heartbeat, now)
            is_held_back = is_missed and self._is_planned(f"heartbeat:{heartbeat.name}", now, heartbeat.tenant)
            if is_missed is not heartbeat.is_alerted and not is_held_back:
                await self._alert(heartbeat, now, is_missed=is_missed)
                has_alerted = True
        for place in list(self._unsaved):
            await self._save_alerted(place)
        self._forget_deleted()
        return has_alerted

    def forget(self) -> None:
        """Forget deadlines and unsaved alerts: another scheduler is active."""
        self._deadlines, self._unsaved = {}, {}

    def _is_missed(self, heartbeat: Heartbeat, now: datetime) -> bool:
        seen = self._deadlines.get(heartbeat.place)
        if seen is None:
            deadline = self._clock() + self._time_left(heartbeat, now)
            if not heartbeat.is_alerted:
                deadline = max(deadline, self._grace_until)
            seen = (heartbeat.pings, deadline)
        elif seen[0] != heartbeat.pings:
            seen = (heartbeat.pings, self._clock() + heartbeat.waits_s)
        self._deadlines[heartbeat.place] = seen
        return (heartbeat.has_failed and not heartbeat.started_at) or self._clock() > seen[1]

    @staticmethod
    def _time_left(heartbeat: Heartbeat, now: datetime) -> float:
        waited_s = (now - heartbeat.waits_since).total_seconds()
        return heartbeat.waits_s - min(max(waited_s, 0.0), heartbeat.waits_s + 1)

    async def _alert(self, heartbeat: Heartbeat, now: datetime, *, is_missed: bool) -> None:
        subject, tenant = f"heartbeat:{heartbeat.name}", heartbeat.tenant
        if is_missed:
            why = "reported that it failed" if heartbeat.has_failed else "did not report in time"
            text = f"{heartbeat.name} {why}; it was expected every {heartbeat.period_s:g} s."
            self._incidents().begin(Incident(subject=subject, tenant=tenant, kind=IncidentKind.MISSED, began=now))
            await self._alerts.raise_alert(AlertType.HEARTBEAT_MISSED, text, subject=subject, tenant=tenant)
        else:
            self._incidents().end(subject, IncidentKind.MISSED, now, tenant)
            text = f"{heartbeat.name} reports again."
            await self._alerts.raise_alert(AlertType.HEARTBEAT_RECOVERED, text, subject=subject, tenant=tenant)
        heartbeat.is_alerted = self._unsaved[heartbeat.place] = is_missed

    async def _save_alerted(self, place: str) -> None:
        try:
            await self._repository.mark_alerted(place, is_alerted=self._unsaved[place])
        except Unavailable:
            return  # retried at the next check
        except HeartbeatNotFound:
            pass  # it was deleted
        del self._unsaved[place]

    def _forget_deleted(self) -> None:
        known = {heartbeat.place for heartbeat in self._repository.known}
        self._deadlines = {place: seen for place, seen in self._deadlines.items() if place in known}


async def check_heartbeats(
    lease: Lease,
    monitor_state: MonitorState,
    heartbeats: HeartbeatRepository,
    windows: MaintenanceRepository,
    monitor: HeartbeatMonitor,
) -> None:
    """Refresh heartbeats and maintenance windows, and raise alerts if this scheduler is the active one."""
    with suppress(Unavailable):  # the last values read stay valid
        await heartbeats.refresh()
        await windows.refresh()
    if lease.role is Role.PASSIVE:
        monitor_state.step_down()
        monitor.forget()
    elif await lease.may_work() and await monitor.check(now()):
        await monitor_state.save()
