"""Scopes: what each allows, the roles that bundle them, and which one every route of every service needs.

The one source of this: `vestibule token create`, the descriptions of the APIs and the tests read it, and
`docs/operations.md` repeats it. A new route is one line in `ROUTES`, a new scope one in `SCOPES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# The scope that shows the alerts, silences, heartbeats and maintenance windows of all tenants; `*` does not contain it.
OPERATOR = "operator"
# Every scope but `operator`, which has to be given by name.
ALL_SCOPES = "*"
# What a route needs that every token may call.
ANY_TOKEN = ""

# The scopes that a token can have, by name, with what each allows.
SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "add": "Write entries, and results by `write_to`: nobody writes a key without it.",
        "read": "Read entries, their versions and their changes.",
        "keys": "List keys.",
        "delete": "Delete entries.",
        "run": "Run tasks and see their results, which shows every stored value of the tenant; dead letters, schedules "
        "and processors.",
        "message": "Process a text that it sends; no entry is read or written.",
        "scan": "Scan texts; nothing is stored.",
        "guardrail": "Screen what goes to and comes from a language model; the policy decides, and nothing is stored.",
        "forms": "Send forms that the policy file defines, and nothing else: such a token may stand in a page.",
        "alerts": "Find, acknowledge and resolve alerts of the tenant, and silence them.",
        "queue": "See the queue and the workers.",
        "reveal": "Get the value behind a token of the policy's `tokenize` or a stand-in, and with `read` that of an "
        "entry; each use raises an alert.",
        "erase": "Erase all data of a subject within the tenant.",
        "find": "Find where a subject stands within the tenant; nothing is changed.",
        "records": "Get the record of processing activities.",
        "receipts": "Get signed receipts of decisions, and the keys that verify them.",
        "decisions": "Find, stream and count the decisions of the tenant.",
        "policy": "See the policy in force, and try drafts of it.",
        "allowances": "Let values of the tenant pass that were found by mistake.",
        "audit": "See who of the tenant did what.",
        "trace": "See all that happened to a request, task, decision, alert or job of the tenant, without any text.",
        "status": "See the parts and their availability, and heartbeats and maintenance windows of the tenant.",
        "heartbeat": "Send and delete heartbeats of the tenant.",
        "maintenance": "Add and end maintenance windows for heartbeats of the tenant.",
        "process": "Run a processor at the business logic service, where nothing is screened.",
        "tokens": "List, create, rotate and revoke tokens of the tenant; a token cannot give what it does not have.",
        OPERATOR: "Together with another scope: see and change what belongs to all tenants and to the system.",
    }
)
# Bundles of scopes for the usual roles.
ROLES: Mapping[str, frozenset[str]] = {
    # Builds and runs a program that sends data, and sees why it was refused.
    "developer": frozenset(
        {
            *("add", "read", "keys", "delete", "run", "message", "scan", "forms", "receipts", "status", "policy"),
            *("decisions", "trace"),
        }
    ),
    # Keeps the system working, and sees no data: `run` would show it.
    "on-call": frozenset(
        {*("alerts", "allowances", "decisions", "policy", "trace", "queue"), *("status", "heartbeat", "maintenance")}
    ),
    # Administers the installation for all tenants.
    "operator": frozenset(
        {
            *("alerts", "allowances", "audit", "decisions", "keys", "policy", "trace", "queue", "status", "heartbeat"),
            *("maintenance", "receipts", "tokens", OPERATOR),
        }
    ),
    # Answers requests of data subjects, and shows afterwards who did what.
    "privacy": frozenset(
        {
            *("erase", "find", "records", "reveal", "keys", "scan", "alerts", "allowances", "decisions", "policy"),
            *("receipts", "trace", "audit"),
        }
    ),
}

# What only services do with each other: the database service knows no token of a caller.
SERVICE_SCOPES: Mapping[str, str] = MappingProxyType(
    {"read": "Read what is stored, as a service.", "write": "Change what is stored, as a service."}
)
SERVICES_ONLY = frozenset({"database"})
# Routes of every service that need no token.
OPEN_ROUTES = frozenset(
    {
        *("get_health", "get_readiness", "get_metrics", "list_problem_types", "get_problem_type"),
        "get_presidio_health",
    }
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a route needs: a scope, and other scopes beside it, each with when; `""` is always."""

    scope: str
    beside: Mapping[str, str]


