"""The client library has a method for each operation, a result for each answer, and loads little."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import pytest
from fastapi import FastAPI

from vestibule.client import unasync
from vestibule.client.decoding import MEMBER, Result
from vestibule.client.operations import CLIENT, OPERATIONS, SCHEDULER, Operation, Repeat
from vestibule.contracts.scopes import OPEN_ROUTES, ROUTES

ROOM = Path(unasync.__file__).parent
RESULTS = sorted(path.stem for path in (ROOM / "results").glob("[a-z]*.py"))
# The schema of a result, where it has another name, or more than the ending `View`.
SCHEMAS = {
    "SubmittedForm": "FormReply",
    "AddedEntries": "AddBatchReply",
    "AddedEntry": "AddReply",
    "AddedSchedule": "ScheduleAdded",
    "AlertGroup": "GroupSummaryView",
    "AlertGroupDetail": "GroupView",
    "AlertGroupPage": "GroupList",
    "AlertPage": "AlertList",
    "AuditHead": "SignedHead",
    "BatchScan": "BatchScanReply",
    "BulkJob": "BulkStatus",
    "ChannelRoute": "RouteView",
    "Decision": "DecisionRecord",
    "DeletedEntry": "Deleted",
    "DeletedHeartbeat": "HeartbeatDeleted",
    "DeletedSchedule": "ScheduleDeleted",
    "Delivery": "DeliveryView",
    "ErasedCounts": "ErasedReply",
    "Erasure": "ErasureStatus",
    "Finding": "ExplainedFinding",
    "FindingReasons": "Reasons",
    "GroupChange": "ChangeView",
    "Heartbeat": "HeartbeatStatus",
    "KeptEntries": "Kept",
    "PauseChange": "PauseChanged",
    "PolicyRule": "RuleView",
    "PolicyState": "PolicyView",
    "ProblemType": "ProblemDescription",
    "ProblemTypes": "ProblemList",
    "ProcessingActivity": "Activity",
    "Receipt": "ReceiptReply",
    "Replay": "ReplayReply",
    "RetentionRule": "RetentionView",
    "RevealedValue": "Revealed",
    "SampleRun": "SampleRunReply",
    "Scan": "ScanReply",
    "SilencedDelivery": "SilencedView",
    "SubjectSearch": "FindStatus",
    "SystemStatus": "Status",
    "Task": "TaskStatus",
    "TokenPage": "TokenList",
}
# Events of streams, which no description has as schemas.
EVENTS = {"EntryChange", "MissedDecisions", "SampledDecisions"}
# Answers that have no result of their own: a finding without reasons is one with them.
WITHIN_OTHERS = {"FindingView"}
# The interface of another project, for the clients that it has. This one has `scan`.
OF_OTHER_CLIENTS = {
    *("analyze_text", "anonymize_text", "deanonymize_text", "list_supported_entities", "list_recognizers"),
    *("list_anonymizers", "list_deanonymizers", "get_presidio_health", "check_model_call"),
}
SERVICES = {"client": CLIENT, "scheduler": SCHEDULER}


def _described(app: FastAPI) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_in_the_client(service: str, apps: dict[str, FastAPI]) -> None:
    """A new route needs a method: the client has each operation of a description, by method and path."""
    described = {
        name: (method, path)
        for name, method, path, _ in _described(apps[service])
        if (service == "client" or name not in OPEN_ROUTES) and name not in OF_OTHER_CLIENTS
    }
    assert set(ROUTES[service]) - OF_OTHER_CLIENTS <= set(described)
    assert described == {name: (one.method, one.path) for name, one in SERVICES[service].items()}


def _called() -> dict[str, set[str]]:
    """Return the operation ids that each module of resources calls."""
    found: dict[str, set[str]] = {}
    for path in (ROOM / "asynchronous").glob("*.py"):
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        found[path.stem] = {word for word in words if isinstance(word, str)} & set(OPERATIONS)
    return found


def test_every_operation_has_a_method() -> None:
    """Each is called by one module of resources."""
    called = [name for names in _called().values() for name in names]
    assert sorted(OPERATIONS) == sorted(called)


def test_what_takes_an_idempotency_key_gets_one(apps: dict[str, FastAPI]) -> None:
    """Those, and no others; what is repeated without a key changes nothing more."""
    takes_key = {
        name
        for name, _, _, operation in _described(apps["client"])
        if any(one["name"] == "idempotency-key" for one in operation.get("parameters", ()))
    }
    assert takes_key == {name for name, one in OPERATIONS.items() if one.repeat is Repeat.KEYED}
    repeated = {name for name, one in OPERATIONS.items() if one.repeat is Repeat.ALWAYS and one.method == "POST"}
    assert repeated == {
        *("read_entries", "scan_text", "check_policy", "test_policy", "replay_policy"),
        *("acknowledge_alert", "acknowledge_alert_group", "pause_queue", "resume_queue"),
        *("ping_heartbeat", "start_heartbeat", "fail_heartbeat"),
    }


def test_the_synchronous_client_is_made_of_the_other() -> None:
    """`python -m vestibule.client.unasync` was run after the last change of `asynchronous/`."""
    made = unasync.synchronous_modules()
    assert len(made) > 10
    assert made == {path.name: path.read_text() for path in unasync.TARGET.glob("*.py")}
    left = {
        name for name, text in made.items() if re.search(r"\b(async (def|with|for)|await |asyncio|Async[A-Z])", text)
    }
    assert set() == left


def _results() -> dict[str, type[Result]]:
    found = {}
    for name in RESULTS:
        module = import_module(f"vestibule.client.results.{name}")
        found |= {
            kind.__name__: kind
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, Result) and kind.__module__ == module.__name__
        }
    return found


def _schemas(apps: dict[str, FastAPI]) -> dict[str, dict[str, Any]]:
    return {
        name: schema
        for service in ("scheduler", "client")
        for name, schema in apps[service].openapi()["components"]["schemas"].items()
    }


def _schema_of(result: str, schemas: dict[str, Any]) -> str:
    return SCHEMAS.get(result) or (result if result in schemas else f"{result}View")


def _answered(apps: dict[str, FastAPI]) -> set[str]:
    """Return the schemas of JSON objects that answers have, with those within."""
    schemas, waiting, found = _schemas(apps), [], set()
    for service in SERVICES:
        for name, *_, operation in _described(apps[service]):
            if name in OPERATIONS:
                waiting += [one for status, one in operation["responses"].items() if status.startswith("2")]
    while waiting:
        for name in re.findall(r"'#/components/schemas/(\w+)'", str(waiting.pop())):
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return {name for name in found if "properties" in schemas[name]}


def test_every_answer_has_a_result(apps: dict[str, FastAPI]) -> None:
    """Each schema that an answer has is one class of results, and each class is one of those."""
    schemas, results = _schemas(apps), _results()
    assert EVENTS < results.keys()
    made = [_schema_of(name, schemas) for name in results if name not in EVENTS]
    assert sorted(_answered(apps) - WITHIN_OTHERS) == sorted(made)


def _kinds(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return a schema as the type that a result has for it, with the names of schemas as they are."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name if "properties" in schemas[name] else "str"
    if "anyOf" in schema:
        return frozenset(_kinds(one, schemas) for one in schema["anyOf"])
    if schema["type"] == "array":
        return ("list", _kinds(schema["items"], schemas))
    if schema["type"] == "object":
        values = schema.get("additionalProperties", True)
        return ("dict", _kinds(values, schemas) if isinstance(values, dict) else "Any")
    if schema["type"] == "string":
        return "datetime" if schema.get("format") == "date-time" else "str"
    return {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}[schema["type"]]


def _types(kind: Any, schemas: dict[str, Any]) -> Any:
    """Return the type of a field of a result in the same form."""
    if isinstance(kind, UnionType):
        return frozenset(_types(one, schemas) for one in get_args(kind))
    if get_origin(kind) in (list, dict):
        return (get_origin(kind).__name__, _types(get_args(kind)[-1], schemas))
    if kind in (NoneType, Any, datetime, str, int, float, bool):
        return {NoneType: "None", Any: "Any"}.get(kind) or kind.__name__
    return _schema_of(kind.__name__, schemas)


# Why a type differs from that of the description.
OTHER_TYPES = {
    "Scan.findings": "findings without reasons have the type of those with reasons",
    "Finding.because": "absent unless it was asked for",
    "BatchScan.results": "what the policy would do is asked for of one text",
    "SampleOutcome.outcome": "one of two kinds of words",
}


def _faults(name: str, result: type[Result], schemas: dict[str, Any]) -> list[str]:
    schema = schemas[_schema_of(name, schemas)]
    own = {one.metadata.get(MEMBER, one.name): one for one in fields(result) if one.name != "raw"}
    wanted = schema["properties"]
    required = {member for member, one in own.items() if one.default is one.default_factory}
    differing = {
        member
        for member in own.keys() & wanted.keys()
        if f"{name}.{member}" not in OTHER_TYPES
        and _types(own[member].type, schemas) != _kinds(wanted[member], schemas)
    }
    return sorted({*(own.keys() ^ wanted.keys()), *(required - {*schema.get("required", ())}), *differing})


def test_a_result_has_the_members_of_its_schema(apps: dict[str, FastAPI]) -> None:
    """With the same names and types; what an answer may leave out has a default."""
    schemas = _schemas(apps)
    results = {name: kind for name, kind in _results().items() if name not in EVENTS}
    assert len(results) > 50
    faults = {name: _faults(name, kind, schemas) for name, kind in results.items()}
    assert {} == {name: members for name, members in faults.items() if members}


def test_no_text_of_a_result_shows_data() -> None:
    """Values, results and tokens are in no `repr`, which ends in logs."""
    hidden = {f"{name}.{one.name}" for name, kind in _results().items() for one in fields(kind) if not one.repr} - {
        f"{name}.raw" for name in _results()
    }
    assert {
        *("Entry.value", "Revision.value", "Task.result", "MessageReply.reply", "WebhookKey.key"),
        *("CreatedToken.token", "RevealedTexts.texts", "RevealedValue.value", "TreatedScan.text"),
    } == hidden


def _loaded(program: str) -> set[str]:
    """Return the modules that a program has loaded at its end."""
    code = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_the_library_loads_nothing() -> None:
    """The command line answers at once: HTTP, dataclasses and the resources are loaded when they are used first."""
    loaded = _loaded("import vestibule.client") - _loaded("")
    assert {"vestibule", "vestibule.client"} == loaded


def test_a_client_loads_what_it_uses() -> None:
    """One resource is loaded, and of httpx nothing that only its command line needs."""
    loaded = _loaded("from vestibule.client import Client\nwith Client('http://127.0.0.1:9') as one:\n    one.entries")
    assert {"httpx", "vestibule.client.synchronous.entries"} <= loaded
    assert set() == loaded & {"click", "rich", "pygments", "pydantic", "fastapi", "asyncio", "httpx._main"}
    resources = {name for name in loaded if name.startswith("vestibule.client.results.")}
    assert {"vestibule.client.results.entries", "vestibule.client.results.findings"} == resources


def test_operations_are_few_words() -> None:
    """An operation is of one service, and the scheduler's are marked."""
    assert {True} == {one.is_of_scheduler for one in SCHEDULER.values()}
    assert Operation("GET", "/read", Repeat.ALWAYS) == CLIENT["read_entry"]
