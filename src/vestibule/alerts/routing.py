"""Routes notifications to channels."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from vestibule.alerts.alert import Alert, AlertType, Severity


class Route(BaseModel):
    """Which alerts some channels get; a condition that is not set matches all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: list[str]
    types: list[AlertType] = []
    entities: list[str] = []
    min_severity: Severity = Severity.INFO

    def takes(self, alert: Alert) -> bool:
        """Say whether `alert` matches the route."""
        return (
            (not self.types or alert.type in self.types)
            and (not self.entities or not set(self.entities).isdisjoint(alert.entities))
            and alert.severity.rank >= self.min_severity.rank
        )


def route_alert(alert: Alert, channels: Iterable[str], routes: Sequence[Route]) -> list[str]:
    """Return those of `channels` that get `alert`: by a route that names them, or where none does."""
    return [name for name in channels if _gets(name, alert, routes)]


def _gets(channel: str, alert: Alert, routes: Sequence[Route]) -> bool:
    own = [route for route in routes if channel in route.channels]
    return not own or any(route.takes(alert) for route in own)