def _access(scope: str, **beside: str) -> Access:
    return Access(scope, MappingProxyType(beside))


_WRITES_TO = "for `write_to`"
_OF_ALL = "for those of all tenants"
_ALL_TENANTS = "with `all_tenants`"

# By service and operation id.
ROUTES: Mapping[str, Mapping[str, Access]] = MappingProxyType(
    {
        "client": {
            "add_entry": _access("add"),
            "add_entries": _access("add"),
            "read_entry": _access("read"),
            "read_entries": _access("read"),
            "get_entry_history": _access("read"),
            "watch_entries": _access("read"),
            "delete_entry": _access("delete"),
            "list_keys": _access("keys"),
            "submit_form": _access("forms"),
            "send_message": _access("message", add=_WRITES_TO),
            "run_task": _access("run", add=_WRITES_TO),
            "list_tasks": _access("run", operator=_ALL_TENANTS),
            "count_tasks": _access("run", operator=_ALL_TENANTS),
            "get_task": _access("run"),
            "cancel_task": _access("run"),
            "retry_task": _access("run"),
            "change_tasks": _access("run", operator=_ALL_TENANTS),
            "get_bulk_job": _access("run"),
            "list_dead_tasks": _access("run"),
            "retry_dead_task": _access("run"),
            "drop_dead_task": _access("run"),
            "get_webhook_key": _access("run"),
            "list_processors": _access("run"),
            "add_schedule": _access("run", add=_WRITES_TO),
            "list_schedules": _access("run"),
            "get_schedule": _access("run"),
            "delete_schedule": _access("run"),
            "pause_schedule": _access("run"),
            "resume_schedule": _access("run"),
            "run_schedule": _access("run", add=_WRITES_TO),
            "list_workers": _access("queue"),
            "get_queue": _access("queue"),
            "pause_queue": _access("queue", operator=""),
            "resume_queue": _access("queue", operator=""),
            "scan_text": _access("scan"),
            "analyze_text": _access("scan"),
            "anonymize_text": _access("scan"),
            "deanonymize_text": _access("scan"),
            "list_supported_entities": _access("scan"),
            "list_recognizers": _access("scan"),
            "list_anonymizers": _access("scan"),
            "list_deanonymizers": _access("scan"),
            "check_model_call": _access("guardrail"),
            "reveal_token": _access("reveal", read="for an entry"),
            "erase_subject": _access("erase"),
            "erase_subject_for_reason": _access("erase", find="for a dry run"),
            "find_subject": _access("find"),
            "get_find": _access("find"),
            "get_processing_record": _access("records"),
            "get_erasure": _access("erase"),
            "get_receipt_keys": _access("receipts"),
            "get_receipt": _access("receipts", operator=_OF_ALL),
            "list_decisions": _access("decisions", operator=_OF_ALL),
            "count_decisions": _access("decisions", operator=_OF_ALL),
            "get_decision_rates": _access("decisions", operator=_OF_ALL),
            "get_trace": _access("trace", operator=_OF_ALL),
            "list_alerts": _access("alerts", operator=_OF_ALL),
            "get_alert": _access("alerts", operator=_OF_ALL),
            "acknowledge_alert": _access("alerts", operator=_OF_ALL),
            "resolve_alert": _access("alerts", operator=_OF_ALL),
            "list_alert_groups": _access("alerts", operator=_OF_ALL),
            "get_alert_group": _access("alerts", operator=_OF_ALL),
            "acknowledge_alert_group": _access("alerts", operator=_OF_ALL),
            "resolve_alert_group": _access("alerts", operator=_OF_ALL),
            "list_silences": _access("alerts", operator=_OF_ALL),
            "add_silence": _access("alerts", operator=_OF_ALL),
            "get_silence": _access("alerts", operator=_OF_ALL),
            "change_silence": _access("alerts", operator=_OF_ALL),
            "end_silence": _access("alerts", operator=_OF_ALL),
            "list_channels": _access("alerts", operator=""),
            "send_channel_test": _access("alerts", operator=""),
            "get_own_token": _access(ANY_TOKEN),
            "list_tokens": _access("tokens", operator=_OF_ALL),
            "create_token": _access("tokens", operator=_OF_ALL),
            "rotate_token": _access("tokens", operator=_OF_ALL),
            "revoke_token": _access("tokens", operator=_OF_ALL),
            "get_policy": _access("policy", operator=_OF_ALL),
            "check_policy": _access("policy"),
            "test_policy": _access("policy"),
            "replay_policy": _access("policy", operator=_OF_ALL),
            "list_allowances": _access("allowances", operator=_OF_ALL),
            "add_allowance": _access("allowances", operator=_OF_ALL),
            "revoke_allowance": _access("allowances", operator=_OF_ALL),
            "list_audit_lines": _access("audit", operator=_OF_ALL),
            "get_audit_head": _access("audit", operator=""),
        },
        "database": {
            "write_entry": _access("write"),
            "write_entries": _access("write"),
            "write_independent_entries": _access("write"),
            "read_entry": _access("read"),
            "read_entries": _access("read"),
            "get_entry_history": _access("read"),
            "watch_entries": _access("read"),
            "delete_entry": _access("write"),
            "list_keys": _access("read"),
            "count_entry_encryption_keys": _access("read"),
            "reencrypt_entries": _access("write"),
            "count_task_encryption_keys": _access("read"),
            "reencrypt_tasks": _access("write"),
            "erase_subject_entries": _access("write"),
            "erase_subject_keys": _access("write"),
            "erase_subject_tasks": _access("write"),
            "accept_tasks": _access("write"),
            "find_tasks": _access("read"),
            "find_request_tasks": _access("read"),
            "claim_tasks": _access("write"),
            "count_unsent_tasks": _access("read"),
            "read_task_data": _access("read"),
            "change_tasks": _access("write"),
            "list_tasks": _access("read"),
            "count_tasks": _access("read"),
            "list_stored_tokens": _access("read"),
            "list_token_changes": _access("read"),
            "change_stored_token": _access("write"),
            "add_token_uses": _access("write"),
            "find_token_uses": _access("read"),
            "count_token_encryption_keys": _access("read"),
            "reencrypt_tokens": _access("write"),
            "get_store": _access("read"),
            "add_decisions": _access("write"),
            "get_file_positions": _access("read"),
            "find_decisions": _access("read"),
            "count_decisions": _access("read"),
            "list_decisions": _access("read"),
            "count_hits": _access("read"),
            "add_acts": _access("write"),
            "find_audit_lines": _access("read"),
            "get_audit_head": _access("read"),
            "erase_subject_reasons": _access("write"),
        },
        "business_logic": {
            "process_data": _access("process"),
        },
        "scheduler": {
            "get_status": _access("status"),
            "get_status_page": _access("status"),
            "get_badge": _access("status"),
            "list_heartbeats": _access("status", operator=_OF_ALL),
            "ping_heartbeat": _access("heartbeat"),
            "start_heartbeat": _access("heartbeat"),
            "fail_heartbeat": _access("heartbeat"),
            "delete_heartbeat": _access("heartbeat"),
            "list_maintenance_windows": _access("status", operator=_OF_ALL),
            "add_maintenance_window": _access("maintenance", operator="for a part, which all tenants share"),
            "end_maintenance_window": _access("maintenance", operator=_OF_ALL),
        },
    }
)
