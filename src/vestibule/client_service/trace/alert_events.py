"""The events of alerts: the alert, its group, its notifications, and the silences that held some back."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vestibule.alerts import Alert, AlertArchive
from vestibule.alerts.store.groups import AlertGroups, GroupState
from vestibule.client_service.trace.events import TraceEvent, TraceKind
from vestibule.contracts.errors import AlertGroupNotFound
from vestibule.contracts.identity import Visibility

MOST_ALERTS = 100
MOST_GROUPS = 20


@dataclass(frozen=True, slots=True)
class AlertEvents:
    """Reads the alert store of this host; every method raises `Unavailable` where that cannot be read."""

    archive: AlertArchive
    groups: AlertGroups
    replica: str

    @classmethod
    def read_from(cls, store: Path, replica: str) -> Self:
        """Read the alert store in a file; `replica` is the name of its host."""
        return cls(AlertArchive(store), AlertGroups(store), replica)

    def find(self, ids: Collection[str], visibility: Visibility) -> list[Alert]:
        """Return the alerts that have one of these ids, or whose request or task has."""
        return self.archive.find(ids, visibility, MOST_ALERTS)

    def events_of(self, alerts: Collection[Alert]) -> list[TraceEvent]:
        """Return the events of alerts and of their groups."""
        group_ids = self.archive.group_ids([alert.id for alert in alerts])
        events = [_alert_event(alert, group_ids.get(alert.id), self.replica) for alert in alerts]
        for group_id in list(dict.fromkeys(group_ids.values()))[:MOST_GROUPS]:
            try:
                events += _group_events(self.groups.get(group_id))
            except AlertGroupNotFound:
                continue
        return events


def _alert_event(alert: Alert, group_id: str | None, replica: str) -> TraceEvent:
    return TraceEvent(
        at=alert.time,
        kind=TraceKind.ALERT,
        alert_id=alert.id,
        type=alert.type.value,
        severity=alert.severity.value,
        entities=list(alert.entities) or None,
        request_id=alert.request_id,
        token_id=alert.token_id,
        token_name=alert.token_name,
        task_id=alert.task_id,
        group_id=group_id,
        replica=replica,
    )


def _group_events(group: GroupState) -> list[TraceEvent]:
    changes = [
        TraceEvent(at=one.at, kind=TraceKind.GROUP_CHANGED, group_id=group.id, state=one.state, by=one.by)
        for one in group.history
    ]
    notifications = [
        TraceEvent(
            at=one.tried or one.created,
            kind=TraceKind.NOTIFICATION,
            group_id=group.id,
            channel=one.channel,
            notice=one.event,
            state=one.state,
            attempts=one.attempts,
            error=one.error,
        )
        for one in group.deliveries
    ]
    silenced = [
        TraceEvent(at=one.at, kind=TraceKind.SILENCED, group_id=group.id, silence_id=one.silence_id, notice=one.event)
        for one in group.silenced_by
    ]
    return [*changes, *notifications, *silenced]
