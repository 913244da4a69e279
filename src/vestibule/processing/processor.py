"""The interface of a processor, and the validation of its options.

To add a processor, add a module to `processors/` that defines `PROCESSOR`. For an operator's own see `registry`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from vestibule.contracts.errors import InvalidInput
from vestibule.processing.ports import Job

MAX_MISTAKES = 10
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """An input text, its result and the options."""

    data: str
    result: str
    options: Mapping[str, Any] = field(default_factory=dict)


Examples = Sequence[tuple[str, str] | Example]


class _Described(Protocol):
    @property
    def name(self) -> str:
        """The name by which callers select it."""
        ...

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        ...

    @property
    def examples(self) -> Examples:
        """Inputs and their results; the conformance test runs them all."""
        ...


class Processor(_Described, Protocol):
    """Transforms a text. It is stateless, so that any worker can run and retry it.

    It raises an error of `MAY_PASS` if a retry may succeed, and one of `CannotProcess` if not. An optional attribute
    `time_limit_s` limits its run time, in addition to the limit of the workers.
    """

    def process(self, data: str) -> str:
        """Return the result for `data`."""
        ...


class Options(BaseModel):
    """Base of the options of a processor: immutable, and without undeclared members."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfigurableProcessor(_Described, Protocol):
    """A processor that takes options or uses ports.

    An optional method `refusal_of(options, context, place)` checks valid options against the ports, and raises
    `InvalidInput` if they cannot be used here.
    """

    @property
    def options(self) -> type[BaseModel]:
        """The model of its options, which are validated when a request arrives."""
        ...

    def process(self, data: str, options: Any, job: Job) -> str:
        """Return the result for `data`, with options of its model."""
        ...


AnyProcessor = Processor | ConfigurableProcessor


def examples_of(processor: AnyProcessor) -> Iterator[Example]:
    """Yield the examples of a processor, all in the same form."""
    for example in processor.examples:
        yield example if isinstance(example, Example) else Example(*example)


def read_options(model: type[BaseModel], given: Mapping[str, Any], place: Place) -> BaseModel:
    """Return options as their model.

    Raises:
        InvalidInput: they are invalid; `errors` has the places below `place` and repeats no value.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        known = _names_of(model)
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_MISTAKES]
        raise _refuse([_describe(mistake, known, place) for mistake in mistakes]) from None


def refuse_option(place: Place, kind: str, expected: str) -> InvalidInput:
    """Return the error about one option."""
    return _refuse([{"where": "/".join(map(str, place)), "kind": kind, "expected": expected}])


def _refuse(mistakes: list[dict[str, str]]) -> InvalidInput:
    places = ", ".join(sorted({mistake["where"] for mistake in mistakes}))
    return InvalidInput(f"The processor options are not valid. Check: {places}.", errors=mistakes)


def _describe(mistake: Mapping[str, Any], known: frozenset[str], place: Place) -> dict[str, str]:
    # A name that the caller invented could contain anything, so it is left out.
    where = [part for part in mistake["loc"] if isinstance(part, int) or part in known]
    is_extra = mistake["type"] == "extra_forbidden"
    expected = "documented options only" if is_extra else str(mistake["msg"]).removeprefix("Value error, ")
    return {"where": "/".join(map(str, (*place, *where))), "kind": mistake["type"], "expected": expected}


def _names_of(model: type[BaseModel]) -> frozenset[str]:
    schema = model.model_json_schema()
    kinds = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for kind in kinds for name in kind.get("properties", ()))
