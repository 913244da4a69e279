"""The incidents of the last month: what was away or slow, and from when to when."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

KEEP = timedelta(days=31)
MOST = 200


class IncidentKind(StrEnum):
    """What was the matter."""

    DOWN = "down"
    DEGRADED = "degraded"
    MISSED = "missed"


class Incident(BaseModel):
    """Something was the matter with a part, or with what sends a heartbeat."""

    subject: str
    kind: IncidentKind
    began: datetime
    ended: datetime | None = None
    is_planned: bool = False


class Incidents(BaseModel):
    """The list, the newest first; what is too old or too much goes."""

    listed: list[Incident] = []

    def begin(self, incident: Incident) -> None:
        """Enter an incident, unless it is entered already."""
        if self._open(incident.subject, incident.kind) is None:
            self.listed.insert(0, incident)

    def end(self, subject: str, kind: IncidentKind, at: datetime) -> None:
        """Say that an incident is over."""
        incident = self._open(subject, kind)
        if incident is not None:
            # A clock that was set back meanwhile must not give it a negative length.
            incident.ended = max(at, incident.began)

    def prune(self, now: datetime) -> None:
        """Forget what is older than a month, and the oldest of too many."""
        recent = [one for one in self.listed if one.ended is None or one.ended > now - KEEP]
        self.listed = recent[:MOST]

    def _open(self, subject: str, kind: IncidentKind) -> Incident | None:
        matching = (one for one in self.listed if one.subject == subject and one.kind is kind and one.ended is None)
        return next(matching, None)
