"""Lists the processors: the built-in ones, an operator's own, and those of installed packages.

An operator's own are Python files of a folder, and a package's are named by its entry points; each module offers a
`PROCESSOR`, or several as `PROCESSORS`. One that cannot be used is refused while the registry is built.
"""

import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from vestibule.discovery import discover
from vestibule.processing import processors
from vestibule.processing.errors import InvalidProcessor
from vestibule.processing.processor import AnyProcessor, Example

ENTRY_POINT_GROUP = "vestibule.processors"
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
    found += _own(sources.folder)
    if sources.has_installed:
        found += _installed()
    return list(_named_once(found))


def _named_once(found: Iterable[tuple[str, AnyProcessor]]) -> Iterator[AnyProcessor]:
    origins: dict[str, str] = {}
    for origin, processor in found:
        if processor.name in origins:
            raise InvalidProcessor(f"{origin}: a processor is called {processor.name} in {origins[processor.name]} too")
        origins[processor.name] = origin
        yield processor


def _own(folder: Path | None) -> list[tuple[str, AnyProcessor]]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise InvalidProcessor(f"{folder} is no folder of processors")
    found: list[tuple[str, AnyProcessor]] = []
    for path in sorted(folder.glob("[!_.]*.py")):
        found += [(str(path), processor) for processor in _offered_by(_load(path), str(path))]
    return found


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"vestibule_own_processors.{path.stem}", path)
    assert spec is not None  # noqa: S101 - a path that ends in .py always has one
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InvalidProcessor(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _installed() -> list[tuple[str, AnyProcessor]]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs more than all the rest of an import

    found: list[tuple[str, AnyProcessor]] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        origin = f"the entry point {entry_point.value}"
        try:
            offered = entry_point.load()
        except Exception as error:
            raise InvalidProcessor(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
        given = _offered_by(offered, origin) if isinstance(offered, ModuleType) else (offered,)
        found += [(origin, _checked(processor, origin)) for processor in given]
    return found


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
