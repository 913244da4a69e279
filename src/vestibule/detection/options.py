"""The options of the scanner and their defaults; `settings` reads them from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from vestibule.detection.compiled_cache import default_cache_dir

if TYPE_CHECKING:
    from vestibule.detection.settings import DetectionSettings, PatternSettings


class Defaults(NamedTuple):
    """The options of a scanner without settings; `DetectionSettings` describes each."""

    entities: frozenset[str] | None = None
    ignored_entities: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = {}
    allowed_values: frozenset[str] = frozenset()
    allowed_patterns: tuple[str, ...] = ()
    allowed_fingerprints: frozenset[str] = frozenset()
    fingerprint_key: str | None = None
    patterns: Mapping[str, "PatternSettings"] = {}
    detectors_dir: Path | None = None
    # A MiB: as much as a value may have.
    max_text_chars: int = 1_048_576
    scan_budget_ms: float = 3_000
    cache_dir: Path | None = default_cache_dir()


ScannerOptions: TypeAlias = "Defaults | DetectionSettings"
DEFAULTS = Defaults()
