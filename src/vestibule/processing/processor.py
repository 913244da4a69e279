"""The interface of a processor, and the validation of its options.

To add a processor, add a module to `processors/` that defines `PROCESSOR`. For an operator's own see `registry`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from vestibule.contracts.errors import InvalidInput
from vestibule.processing.ports import Job, ProcessorContext


@dataclass(frozen=True, slots=True)
class Example:
    """An input text, its result and the options."""

    data: str
    result: str
    options: Mapping[str, Any] = field(default_factory=dict)


Examples = Sequence[tuple[str, str] | Example]


class Processor(Protocol):
    """Transforms a text. It is stateless, so that any worker can run it, and retry it.

    It raises an error of `MAY_PASS` where the same may work at another time, and one of `CannotProcess` where it will
    not. It may have a `time_limit_s`, the longest that it may take; the workers have a limit of their own beside it.
    """

    @property
    def name(self) -> str:
        """How callers ask for it."""
        ...

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        ...

    @property
    def examples(self) -> Examples:
        """Texts and what becomes of them; the conformance test runs them all."""
        ...

    def process(self, data: str) -> str:
        """Return what becomes of `data`."""
        ...


class Options(BaseModel):
    """Base of the options of a processor: immutable, and without undeclared members."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfigurableProcessor(Protocol):
    """A processor that takes options or uses ports.

    It may have a method `refusal_of(options, means)`, which looks at options that are valid by themselves and raises
    `InvalidInput` where they cannot be followed here.
    """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def examples(self) -> Examples: ...

    @property
    def options(self) -> type[BaseModel]:
        """The model of its options, which are validated when a request comes in."""
        ...

    def process(self, data: str, options: Any, job: Job) -> str:
        """Return what becomes of `data`, with options of its model."""
        ...


AnyProcessor = Processor | ConfigurableProcessor


def examples_of(processor: AnyProcessor) -> Iterator[Example]:
    """Yield the examples of a processor, all in the same form."""
    for example in processor.examples:
        yield example if isinstance(example, Example) else Example(*example)


__all__ = [
    "AnyProcessor",
    "ConfigurableProcessor",
    "Example",
    "Examples",
    "Job",
    "Options",
    "Processor",
    "ProcessorContext",
    "examples_of",
]


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
