"""Lines of the audit as events of ECS and OCSF, which security tools read.

The whole line is in each event, so that an exported file can be verified: as `vestibule.audit` or `unmapped`.
Source: Elastic Common Schema 8.17; Open Cybersecurity Schema Framework 1.3, class API Activity (6003).
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestibule.contracts.audit import AuditLine

ECS_VERSION, OCSF_VERSION = "8.17.0", "1.3.0"
API_ACTIVITY = 6003
# Of an act's last word: the category of ECS beside "configuration", the type, and the activity of OCSF with its number.
_READ, _OTHER = ("access", "Read", 2), ("change", "Update", 3)
_KINDS = {
    **dict.fromkeys(("added", "made"), ("creation", "Create", 1)),
    **dict.fromkeys(("deleted", "ended", "erased", "revoked", "dropped", "retired"), ("deletion", "Delete", 4)),
    **dict.fromkeys(("revealed", "found", "up", "exported", "tested"), _READ),
}
_ECS_OUTCOMES = {"done": "success", "begun": "unknown"}
_OCSF_STATUS = {"done": (1, "Success"), "begun": (0, "Unknown")}


class AuditFormat(StrEnum):
    """The formats of an export."""

    ECS = "ecs"
    OCSF = "ocsf"
    JSON = "json"


def rendered(line: Mapping[str, Any], form: AuditFormat) -> dict[str, Any]:
    """Return a line as the routes return it, as an event of the format."""
    match form:
        case AuditFormat.ECS:
            return _ecs(line)
        case AuditFormat.OCSF:
            return _ocsf(line)
        case AuditFormat.JSON:
            return dict(line)


def read_line(event: Mapping[str, Any]) -> "AuditLine":
    """Return the line in an event of any of the formats.

    Raises:
        ValueError: there is none.
    """
    from vestibule.contracts.audit import AuditLine

    inside = event.get("vestibule", {}).get("audit") if "vestibule" in event else event.get("unmapped", event)
    return AuditLine.model_validate(inside)


def _ecs(line: Mapping[str, Any]) -> dict[str, Any]:
    is_of_tokens = str(line["act"]).startswith(("token", "key", "secret"))
    event = {
        "kind": "event",
        "category": ["iam" if is_of_tokens else "configuration"],
        "type": [_kind_of(line)[0]],
        "action": line["act"],
        "outcome": _ECS_OUTCOMES.get(line["outcome"], "failure"),
        "id": line["act_id"],
        "sequence": line["seq"],
        "hash": line["hash"],
        "provider": "vestibule",
        "dataset": "vestibule.audit",
        "reason": line.get("reason"),
    }
    return {
        "@timestamp": line["time"],
        "ecs": {"version": ECS_VERSION},
        "event": _present(event),
        "message": _message(line),
        "service": {"type": "vestibule", "name": line["service"]},
        "organization": {"id": line["tenant"]},
        **_group("user", id=line.get("token_id"), name=line.get("token_name")),
        **_group("error", type=line.get("problem")),
        **({"http": {"request": {"id": line["request_id"]}}} if line.get("request_id") else {}),
        "vestibule": {"audit": dict(line)},
    }


def _ocsf(line: Mapping[str, Any]) -> dict[str, Any]:
    _, activity, number = _kind_of(line)
    status_id, status = _OCSF_STATUS.get(line["outcome"], (2, "Failure"))
    user = _present({"uid": line.get("token_id"), "name": line.get("token_name")})
    api = {
        "operation": line["act"],
        "service": {"name": f"vestibule-{line['service']}"},
        **_group("request", uid=line.get("request_id")),
        **_group("response", error=line.get("problem")),
    }
    return {
        "activity_id": number,
        "activity_name": activity,
        "actor": {"user": user or {"name": "unknown"}},
        "api": api,
        "category_name": "Application Activity",
        "category_uid": 6,
        "class_name": "API Activity",
        "class_uid": API_ACTIVITY,
        "message": _message(line),
        "metadata": {
            "log_name": "vestibule.audit",
            "product": {"name": "Vestibule", "vendor_name": "Vestibule"},
            "sequence": line["seq"],
            "tenant_uid": line["tenant"],
            "uid": f"{line['act_id']}.{line['outcome']}",
            "version": OCSF_VERSION,
        },
        "severity": "Informational",
        "severity_id": 1,
        # Addresses of callers are not recorded.
        "src_endpoint": {"name": "not recorded"},
        "status": status,
        "status_id": status_id,
        **({"status_detail": line["problem"]} if line.get("problem") else {}),
        "time": int(datetime.fromisoformat(line["time"]).timestamp() * 1000),
        "type_name": f"API Activity: {activity}",
        "type_uid": API_ACTIVITY * 100 + number,
        "unmapped": dict(line),
    }


def _kind_of(line: Mapping[str, Any]) -> tuple[str, str, int]:
    return _KINDS.get(str(line["act"]).rpartition("_")[2], _OTHER)


def _message(line: Mapping[str, Any]) -> str:
    return f"{line['act']} {line['outcome']}" + (f": {line['target']}" if line.get("target") else "")


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _group(group: str, /, **members: Any) -> dict[str, Any]:
    present = _present(members)
    return {group: present} if present else {}
