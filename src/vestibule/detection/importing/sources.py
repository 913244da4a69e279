"""Tells which program a file of rules is of."""

from collections.abc import Callable
from pathlib import Path

from vestibule.detection.importing.gitleaks import import_gitleaks
from vestibule.detection.importing.imported import Imported
from vestibule.detection.importing.presidio import import_presidio
from vestibule.detection.rule_files.reading import UnreadableRules, read_bounded

DEFAULT_THRESHOLD = 0.4
_YAML = frozenset({".yaml", ".yml"})


def import_rules(path: Path, served: Callable[[str], bool], threshold: float = DEFAULT_THRESHOLD) -> Imported:
    """Return what became of each rule of a TOML file of gitleaks or a YAML file of Presidio.

    `served` says whether the built-in detectors find an entity of Presidio. Recognizers of Presidio find what has a
    score of `threshold` and more.

    Raises:
        UnreadableRules: the file cannot be read, is none of both, or has an id twice.
    """
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return import_gitleaks(path.name, read_bounded(path))
    if suffix in _YAML:
        return import_presidio(path.name, read_bounded(path), served, threshold)
    raise UnreadableRules(f"{path} is neither a TOML file of gitleaks nor a YAML file of Presidio")
