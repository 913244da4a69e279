"""The forms of an alert: the text of reports, and the JSON of files and webhooks."""

from typing import Any

from vestibule.alerts.alert import Alert, runbook_of

# The same order in all reports.
_FIELDS = (
    ("Time", "time"),
    ("Type", "type"),
    ("Description", "description"),
    ("Severity", "severity"),
    ("Service", "service"),
    ("Entities", "entities"),
    ("Fingerprint", "fingerprint"),
    ("Request-ID", "request_id"),
    ("Token-ID", "token_id"),
    ("Token", "token_name"),
    ("Task-ID", "task_id"),
    ("Tenant", "tenant"),
    ("Subject", "subject"),
    ("Count", "count"),
    ("Alert-ID", "id"),
    ("False-Alarm", "allow"),
)
_BASIC_PLANE = 0xFFFF


def report_name(alert: Alert) -> str:
    """Return `<UTC time>_<Type>_<id>.txt`; names sort by time, to the microsecond."""
    return f"{alert.time:%Y%m%dT%H%M%S.%fZ}_{alert.type}_{alert.id}.txt"


def report_content(alert: Alert, console_url: str) -> bytes:
    """Return the content of the report file of `alert`, which links to its page in the console."""
    # Its group is not known yet; the page of the alert leads to it.
    link = console_url and f"{console_url}/alerts/{alert.id}"
    return render_report(alert, link).encode("utf-8", "backslashreplace")


def render_report(alert: Alert, link: str = "") -> str:
    """Return the lines `Name: value` of `alert`, leaving out what it does not have; `link` leads to it."""
    values = {attribute: getattr(alert, attribute) for _, attribute in _FIELDS}
    values["time"] = alert.time.isoformat(timespec="microseconds")
    values["entities"] = ", ".join(alert.entities)
    lines = [f"{label}: {_one_line(values[attribute])}" for label, attribute in _FIELDS if values[attribute]]
    lines += [f"Link: {link}"] if link else []
    return "\n".join(lines) + "\n"


def render_notice(alert: Alert) -> str:
    """Return the report of `alert` with the lines of its group."""
    notice = alert.notice
    if notice is None:
        return render_report(alert)
    lines = {"Event": notice.event.value, "First": notice.first.isoformat(), "Last": notice.last.isoformat()}
    lines |= {"Groups": str(notice.groups)} if notice.groups > 1 else {}
    lines |= {"Replica": notice.replica} if notice.replica else {}
    lines |= {"Link": notice.link} if notice.link else {}
    lines |= {"Runbook": runbook_of(alert.type)}
    return render_report(alert) + "".join(f"{name}: {_one_line(value)}\n" for name, value in lines.items())


def _one_line(value: object) -> str:
    # A line break in a description could forge the lines below it, an escape sequence could control the terminal on
    # which somebody prints the file, and a character without a form could hide text.
    text = " ".join(str(value).split())
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= _BASIC_PLANE else f"\\U{ord(char):08x}"


def to_dict(alert: Alert) -> dict[str, Any]:
    """Return the fields of `alert` by name, without empty ones."""
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
        "token_name": alert.token_name,
        "task_id": alert.task_id,
        "tenant": alert.tenant,
        "subject": alert.subject,
        "count": alert.count,
        "allow": alert.allow,
    }
    if alert.notice is not None:
        fields |= {
            "event": alert.notice.event.value,
            "group_id": alert.notice.group_id,
            "groups": alert.notice.groups,
            "replica": alert.notice.replica or None,
            "link": alert.notice.link or None,
            "runbook": runbook_of(alert.type),
            "first": alert.notice.first.isoformat(timespec="microseconds"),
            "last": alert.notice.last.isoformat(timespec="microseconds"),
        }
    return {name: value for name, value in fields.items() if value is not None}
