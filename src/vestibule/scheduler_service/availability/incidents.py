"""The incidents of the last month: what was down or slow, and from when to when."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

KEEP = timedelta(days=31)
MOST = 200


class IncidentKind(StrEnum):
    """The kind of an incident."""

    DOWN = "down"
    DEGRADED = "degraded"
    MISSED = "missed"


class Incident(BaseModel):
    """An outage or slowness of a part, or a missed heartbeat."""

    subject: str
    kind: IncidentKind
    began: datetime
    ended: datetime | None = None
    is_planned: bool = False


class Incidents(BaseModel):
    """The list, the newest first, limited in age and length."""

    listed: list[Incident] = []

    def begin(self, incident: Incident) -> None:
        """Add an incident, unless the same is open already."""
        if self._open(incident.subject, incident.kind) is None:
            self.listed.insert(0, incident)

    def end(self, subject: str, kind: IncidentKind, at: datetime) -> None:
        """End an incident."""
        incident = self._open(subject, kind)
        if incident is not None:
            # A clock that was set back meanwhile must not give it a negative length.
            incident.ended = max(at, incident.began)

    def prune(self, now: datetime) -> None:
        """Drop incidents older than a month, and the oldest beyond the limit."""
        recent = [one for one in self.listed if one.ended is None or one.ended > now - KEEP]
        self.listed = recent[:MOST]

    def _open(self, subject: str, kind: IncidentKind) -> Incident | None:
        matching = (one for one in self.listed if one.subject == subject and one.kind is kind and one.ended is None)
        return next(matching, None)
