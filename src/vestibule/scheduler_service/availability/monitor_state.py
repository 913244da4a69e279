"""What the watch knows and keeps: how each part is, what was the matter lately, and the chronicle.

The scheduler that works writes it to the store, once a minute and when something changes; the others read it there.
"""

import asyncio
from datetime import datetime

import structlog
from pydantic import BaseModel

from vestibule.contracts.entries import BatchPair
from vestibule.contracts.errors import Unavailable
from vestibule.scheduler_service.availability.availability_history import MONTH, AvailabilityHistory, page_names, ttl_of
from vestibule.scheduler_service.availability.incidents import Incidents
from vestibule.scheduler_service.availability.outages import PartRecord, PartState
from vestibule.scheduler_service.leadership.lease import Lease, LeaseLost, Role
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.state_store import StateStore

STATE_KEY = "state"


class KeptState(BaseModel):
    """What is written besides the chronicle."""

    saved_at: datetime
    parts: list[PartRecord]
    incidents: Incidents


class MonitorState:
    """Holds what is known, and brings it to the store and back."""

    def __init__(self, store: StateStore, lease: Lease, parts: dict[str, bool]) -> None:
        """Take the parts of the system, and of each whether it is watched."""
        self._store = store
        self._lease = lease
        self._watched = parts
        self._lock = asyncio.Lock()
        self._loaded_term: int | None = None
        self._is_own = False
        self._is_behind = False
        self._log = structlog.get_logger("vestibule.monitor")
        self.parts = self._nothing_known()
        self.incidents = Incidents()
        self.history = AvailabilityHistory()
        self.saved_at: datetime | None = None

    async def catch_up(self) -> None:
        """Take over what the one before knew, once when the lease was taken, as soon as the store answers."""
        async with self._lock:
            if self._lease.role.is_working and not self._is_own:
                self._forget()
                self._is_own = True
            if self._lease.role is Role.ACTIVE and self._loaded_term != self._lease.term:
                try:
                    await self._take_over()
                except Unavailable:
                    self._fall_behind()

    async def look_over(self) -> None:
        """Take what the one who works wrote, in place of what is known here.

        Raises:
            Unavailable: the store does not answer.
        """
        async with self._lock:
            kept = await self._load()
            self._forget()
            if kept is not None:
                self.parts.update({record.name: record for record in kept.parts if self._watched.get(record.name)})
                self.incidents, self.saved_at = kept.incidents, kept.saved_at

    def step_down(self) -> None:
        """Know that what is known here is not kept up any more, since another scheduler works."""
        self._is_own = False

    async def save(self) -> None:
        """Write what is known. While the store is away it is kept here, and written later."""
        await self.catch_up()
        async with self._lock:
            at = now()
            self.incidents.prune(at)
            self.history.prune(at)
            if self._lease.role is not Role.ACTIVE or self._loaded_term != self._lease.term:
                return
            pages, new = self.history.take_new()
            pairs = [
                BatchPair(key=page, value=text, ttl_s=ttl_of(page).total_seconds()) for page, text in pages.items()
            ]
            try:
                await self._lease.write([*pairs, self._state(at)])
            except LeaseLost:
                return  # another counts now
            except Unavailable:
                self.history.give_back(new)
                self._fall_behind()
                return
            self.history.settle(new)
            self.saved_at = at
            if self._is_behind:
                self._is_behind = False
                self._log.info("monitor_state_saved")

    async def _take_over(self) -> None:
        term = self._lease.term
        kept = await self._load()
        if kept is not None:
            for before in kept.parts:
                if self._watched.get(before.name):
                    self._adopt(before)
            _merge(kept.incidents, self.incidents)
            self.incidents = kept.incidents
        self._loaded_term = term

    def _adopt(self, before: PartRecord) -> None:
        own = self.parts[before.name]
        if own.state is PartState.UNKNOWN and not own.misses_in_a_row:
            self.parts[before.name] = before
        else:
            # It was asked here while the store was away. What was told of it before still holds.
            own.is_told = own.is_told or before.is_told

    async def _load(self) -> KeptState | None:
        names = page_names(now())
        state, *pages = await self._store.read_many([STATE_KEY, *names])
        self.history.load({page.key: page.value for page in pages if page is not None})
        return None if state is None else KeptState.model_validate_json(state.value)

    def _state(self, at: datetime) -> BatchPair:
        kept = KeptState(saved_at=at, parts=list(self.parts.values()), incidents=self.incidents)
        return BatchPair(key=STATE_KEY, value=kept.model_dump_json(), ttl_s=MONTH.total_seconds())

    def _forget(self) -> None:
        self.parts, self.incidents = self._nothing_known(), Incidents()
        self.history.drop_new()

    def _nothing_known(self) -> dict[str, PartRecord]:
        return {
            name: PartRecord(name=name, state=PartState.UNKNOWN if is_watched else PartState.OFF)
            for name, is_watched in self._watched.items()
        }

    def _fall_behind(self) -> None:
        if not self._is_behind:
            self._is_behind = True
            self._log.warning("monitor_state_not_saved", reason="the store is away; it is kept and written later")


def _merge(kept: Incidents, own: Incidents) -> None:
    known = {(one.subject, one.kind, one.began) for one in kept.listed}
    for incident in reversed(own.listed):
        if (incident.subject, incident.kind, incident.began) not in known:
            if incident.ended is None:
                kept.begin(incident)
            else:
                kept.listed.insert(0, incident)
