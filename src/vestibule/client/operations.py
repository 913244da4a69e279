"""Every operation of the services that the client calls: method, path, and whether it may be repeated.

A house test holds it to the descriptions of the services, and every operation to a method of a resource.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Repeat(Enum):
    """When a request may be sent again after the first may have arrived."""

    # It changes nothing, or a repetition changes nothing more.
    ALWAYS = "always"
    # With an `Idempotency-Key`, which the client makes.
    KEYED = "keyed"
    # Only after an answer which says that nothing was done.
    NEVER = "never"


class Operation(NamedTuple):
    """An operation of a service."""

    method: str
    path: str
    repeat: Repeat
    is_of_scheduler: bool = False


def _get(path: str) -> Operation:
    return Operation("GET", path, Repeat.ALWAYS)


def _delete(path: str) -> Operation:
    return Operation("DELETE", path, Repeat.ALWAYS)


def _keyed(path: str) -> Operation:
    return Operation("POST", path, Repeat.KEYED)


def _post(path: str) -> Operation:
    return Operation("POST", path, Repeat.NEVER)


def _pure(path: str) -> Operation:
    return Operation("POST", path, Repeat.ALWAYS)


CLIENT: Mapping[str, Operation] = {
    "add_entry": _keyed("/add"),
    "add_entries": _post("/add/batch"),
    "read_entry": _get("/read"),
    "read_entries": _pure("/read/batch"),
    "get_entry_history": _get("/history"),
    "watch_entries": _get("/watch"),
    "delete_entry": _delete("/delete"),
    "list_keys": _get("/keys"),
    "submit_form": _keyed("/forms/{name}"),
    "send_message": _keyed("/messages"),
    "run_task": _keyed("/run"),
    "list_tasks": _get("/tasks"),
    "count_tasks": _get("/tasks/counts"),
    "get_task": _get("/tasks/{task_id}"),
    "cancel_task": _keyed("/tasks/{task_id}/cancel"),
    "retry_task": _keyed("/tasks/{task_id}/retry"),
    "change_tasks": _post("/tasks/bulk"),
    "get_bulk_job": _get("/tasks/bulk/{job_id}"),
    "list_dead_tasks": _get("/dead"),
    "retry_dead_task": _keyed("/dead/{task_id}/retry"),
    "drop_dead_task": _delete("/dead/{task_id}"),
    "get_webhook_key": _get("/callbacks/key"),
    "list_processors": _get("/processors"),
    "add_schedule": _keyed("/schedules"),
    "list_schedules": _get("/schedules"),
    "get_schedule": _get("/schedules/{schedule_id}"),
    "delete_schedule": _delete("/schedules/{schedule_id}"),
    "pause_schedule": _keyed("/schedules/{schedule_id}/pause"),
    "resume_schedule": _keyed("/schedules/{schedule_id}/resume"),
    "run_schedule": _keyed("/schedules/{schedule_id}/run"),
    "list_workers": _get("/workers"),
    "get_queue": _get("/queue"),
    "pause_queue": _pure("/queue/pause"),
    "resume_queue": _pure("/queue/resume"),
    "scan_text": _pure("/scan"),
    "reveal_token": _post("/reveal"),
    "erase_subject": _delete("/subjects"),
    "erase_subject_for_reason": _post("/subjects/erase"),
    "find_subject": _post("/subjects/find"),
    "get_find": _get("/subjects/finds/{find_id}"),
    "get_processing_record": _get("/records-of-processing"),
    "get_erasure": _get("/subjects/erasures/{erasure_id}"),
    "get_receipt_keys": _get("/receipts/key"),
    "get_receipt": _get("/receipts/{decision_id}"),
    "list_decisions": _get("/decisions"),
    "count_decisions": _get("/decisions/counts"),
    "get_decision_rates": _get("/decisions/rates"),
    "get_trace": _get("/trace/{trace_id}"),
    "list_alerts": _get("/alerts"),
    "get_alert": _get("/alerts/{alert_id}"),
    "acknowledge_alert": _pure("/alerts/{alert_id}/ack"),
    "resolve_alert": _post("/alerts/{alert_id}/resolve"),
    "list_alert_groups": _get("/alert-groups"),
    "get_alert_group": _get("/alert-groups/{group_id}"),
    "acknowledge_alert_group": _pure("/alert-groups/{group_id}/ack"),
    "resolve_alert_group": _post("/alert-groups/{group_id}/resolve"),
    "list_silences": _get("/silences"),
    "add_silence": _post("/silences"),
    "get_silence": _get("/silences/{silence_id}"),
    "change_silence": Operation("PATCH", "/silences/{silence_id}", Repeat.ALWAYS),
    "end_silence": _delete("/silences/{silence_id}"),
    "list_channels": _get("/channels"),
    "send_channel_test": _post("/channels/{name}/test"),
    "get_own_token": _get("/tokens/self"),
    "list_tokens": _get("/tokens"),
    "create_token": _post("/tokens"),
    "rotate_token": _post("/tokens/{token_id}/rotate"),
    "revoke_token": _delete("/tokens/{token_id}"),
    "get_policy": _get("/policy"),
    "check_policy": _pure("/policy/check"),
    "test_policy": _pure("/policy/test"),
    "replay_policy": _pure("/policy/replay"),
    "list_allowances": _get("/allowances"),
    "add_allowance": _post("/allowances"),
    "revoke_allowance": _delete("/allowances/{allowance_id}"),
    "list_audit_lines": _get("/audit"),
    "get_audit_head": _get("/audit/head"),
    # Those that need no token.
    "get_health": _get("/health"),
    "get_readiness": _get("/readyz"),
    "get_metrics": _get("/metrics"),
    "list_problem_types": _get("/problems"),
    "get_problem_type": _get("/problems/{name}"),
}
SCHEDULER: Mapping[str, Operation] = {
    name: one._replace(is_of_scheduler=True)
    for name, one in {
        "get_status": _get("/status"),
        "get_status_page": _get("/status/page"),
        "get_badge": _get("/status/badge/{part}.svg"),
        "list_heartbeats": _get("/heartbeats"),
        "ping_heartbeat": _pure("/heartbeats/{name}"),
        "start_heartbeat": _pure("/heartbeats/{name}/start"),
        "fail_heartbeat": _pure("/heartbeats/{name}/fail"),
        "delete_heartbeat": _delete("/heartbeats/{name}"),
        "list_maintenance_windows": _get("/maintenance"),
        "add_maintenance_window": _post("/maintenance"),
        "end_maintenance_window": _delete("/maintenance/{window_id}"),
    }.items()
}
OPERATIONS: Mapping[str, Operation] = {**CLIENT, **SCHEDULER}
