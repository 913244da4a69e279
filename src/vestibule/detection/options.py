"""The options of the scanner and their defaults; `settings` reads them from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol


class Pattern(Protocol):
    """A custom expression of the operator; see `DetectionSettings.patterns`."""

    @property
    def expression(self) -> str:
        """A regular expression that takes linear time."""

    @property
    def score(self) -> float:
        """How sure a match is."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Words that name the value."""


class ScannerOptions(Protocol):
    """The options of a scanner; `DetectionSettings` and `Defaults` implement it."""

    @property
    def entities(self) -> frozenset[str] | None:
        """Only these, all when None."""

    @property
    def ignored_entities(self) -> frozenset[str]:
        """Never these."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The least score of an entity that differs from its detector's."""

    @property
    def allowed_values(self) -> frozenset[str]:
        """Values that are no finding."""

    @property
    def allowed_patterns(self) -> tuple[str, ...]:
        """Expressions of whole values that are no finding."""

    @property
    def allowed_fingerprints(self) -> frozenset[str]:
        """Fingerprints of values that are no finding."""

    @property
    def fingerprint_key(self) -> str | None:
        """What the fingerprints were made with."""

    @property
    def patterns(self) -> Mapping[str, Pattern]:
        """Own expressions, by entity."""

    @property
    def detectors_dir(self) -> Path | None:
        """Where own detectors are."""

    @property
    def max_text_chars(self) -> int:
        """Longer texts are refused."""

    @property
    def scan_budget_ms(self) -> float:
        """A longer scan is refused."""

    @property
    def cache_dir(self) -> Path | None:
        """Where the compiled prefilter is kept."""


def default_cache_dir() -> Path | None:
    """Give the folder for what can be made again."""
    try:
        return Path.home() / ".cache" / "vestibule"
    except RuntimeError:  # an account without a home
        return None


class Defaults(NamedTuple):
    """The default options."""

    entities: frozenset[str] | None = None
    ignored_entities: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = {}
    allowed_values: frozenset[str] = frozenset()
    allowed_patterns: tuple[str, ...] = ()
    allowed_fingerprints: frozenset[str] = frozenset()
    fingerprint_key: str | None = None
    patterns: Mapping[str, Pattern] = {}
    detectors_dir: Path | None = None
    # A MiB: as much as a value may have.
    max_text_chars: int = 1_048_576
    scan_budget_ms: float = 3_000
    cache_dir: Path | None = default_cache_dir()


DEFAULTS = Defaults()
