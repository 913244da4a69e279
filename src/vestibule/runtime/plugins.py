"""Discovers plug-ins in a package, in an operator's folder, and by the entry points of installed packages."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NoReturn

# Longer than large libraries take to import on a slow machine.
IMPORT_TIMEOUT_S = 60.0


class CannotLoad(Exception):
    """A plug-in cannot be loaded; the message says which, and why."""


def discover(package: ModuleType, attribute: str) -> dict[str, Any]:
    """Import every module of `package` and return its `attribute`, by module name.

    Raises:
        AttributeError: a module has no `attribute`; the message names the module.
    """
    found: dict[str, Any] = {}
    for module_info in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{module_info.name}")
        found[module_info.name] = getattr(module, attribute)
    return found


def load_folder(folder: Path | None, kind: str) -> Iterator[tuple[Path, ModuleType]]:
    """Import an operator's own plug-ins: each Python file of `folder`, by name, whose name begins with no `_` or `.`.

    Each becomes a module below `vestibule_own_KIND`. Without a folder, nothing is imported.

    Raises:
        CannotLoad: the folder does not exist, or a file cannot be imported, or not within a minute.
    """
    if folder is None:
        return
    if not folder.is_dir():
        raise CannotLoad(f"{folder} is not a folder of {kind}")
    for path in sorted(folder.glob("[!_.]*.py")):
        yield path, _load_file(path, f"vestibule_own_{kind}.{path.stem}")


def load_installed(kind: str) -> Iterator[tuple[str, Any]]:
    """Load the entry points `vestibule.KIND` of installed packages, each with its origin.

    Raises:
        CannotLoad: one of them cannot be loaded, or not within a minute.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - slower to import than all other modules

    for entry_point in sorted(entry_points(group=f"vestibule.{kind}")):
        origin = f"the entry point {entry_point.value}"
        with _importing(origin):
            offered = entry_point.load()
        yield origin, offered


def _load_file(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - a path that ends in .py has one
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    # Dataclasses and models resolve the annotations of their module there.
    sys.modules[name] = module
    try:
        with _importing(str(path)):
            spec.loader.exec_module(module)
    except CannotLoad:
        sys.modules.pop(name, None)
        raise
    return module


@contextmanager
def _importing(origin: str) -> Iterator[None]:
    """Turn whatever ends the import of a plug-in into `CannotLoad`, also `SystemExit`, which would end the program."""
    # Python delivers signals to the main thread only, where every part of the system loads its plug-ins.
    is_timed = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGALRM, _give_up) if is_timed else None
    try:
        if is_timed:
            # Again each second, in case the plug-in catches it.
            signal.setitimer(signal.ITIMER_REAL, IMPORT_TIMEOUT_S, 1)
        yield
    except BaseException as error:
        raise CannotLoad(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        if is_timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def _give_up(_signal: int, _frame: object) -> NoReturn:
    raise TimeoutError(f"it did not end within {IMPORT_TIMEOUT_S:g} seconds")
