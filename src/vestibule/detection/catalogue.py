"""Lists the detectors: built-in ones, an operator's own, and those of installed packages."""

import importlib
import pkgutil
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from types import ModuleType

from vestibule.detection import detectors
from vestibule.detection.errors import InvalidDetector
from vestibule.detection.options import DEFAULTS, ScannerOptions
from vestibule.detection.regex_analysis import require_linear_time
from vestibule.detection.rule_files.reading import read_rule_files
from vestibule.detection.rules import Detector, Rule
from vestibule.runtime.plugins import CannotLoad, load_folder, load_installed

KIND = "detectors"


def list_detectors(options: ScannerOptions = DEFAULTS) -> list[Detector]:
    """Return every detector, the built-in ones first, in the order of the module names.

    Raises:
        InvalidDetector: an own detector or one of a package cannot be used, or the options name an unknown entity.
    """
    found = [detector for module in list_modules() for detector in declared_in(module)]
    try:
        for _, module in load_folder(options.detectors_dir, KIND):
            found += declared_in(module)
        found += read_rule_files(options.detectors_dir)
        for _, offered in load_installed(KIND):
            found += (offered,) if isinstance(offered, Detector) else declared_in(offered)
    except CannotLoad as error:
        raise InvalidDetector(str(error)) from error
    found += _ad_hoc_detectors(options)
    known = {detector.entity for detector in found}
    for name in (*(options.entities or ()), *options.ignored_entities, *options.thresholds):
        if name not in known:
            raise InvalidDetector(f"unknown entity {name}{suggest(name, known)}")
    return found


def suggest(name: str, known: Collection[str]) -> str:
    """Return the known name that is nearest to an unknown one, as the end of a sentence."""
    close = nearest(name, known, 1)
    return f"; did you mean {close[0]}?" if close else "; `vestibule detectors` lists the entities"


def nearest(name: str, known: Collection[str], most: int = 3) -> list[str]:
    """Return the known names that are similar to `name`, the nearest first."""
    # The whole name, or a word of it: EMAL is nearer to EMAIL than to EMAIL_ADDRESS.
    names = {part: one for one in sorted(known, reverse=True) for part in (*one.split("_"), one)}
    close = get_close_matches(name.upper(), names, n=most)
    return list(dict.fromkeys(names[part] for part in close))


def list_modules() -> list[ModuleType]:
    """Return the modules that declare the built-in detectors."""
    found = pkgutil.walk_packages(detectors.__path__, f"{detectors.__name__}.")
    return [importlib.import_module(name) for name in sorted(module.name for module in found if not module.ispkg)]


def declared_in(module: object) -> tuple[Detector, ...]:
    """Return the detectors of one module.

    Raises:
        InvalidDetector: the module declares none.
    """
    one = getattr(module, "DETECTOR", None)
    declared = (one,) if one else getattr(module, "DETECTORS", ())
    if not declared or not all(isinstance(detector, Detector) for detector in declared):
        name = getattr(module, "__name__", repr(module))
        raise InvalidDetector(f"{name} declares neither DETECTOR nor DETECTORS")
    return tuple(declared)


def _ad_hoc_detectors(options: ScannerOptions) -> Iterator[Detector]:
    for entity, pattern in options.patterns.items():
        require_linear_time(pattern.expression)
        rule = Rule(name="pattern", pattern=pattern.expression, score=pattern.score)
        yield Detector(
            entity=entity, rules=(rule,), labels=pattern.labels, examples=(), counter_examples=(), sources=("settings",)
        )
