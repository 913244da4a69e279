"""The models of request bodies take numbers for numbers alone, within bounds that every store keeps."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from vestibule.processing import ProcessorRegistry, model_of

# What must not be taken for a number or for a truth value.
WRONG: dict[type, tuple[Any, ...]] = {
    int: (True, False, "1", 1.5, 10**30, -(10**30)),
    float: (True, False, "1", float("inf"), float("nan"), 1e300, -1e300, 10**400),
    bool: (0, 1, 0.0, "true", "yes", "1"),
}


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
