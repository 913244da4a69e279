"""The registry of processors: discovers them, validates their options and runs them.

Besides the built-in processors there are an operator's own, the Python files of a folder, and those of installed
packages, named by entry points. Each module defines a `PROCESSOR`, or several as `PROCESSORS`. An invalid one is
rejected while the registry is built.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Self, cast

from pydantic import BaseModel

from vestibule.contracts.errors import UnknownProcessor
from vestibule.processing import processors
from vestibule.processing.ports import (
    UNCONFIGURED,
    InvalidProcessor,
    Job,
    ProcessorContext,
    ProcessorExited,
    ResultNotText,
)
from vestibule.processing.processor import (
    AnyProcessor,
    ConfigurableProcessor,
    Example,
    Place,
    Processor,
    read_options,
    refuse_option,
)
from vestibule.runtime.plugins import CannotLoad, discover, load_folder, load_installed

KIND = "processors"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
PLACE: Place = ("body", "options")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where processors come from besides the built-in ones."""

    folder: Path | None = None
    has_installed: bool = True


BUILT_IN = Sources(has_installed=False)


def list_processors(sources: Sources = BUILT_IN) -> list[AnyProcessor]:
    """Return every processor, the built-in ones first.

    Raises:
        InvalidProcessor: an operator's own processor or one of a package is invalid.
    """
    found = [("vestibule", processor) for processor in discover(processors, "PROCESSOR").values()]
    try:
        found += _added(sources)
    except CannotLoad as error:
        raise InvalidProcessor(str(error)) from error
    return list(_named_once(found))


def _named_once(found: Iterable[tuple[str, AnyProcessor]]) -> Iterator[AnyProcessor]:
    origins: dict[str, str] = {}
    for origin, processor in found:
        if processor.name in origins:
            raise InvalidProcessor(f"{origin}: the name {processor.name} is taken by {origins[processor.name]}")
        origins[processor.name] = origin
        yield processor


def _added(sources: Sources) -> Iterator[tuple[str, AnyProcessor]]:
    """Yield an operator's own processors and those of packages, each with its origin."""
    for path, module in load_folder(sources.folder, KIND):
        yield from ((str(path), processor) for processor in _offered_by(module, str(path)))
    if sources.has_installed:
        for origin, offered in load_installed(KIND):
            given = _offered_by(offered, origin) if isinstance(offered, ModuleType) else (offered,)
            yield from ((origin, _checked(processor, origin)) for processor in given)


def _offered_by(module: ModuleType, origin: str) -> tuple[AnyProcessor, ...]:
    one = getattr(module, "PROCESSOR", None)
    offered = (one,) if one is not None else tuple(getattr(module, "PROCESSORS", ()))
    if not offered:
        raise InvalidProcessor(f"{origin} defines neither PROCESSOR nor PROCESSORS")
    return tuple(_checked(processor, origin) for processor in offered)


def _checked(processor: AnyProcessor, origin: str) -> AnyProcessor:
    lack = _lack_of(processor)
    if lack is not None:
        raise InvalidProcessor(f"{origin}: {lack}")
    return processor


def _lack_of(processor: object) -> str | None:
    """Return why an object is not a valid processor; None if it is."""
    if isinstance(processor, type):
        return "a processor is an instance; this is a class"
    name, options = getattr(processor, "name", None), getattr(processor, "options", None)
    examples = getattr(processor, "examples", None)
    holds = {
        "`name` must be 1 to 64 lower-case letters, digits and _, starting with a letter": (
            isinstance(name, str) and NAME.fullmatch(name) is not None
        ),
        f"{name} has no `description`": isinstance(getattr(processor, "description", None), str),
        f"{name} has no method `process`": callable(getattr(processor, "process", None)),
        f"`options` of {name} must be a pydantic model": (
            options is None or (isinstance(options, type) and issubclass(options, BaseModel))
        ),
        f"`examples` of {name} must be pairs of an input and its result": (
            isinstance(examples, tuple | list) and all(map(_is_example, examples))
        ),
    }
    return next((lack for lack, is_well in holds.items() if not is_well), None)


def _is_example(example: object) -> bool:
    is_pair = isinstance(example, tuple) and len(example) == 2 and all(isinstance(text, str) for text in example)
    return is_pair or isinstance(example, Example)


class ProcessorRegistry:
    """The processors by name, with the ports that they use."""

    def __init__(self, known: Iterable[AnyProcessor], context: ProcessorContext = UNCONFIGURED) -> None:
        self._processors = {processor.name: processor for processor in known}
        self._context = replace(context, processors=self)

    @classmethod
    def discover(cls, sources: Sources = BUILT_IN, context: ProcessorContext = UNCONFIGURED) -> Self:
        """Return a registry of the built-in processors and those of `sources`.

        Raises:
            InvalidProcessor: one of `sources` is invalid.
        """
        return cls(list_processors(sources), context)

    @property
    def names(self) -> list[str]:
        """The names of the processors, sorted."""
        return sorted(self._processors)

    def find(self, name: str) -> AnyProcessor:
        """Return the processor `name`.

        Raises:
            UnknownProcessor: there is none.
        """
        try:
            return self._processors[name]
        except KeyError:
            raise UnknownProcessor(f"No such processor. Known: {', '.join(self.names)}.") from None

    def time_limit_s(self, name: str) -> float | None:
        """Return the run time limit of the processor `name`; None if it has none."""
        limit_s: float | None = getattr(self._processors.get(name), "time_limit_s", None)
        return limit_s

    def read_options(self, name: str, given: Mapping[str, Any], place: Place = PLACE) -> BaseModel | None:
        """Return the options of the processor `name` as its model; None if it takes none.

        Raises:
            UnknownProcessor: there is none.
            InvalidInput: they are invalid; `errors` has the places below `place`.
        """
        processor = self.find(name)
        model = model_of(processor)
        if model is None:
            if given:
                raise refuse_option(place, "no_options", "no options: this processor has none")
            return None
        with _contained():
            options = read_options(model, given, place)
            if (look := getattr(processor, "refusal_of", None)) is not None:
                look(options, self._context, place)
        return options

    def process(self, name: str, data: str, options: Mapping[str, Any] | None = None, job: Job | None = None) -> str:
        """Return the result of the processor `name` for `data`.

        Raises:
            UnknownProcessor: there is none.
            InvalidInput: the options are invalid.
            ResultNotText: the result cannot be encoded as UTF-8.
            ProcessorExited: the processor raised what would end the process.
        """
        processor = self.find(name)
        read = self.read_options(name, options or {})
        with _contained():
            if read is None:
                result = cast(Processor, processor).process(data)
            else:
                result = cast(ConfigurableProcessor, processor).process(data, read, self._configured(job))
        return _text(result)

    def _configured(self, job: Job | None) -> Job:
        return Job("", context=self._context) if job is None else replace(job, context=self._context)


def model_of(processor: AnyProcessor) -> type[BaseModel] | None:
    """Return the model of the options of a processor; None if it takes none."""
    model: type[BaseModel] | None = getattr(processor, "options", None)
    return model


@contextmanager
def _contained() -> Iterator[None]:
    """Keep what an operator's own code raises from ending the service or the worker that it runs in."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        raise ProcessorExited(f"it raised {type(error).__name__}") from error


def _text(result: object) -> str:
    if not isinstance(result, str):
        raise ResultNotText("the result is not a string")
    try:
        result.encode()
    except UnicodeEncodeError:
        raise ResultNotText("the result has a lone surrogate") from None
    return result
