"""Requests are what the API describes: numbers within bounds, cursors by a pattern, members that exclude each other."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import jsonschema
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from vestibule.client_service.api.administration.tokens import TokenRequest
from vestibule.client_service.api.scanning.scan import ScanRequest
from vestibule.client_service.api.silences import SilenceRequest
from vestibule.client_service.intake.work import Message
from vestibule.client_service.task_service.schedule_service import ScheduleRequest
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.task_ledger import NewTask
from vestibule.processing import ProcessorRegistry, model_of

# What must not be taken for a number or for a truth value.
WRONG: dict[type, tuple[Any, ...]] = {
    int: (True, False, "1", 1.5, 10**30, -(10**30)),
    float: (True, False, "1", float("inf"), float("nan"), 1e300, -1e300, 10**400),
    bool: (0, 1, 0.0, "true", "yes", "1"),
}
NEW_TASK = {"task_id": "a", "tenant": "t1", "processor": "uppercase", "submitted_at": 0, "due_in_s": 0}


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield a model and all models within it, or those within a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _models(field.annotation)
    for part in get_args(kind):
        yield from _models(part)


def _bodies(dependant: Dependant) -> Iterator[Any]:
    for parameter in dependant.body_params:
        yield parameter.field_info.annotation
    for part in dependant.dependencies:
        yield from _bodies(part)


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        if hasattr(route, "dependant"):
            yield route
        for within in ("routes", "original_router"):
            inner = getattr(route, within, None)
            yield from _routes(getattr(inner, "routes", inner) or ())


def _request_models(apps: dict[str, FastAPI]) -> set[type[BaseModel]]:
    """Return every model that a route reads from JSON, and the options of every processor."""
    bodies = [body for app in apps.values() for route in _routes(app.routes) for body in _bodies(route.dependant)]
    registry = ProcessorRegistry.discover()
    return {model for kind in (*bodies, *map(model_of, map(registry.find, registry.names))) for model in _models(kind)}


def _scalars(kind: Any) -> set[type]:
    return {kind} if kind in WRONG else {scalar for part in get_args(kind) for scalar in _scalars(part)}


def _wrongly_taken(field: FieldInfo) -> Iterator[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, *field.metadata, None])
    for value in [value for kind in _scalars(field.annotation) for value in WRONG[kind]]:
        try:
            adapter.validate_python(value)
        except ValidationError:
            continue
        yield value


def test_numbers_and_truth_values_are_not_converted(apps: dict[str, FastAPI]) -> None:
    """`false` is no version 0, `"yes"` is not true, and 10^30 fits into no store: each such value is refused."""
    models = _request_models(apps)
    assert {"Pair", "BatchPair", "NewTask", "TaskChange", "Message", "SilenceRequest"} < {
        one.__name__ for one in models
    }
    fields = [(model, name, field) for model in models for name, field in model.model_fields.items()]
    checked = {(model.__name__, name) for model, name, field in fields if _scalars(field.annotation)}
    assert {("BatchPair", "expected_version"), ("TaskChange", "keep_s"), ("ScanRequest", "explain")} < checked
    taken = {f"{model.__name__}.{name}": list(_wrongly_taken(field)) for model, name, field in fields}
    assert {} == {name: values for name, values in taken.items() if values}


def test_every_cursor_has_a_pattern(apps: dict[str, FastAPI]) -> None:
    """A cursor is checked before a store sees it; one of tasks fits into 64 bits."""
    cursors = {
        f"{service} {method} {path}": one
        for service, app in apps.items()
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        for one in operation.get("parameters", ())
        if one["name"] == "cursor"
    }
    assert {"client get /tasks", "client get /dead", "client get /keys", "client get /alerts"} < cursors.keys()
    for operation, cursor in cursors.items():
        schema = next(iter(cursor["schema"].get("anyOf", [cursor["schema"]])))
        pattern = cursor["schema"].get("pattern") or schema.get("pattern")
        assert pattern, operation
        if "/tasks" in operation or "/dead" in operation:
            assert re.search(pattern, cursor["example"]), operation
            assert not re.search(pattern, "9" * 20), operation


@pytest.mark.parametrize(
    ("model", "rest", "first", "second", "needs_one"),
    [
        (ScanRequest, {}, {"text": "a"}, {"texts": ["a"]}, True),
        (ScheduleRequest, {"text": "a"}, {"cron": "* * * * *"}, {"every_s": 5}, True),
        (NewTask, NEW_TASK, {"data": "a"}, {"key": "a"}, True),
        (Message, {"text": "a"}, {"delay_s": 5}, {"run_at": "2026-01-31T12:00:00Z"}, False),
    ],
)
def test_the_schema_says_which_members_exclude_each_other(
    model: type[BaseModel], rest: dict[str, Any], first: dict[str, Any], second: dict[str, Any], needs_one: bool
) -> None:
    """One of two is valid, both are not, and null is as good as absent."""
    validator = jsonschema.Draft202012Validator(model.model_json_schema())
    absent = dict.fromkeys(second)
    assert validator.is_valid({**rest, **first})
    assert validator.is_valid({**rest, **second})
    assert validator.is_valid({**rest, **first, **absent})
    assert not validator.is_valid({**rest, **first, **second})
    assert needs_one != validator.is_valid(rest)


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield key
            yield from _keys(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _keys(inner)


def test_every_bound_is_in_the_description(apps: dict[str, FastAPI]) -> None:
    """A bound in the wrong place is `ge` there, which no JSON Schema knows, and not `minimum`."""
    misplaced = {service: {"ge", "le", "gt", "lt"} & set(_keys(app.openapi())) for service, app in apps.items()}
    assert misplaced == {service: set() for service in ("client", "database", "business_logic", "scheduler")}


@pytest.mark.parametrize("everything", [{}, {"all": False}, {"all": True}], ids=str)
@pytest.mark.parametrize("matcher", [{}, {"type": None}, {"type": "Secret"}, {"entity": "EMAIL_ADDRESS"}], ids=str)
def test_a_silence_is_for_all_or_has_a_matcher(matcher: dict[str, Any], everything: dict[str, Any]) -> None:
    """The description and the service agree."""
    body = {"reason": "a drill", "hours": 1, **matcher, **everything}
    try:
        is_taken = bool(SilenceRequest.model_validate(body))
    except ValidationError:
        is_taken = False
    assert is_taken == jsonschema.Draft202012Validator(SilenceRequest.model_json_schema()).is_valid(body)
    assert is_taken == (any(matcher.values()) != everything.get("all", False))


@pytest.mark.parametrize("scopes", [[], ["add"]], ids=str)
@pytest.mark.parametrize("role", [{}, {"role": None}, {"role": "developer"}], ids=str)
def test_a_token_has_scopes_or_a_role(role: dict[str, Any], scopes: list[str]) -> None:
    """The description says so, as the service does."""
    body = {"name": "importer", "scopes": scopes, **role}
    is_described = jsonschema.Draft202012Validator(TokenRequest.model_json_schema()).is_valid(body)
    try:
        is_taken = bool(TokenRequest.model_validate(body).terms().scopes)
    except InvalidInput:
        is_taken = False
    assert is_taken == is_described
