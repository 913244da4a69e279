"""The JSON form of an alert, the same in files and in webhooks."""

from typing import Any

from vestibule.alerts.alert import Alert


def to_dict(alert: Alert) -> dict[str, Any]:
    """Return what `alert` has, by name; what it does not have is left out."""
    fields = {
        "id": alert.id,
        "time": alert.time.isoformat(timespec="microseconds"),
        "type": alert.type.value,
        "severity": alert.severity.value,
        "description": alert.description,
        "service": alert.service,
        "entities": list(alert.entities) or None,
        "fingerprint": alert.fingerprint,
        "request_id": alert.request_id,
        "token_id": alert.token_id,
        "subject": alert.subject,
        "count": alert.count,
    }
    if alert.notice is not None:
        fields |= {
            "event": alert.notice.event.value,
            "group_id": alert.notice.group_id,
            "groups": alert.notice.groups,
            "replica": alert.notice.replica or None,
            "first": alert.notice.first.isoformat(timespec="microseconds"),
            "last": alert.notice.last.isoformat(timespec="microseconds"),
        }
    return {name: value for name, value in fields.items() if value is not None}
