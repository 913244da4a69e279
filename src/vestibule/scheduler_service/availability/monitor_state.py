"""The state of monitoring: the record of each part, the incidents, and the availability history.

The active scheduler writes it to the store, once a minute and when something changes; the others read it there.
"""

import asyncio
from datetime import datetime

import structlog
from pydantic import BaseModel

from vestibule.contracts.entries import BatchPair
from vestibule.contracts.errors import Unavailable
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.scheduler_service.availability.availability_history import MONTH, AvailabilityHistory, page_names, ttl_of
from vestibule.scheduler_service.availability.parts import Incidents, PartRecord, PartState
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.lease import Lease, LeaseLost, Role

STATE_KEY = "state"


class SavedState(BaseModel):
    """What is stored besides the availability history."""

    saved_at: datetime
    parts: list[PartRecord]
    incidents: Incidents


class MonitorState:
    """Holds the state, saves it to the store and loads it from there."""

    def __init__(self, store: EntryClient, lease: Lease, parts: dict[str, bool]) -> None:
        """Take the parts of the system, and of each whether it is monitored."""
        self._store = store
        self._lease = lease
        self._monitored = parts
        self._lock = asyncio.Lock()
        self._loaded_term: int | None = None
        self._is_own = False
        self._is_behind = False
        self._log = structlog.get_logger("vestibule.monitor")
        self.parts = self._unknown_parts()
        self.incidents = Incidents()
        self.history = AvailabilityHistory()
        self.saved_at: datetime | None = None

    async def catch_up(self) -> None:
        """Load the state of the scheduler before, once after the lease was acquired, as soon as the store answers."""
        async with self._lock:
            if self._lease.role.is_working and not self._is_own:
                self._reset()
                self._is_own = True
            if self._lease.role is Role.ACTIVE and self._loaded_term != self._lease.term:
                try:
                    await self._load_before()
                except Unavailable:
                    self._fall_behind()

    async def refresh(self) -> None:
        """Replace the state here with what the active scheduler saved.

        Raises:
            Unavailable: the store does not answer.
        """
        async with self._lock:
            saved = await self._load()
            self._reset()
            if saved is not None:
                self.parts.update({record.name: record for record in saved.parts if self._monitored.get(record.name)})
                self.incidents, self.saved_at = saved.incidents, saved.saved_at

    def step_down(self) -> None:
        """Mark the state here as outdated, since another scheduler is active."""
        self._is_own = False

    async def save(self) -> None:
        """Save the state. While the store is unavailable it stays in memory, and is saved later."""
        await self.catch_up()
        async with self._lock:
            at = now()
            self.incidents.prune(at)
            self.history.prune(at)
            if self._lease.role is not Role.ACTIVE or self._loaded_term != self._lease.term:
                return
            pages, new = self.history.take_pending()
            pairs = [
                BatchPair(key=page, value=text, ttl_s=ttl_of(page).total_seconds()) for page, text in pages.items()
            ]
            try:
                await self._lease.write([*pairs, self._state(at)])
            except LeaseLost:
                return  # another scheduler counts now
            except Unavailable:
                self.history.restore_pending(new)
                self._fall_behind()
                return
            self.history.mark_saved(new)
            self.saved_at = at
            if self._is_behind:
                self._is_behind = False
                self._log.info("monitor_state_saved")

    async def _load_before(self) -> None:
        term = self._lease.term
        saved = await self._load()
        if saved is not None:
            for before in saved.parts:
                if self._monitored.get(before.name):
                    self._adopt(before)
            _merge(saved.incidents, self.incidents)
            self.incidents = saved.incidents
        self._loaded_term = term

    def _adopt(self, before: PartRecord) -> None:
        own = self.parts[before.name]
        if own.state is PartState.UNKNOWN and not own.misses_in_a_row:
            self.parts[before.name] = before
        else:
            # It was probed here while the store was unavailable. An alert raised before that still holds.
            own.is_alerted = own.is_alerted or before.is_alerted

    async def _load(self) -> SavedState | None:
        names = page_names(now())
        state, *pages = await self._store.read_readable([STATE_KEY, *names])
        self.history.load({page.key: page.value for page in pages if page is not None})
        return None if state is None else _STATES.read(state)

    def _state(self, at: datetime) -> BatchPair:
        saved = SavedState(saved_at=at, parts=list(self.parts.values()), incidents=self.incidents)
        return BatchPair(key=STATE_KEY, value=saved.model_dump_json(), ttl_s=MONTH.total_seconds())

    def _reset(self) -> None:
        self.parts, self.incidents = self._unknown_parts(), Incidents()
        self.history.drop_pending()

    def _unknown_parts(self) -> dict[str, PartRecord]:
        return {
            name: PartRecord(name=name, state=PartState.UNKNOWN if is_monitored else PartState.OFF)
            for name, is_monitored in self._monitored.items()
        }

    def _fall_behind(self) -> None:
        if not self._is_behind:
            self._is_behind = True
            self._log.warning("monitor_state_not_saved", reason="the store is unavailable; it is saved later")


_STATES = RecordReader(SavedState)


def _merge(saved: Incidents, own: Incidents) -> None:
    known = {(one.subject, one.tenant, one.kind, one.began) for one in saved.listed}
    for incident in reversed(own.listed):
        if (incident.subject, incident.tenant, incident.kind, incident.began) not in known:
            if incident.ended is None:
                saved.begin(incident)
            else:
                saved.listed.insert(0, incident)
