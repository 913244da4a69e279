"""Finds plug-ins by their place: every module of a folder offers one, and nothing else names it."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


def discover(package: ModuleType, attribute: str) -> dict[str, Any]:
    """Import every module of `package` and return what each calls `attribute`, by module name.

    Raises:
        AttributeError: a module of the folder does not offer `attribute`; the message names the module.
    """
    found: dict[str, Any] = {}
    for module_info in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{module_info.name}")
        found[module_info.name] = getattr(module, attribute)
    return found
