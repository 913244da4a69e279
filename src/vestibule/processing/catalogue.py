"""Lists the processors: the built-in ones, an operator's own, and those of installed packages.

An operator's own are Python files of a folder, and a package's are named by its entry points; each module offers a
`PROCESSOR`, or several as `PROCESSORS`. One that cannot be used is refused while the registry is built.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from vestibule.processing import processors
from vestibule.processing.errors import InvalidProcessor
from vestibule.processing.processor import AnyProcessor, Example
from vestibule.runtime.plugins import CannotLoad, discover, load_folder, load_installed

KIND = "processors"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where processors come from beside those that are built in."""

    folder: Path | None = None
    has_installed: bool = True


BUILT_IN = Sources(has_installed=False)


def list_processors(sources: Sources = BUILT_IN) -> list[AnyProcessor]:
    """Return every processor there is, the built-in ones first.

    Raises:
        InvalidProcessor: one of the operator's own or of a package's cannot be used.
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
            raise InvalidProcessor(f"{origin}: a processor is called {processor.name} in {origins[processor.name]} too")
        origins[processor.name] = origin
        yield processor


def _added(sources: Sources) -> Iterator[tuple[str, AnyProcessor]]:
    """Yield an operator's own processors and those of packages, each with where it comes from."""
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
        raise InvalidProcessor(f"{origin} offers neither PROCESSOR nor PROCESSORS")
    return tuple(_checked(processor, origin) for processor in offered)


def _checked(processor: AnyProcessor, origin: str) -> AnyProcessor:
    lack = _lack_of(processor)
    if lack is not None:
        raise InvalidProcessor(f"{origin}: {lack}")
    return processor


def _lack_of(processor: object) -> str | None:
    """Return what keeps something from being a processor, None where nothing does."""
    if isinstance(processor, type):
        return "a processor is an object; this is its class"
    name, options = getattr(processor, "name", None), getattr(processor, "options", None)
    examples = getattr(processor, "examples", None)
    holds = {
        "its `name` has to begin with a small letter and hold small letters, digits and _ alone, 64 at most": (
            isinstance(name, str) and NAME.fullmatch(name) is not None
        ),
        f"{name} has no `description`": isinstance(getattr(processor, "description", None), str),
        f"{name} has no method `process`": callable(getattr(processor, "process", None)),
        f"the `options` of {name} are no model of pydantic": (
            options is None or (isinstance(options, type) and issubclass(options, BaseModel))
        ),
        f"the `examples` of {name} are no pairs of a text and what becomes of it": (
            isinstance(examples, tuple | list) and all(map(_is_example, examples))
        ),
    }
    return next((lack for lack, is_well in holds.items() if not is_well), None)


def _is_example(example: object) -> bool:
    is_pair = isinstance(example, tuple) and len(example) == 2 and all(isinstance(text, str) for text in example)
    return is_pair or isinstance(example, Example)
