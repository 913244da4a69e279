"""The settings of detection."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vestibule.detection.errors import InvalidDetector
from vestibule.detection.options import DEFAULTS, default_cache_dir
from vestibule.detection.regex.linear_time import require_linear_time

Score = Annotated[float, Field(ge=0, le=1)]


def _require_linear_time(expression: str) -> str:
    try:
        require_linear_time(expression)
    except InvalidDetector as error:
        raise ValueError(str(error)) from error
    return expression


Expression = Annotated[str, AfterValidator(_require_linear_time)]


class PatternSettings(BaseModel):
    """An expression of the operator's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expression: Expression = Field(description="A regular expression of bounded length, without lookaround.")
    score: Score = Field(default=0.6, description="How sure a match is; below 0.5 it needs a label nearby.")
    labels: tuple[str, ...] = Field(default=(), description="Words that name the value, in lower case.")


class DetectionSettings(BaseModel):
    """The entities to detect, thresholds, the allow list, and limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entities: frozenset[str] | None = Field(
        default=DEFAULTS.entities, description="Only these entities; all when unset."
    )
    ignored_entities: frozenset[str] = Field(default=DEFAULTS.ignored_entities, description="Never these entities.")
    thresholds: dict[str, Score] = Field(
        default_factory=dict,
        description="The least score that makes a finding, for each entity that shall differ from the default.",
    )
    allowed_values: frozenset[str] = Field(
        default=DEFAULTS.allowed_values, description="Values that are never a finding, exactly."
    )
    allowed_patterns: tuple[Expression, ...] = Field(
        default=DEFAULTS.allowed_patterns, description="Regular expressions of whole values that are never a finding."
    )
    allowed_fingerprints: frozenset[str] = Field(
        default=DEFAULTS.allowed_fingerprints,
        description="HMAC-SHA-256 (hexadecimal, with `fingerprint_key`) of values that are never a finding.",
    )
    fingerprint_key: str | None = Field(
        default=DEFAULTS.fingerprint_key, repr=False, description="What `allowed_fingerprints` were made with."
    )
    patterns: dict[str, PatternSettings] = Field(
        default_factory=dict, description="Own expressions: the name of the entity, and what it looks like."
    )
    detectors_dir: Path | None = Field(
        default=DEFAULTS.detectors_dir, description="A folder of own detectors: Python files that name a `DETECTOR`."
    )
    has_installed_detectors: bool = Field(
        default=DEFAULTS.has_installed_detectors,
        description="Take detectors of installed packages too (entry points `vestibule.detectors`).",
    )
    max_text_chars: int = Field(
        default=DEFAULTS.max_text_chars, gt=0, description="Longer texts are refused; code points."
    )
    scan_budget_ms: float = Field(
        default=DEFAULTS.scan_budget_ms, gt=0, description="A scan that takes longer is refused."
    )
    cache_dir: Path | None = Field(
        default_factory=default_cache_dir, description="Where the compiled patterns are kept between starts."
    )
