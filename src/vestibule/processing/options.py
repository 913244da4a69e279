"""Validates the options of a processor, with error messages that do not repeat the input."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from vestibule.contracts.errors import InvalidInput

MAX_MISTAKES = 10
Place = tuple[str | int, ...]


def read_options(model: type[BaseModel], given: Mapping[str, Any], place: Place) -> BaseModel:
    """Return options as their model.

    Raises:
        InvalidInput: they are not valid; `errors` says where, beneath `place`.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        known = _names_of(model)
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_MISTAKES]
        raise refuse([_describe(mistake, known, place) for mistake in mistakes]) from None


def refuse_option(place: Place, kind: str, expected: str) -> InvalidInput:
    """Return the refusal of one option."""
    return refuse([{"where": "/".join(map(str, place)), "kind": kind, "expected": expected}])


def refuse(mistakes: list[dict[str, str]]) -> InvalidInput:
    """Return the refusal of options with these mistakes."""
    places = ", ".join(sorted({mistake["where"] for mistake in mistakes}))
    return InvalidInput(f"The processor options are not valid. Check: {places}.", errors=mistakes)


def _describe(mistake: Mapping[str, Any], known: frozenset[str], place: Place) -> dict[str, str]:
    # A name that the caller made up could hold anything.
    where = [part for part in mistake["loc"] if isinstance(part, int) or part in known]
    is_extra = mistake["type"] == "extra_forbidden"
    expected = "no options but the documented ones" if is_extra else str(mistake["msg"]).removeprefix("Value error, ")
    return {"where": "/".join(map(str, (*place, *where))), "kind": mistake["type"], "expected": expected}


def _names_of(model: type[BaseModel]) -> frozenset[str]:
    schema = model.model_json_schema()
    kinds = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for kind in kinds for name in kind.get("properties", ()))
