"""Raises an alert when a heartbeat is missed, and another when it returns."""

import time
from collections.abc import Callable
from datetime import datetime

from vestibule.alerts import AlertEngine, AlertType
from vestibule.contracts.errors import HeartbeatNotFound, Unavailable
from vestibule.scheduler_service.availability.incidents import Incident, IncidentKind, Incidents
from vestibule.scheduler_service.heartbeats.heartbeat import Heartbeat
from vestibule.scheduler_service.heartbeats.repository import HeartbeatRepository


class HeartbeatMonitor:
    """Alerts on missed heartbeats, and on their return.

    A deadline counts on the monotonic clock from the moment a ping is seen here. The wall clock counts only for pings
    from before this scheduler became active.
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
        # While no scheduler was running, no ping could be received.
        self._grace_until = clock() + start_grace_s
        self._deadlines: dict[str, tuple[int, float]] = {}
        # Alerts raised that are not in the store yet.
        self._unsaved: dict[str, bool] = {}

    async def check(self, now: datetime) -> bool:
        """Raise the alerts that are due, and say whether there were any."""
        has_alerted = False
        for heartbeat in list(self._repository.known):
            heartbeat.is_alerted = self._unsaved.get(heartbeat.name, heartbeat.is_alerted)
            is_missed = self._is_missed(heartbeat, now)
            is_held_back = is_missed and self._is_planned(f"heartbeat:{heartbeat.name}", now)
            if is_missed is not heartbeat.is_alerted and not is_held_back:
                await self._alert(heartbeat, now, is_missed=is_missed)
                has_alerted = True
        for name in list(self._unsaved):
            await self._save_alerted(name)
        self._forget_deleted()
        return has_alerted

    def forget(self) -> None:
        """Forget deadlines and unsaved alerts: another scheduler is active."""
        self._deadlines, self._unsaved = {}, {}

    def _is_missed(self, heartbeat: Heartbeat, now: datetime) -> bool:
        seen = self._deadlines.get(heartbeat.name)
        if seen is None:
            deadline = self._clock() + self._time_left(heartbeat, now)
            if not heartbeat.is_alerted:
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

    async def _alert(self, heartbeat: Heartbeat, now: datetime, *, is_missed: bool) -> None:
        subject = f"heartbeat:{heartbeat.name}"
        if is_missed:
            why = "reported that it failed" if heartbeat.has_failed else "was not heard of in time"
            text = f"{heartbeat.name} {why}; it was expected every {heartbeat.period_s:g} s."
            self._incidents().begin(Incident(subject=subject, kind=IncidentKind.MISSED, began=now))
            await self._alerts.raise_alert(AlertType.HEARTBEAT_MISSED, text, subject=subject)
        else:
            self._incidents().end(subject, IncidentKind.MISSED, now)
            text = f"{heartbeat.name} was heard of again."
            await self._alerts.raise_alert(AlertType.HEARTBEAT_RECOVERED, text, subject=subject)
        heartbeat.is_alerted = self._unsaved[heartbeat.name] = is_missed

    async def _save_alerted(self, name: str) -> None:
        try:
            await self._repository.mark_alerted(name, is_alerted=self._unsaved[name])
        except Unavailable:
            return  # the next check tries again
        except HeartbeatNotFound:
            pass  # deleted meanwhile
        del self._unsaved[name]

    def _forget_deleted(self) -> None:
        known = {heartbeat.name for heartbeat in self._repository.known}
        self._deadlines = {name: seen for name, seen in self._deadlines.items() if name in known}
