"""The operation ids of the OpenAPI descriptions: a generated client uses them as the names of its methods."""

import re
from collections import Counter

from fastapi import FastAPI

VERBS = """
    accept acknowledge add analyze anonymize cancel change check claim count create deanonymize delete drop end
    erase fail find get list pause ping process read reencrypt replay resolve resume retry reveal revoke rotate
    run scan send start submit test watch write
"""


def _operation_ids(app: FastAPI) -> list[str]:
    paths = app.openapi()["paths"].values()
    operation_ids = [operation["operationId"] for methods in paths for operation in methods.values()]
    assert operation_ids
    return operation_ids


def test_operation_ids_are_unique_within_a_service(apps: dict[str, FastAPI]) -> None:
    """Two operations with one id would be one method of a client."""
    counts = {service: Counter(_operation_ids(app)) for service, app in apps.items()}
    assert 4 == len(counts)
    assert [] == [(service, name) for service, ids in counts.items() for name, count in ids.items() if count > 1]


def test_operation_ids_are_a_verb_and_a_noun(apps: dict[str, FastAPI]) -> None:
    """In snake case, such as `add_entry`; the HTTP method, which the framework appends by default, is not in them."""
    names = [name for app in apps.values() for name in _operation_ids(app)]
    assert names
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name), name
        assert name.partition("_")[0] in VERBS.split(), name
        assert not re.search(r"_(get|post|put|patch|delete)$", name), name


def test_the_operation_ids_of_the_client_service_stay(apps: dict[str, FastAPI]) -> None:
    """Client libraries depend on them, so a change here breaks callers."""
    expected = """
        acknowledge_alert acknowledge_alert_group add_allowance add_entries add_entry add_schedule add_silence
        analyze_text anonymize_text cancel_task change_silence change_tasks check_model_call check_policy
        count_decisions count_tasks create_token deanonymize_text delete_entry delete_schedule drop_dead_task
        end_silence
        erase_subject erase_subject_for_reason find_subject get_alert get_alert_group get_audit_head
        get_bulk_job get_decision_rates get_entry_history get_erasure get_find get_health get_metrics
        get_own_token get_policy get_presidio_health get_problem_type get_processing_record get_queue
        get_readiness get_receipt get_receipt_keys get_schedule get_silence get_task get_trace get_webhook_key
        list_alert_groups list_alerts list_allowances list_anonymizers list_audit_lines list_channels
        list_dead_tasks list_deanonymizers list_decisions list_keys list_problem_types list_processors
        list_recognizers list_schedules list_silences list_supported_entities list_tasks list_tokens
        list_workers pause_queue pause_schedule read_entries read_entry replay_policy resolve_alert
        resolve_alert_group resume_queue resume_schedule retry_dead_task retry_task reveal_token
        revoke_allowance revoke_token rotate_token run_schedule run_task scan_text send_channel_test
        send_message submit_form test_policy watch_entries
    """
    assert sorted(expected.split()) == sorted(_operation_ids(apps["client"]))
