"""The interface of a processor. To add one, add a module to `processors/` that offers a `PROCESSOR`.

An operator's own stand in a folder (`VESTIBULE_PROCESSORS_DIR`) or in an installed package; see `catalogue`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

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
