"""Lists the detectors: the built-in ones, an operator's own, and those of installed packages."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from vestibule.detection import detectors
from vestibule.detection.declaration import Detector, Rule
from vestibule.detection.errors import InvalidDetector
from vestibule.detection.linear_time import require_linear_time
from vestibule.detection.options import DEFAULTS, Options

ENTRY_POINT_GROUP = "vestibule.detectors"


def list_detectors(options: Options = DEFAULTS) -> list[Detector]:
    """Give every detector there is, the built-in ones first, in the order of the module names.

    Raises:
        InvalidDetector: one of the operator's own or of a package's cannot be used.
    """
    modules = [*list_modules(), *_own_modules(options.detectors_dir)]
    found = [detector for module in modules for detector in declared_in(module)]
    if options.has_installed_detectors:
        found += _installed_detectors()
    return [*found, *_ad_hoc_detectors(options)]


def list_modules() -> list[ModuleType]:
    """Give the modules that declare the built-in detectors."""
    found = pkgutil.walk_packages(detectors.__path__, f"{detectors.__name__}.")
    return [importlib.import_module(name) for name in sorted(module.name for module in found if not module.ispkg)]


def declared_in(module: object) -> tuple[Detector, ...]:
    """Give the detectors of one module.

    Raises:
        InvalidDetector: the module declares none.
    """
    one = getattr(module, "DETECTOR", None)
    declared = (one,) if one else getattr(module, "DETECTORS", ())
    if not declared or not all(isinstance(detector, Detector) for detector in declared):
        name = getattr(module, "__name__", repr(module))
        raise InvalidDetector(f"{name} declares neither DETECTOR nor DETECTORS")
    return tuple(declared)


def _own_modules(folder: Path | None) -> Iterator[ModuleType]:
    if folder is None:
        return
    if not folder.is_dir():
        raise InvalidDetector(f"{folder} is no folder of detectors")
    for path in sorted(folder.glob("[!_]*.py")):
        spec = importlib.util.spec_from_file_location(f"vestibule_own_detectors.{path.stem}", path)
        assert spec is not None  # noqa: S101 - a path that ends in .py always has one
        assert spec.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise InvalidDetector(f"{path} cannot be imported: {error}") from error
        yield module


def _installed_detectors() -> list[Detector]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs more than all the rest of an import

    found: list[Detector] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        try:
            offered = entry_point.load()
        except Exception as error:
            raise InvalidDetector(f"the detector {entry_point.value} cannot be imported: {error}") from error
        found += (offered,) if isinstance(offered, Detector) else declared_in(offered)
    return found


def _ad_hoc_detectors(options: Options) -> Iterator[Detector]:
    for entity, pattern in options.patterns.items():
        require_linear_time(pattern.expression)
        rule = Rule(name="pattern", pattern=pattern.expression, score=pattern.score)
        yield Detector(
            entity=entity,
            rules=(rule,),
            labels=pattern.labels,
            examples=(),
            counter_examples=(),
            sources=("the settings",),
        )
