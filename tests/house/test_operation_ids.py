"""The operation ids of the OpenAPI descriptions: a generated client uses them as the names of its methods."""

import re
from collections import Counter

from fastapi import FastAPI

VERBS = """
    accept acknowledge add cancel change claim count delete drop end erase fail find get list ping process read
    reencrypt resolve retry reveal run scan send start watch write
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
        acknowledge_alert add_entries add_entry add_schedule add_silence cancel_task delete_entry
        delete_schedule drop_dead_task erase_subject get_alert get_entry_history get_erasure get_health get_metrics
        get_problem_type get_readiness get_receipt_keys get_task get_webhook_key list_alerts list_dead_tasks
        list_keys list_problem_types list_processors list_schedules list_silences list_tasks read_entries
        read_entry resolve_alert retry_dead_task retry_task reveal_token run_task scan_text send_message
        watch_entries
    """
    assert sorted(expected.split()) == sorted(_operation_ids(apps["client"]))
