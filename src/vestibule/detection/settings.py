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
        default=DEFAULTS.entities, description="Entities to detect, as a JSON list; all if unset"
    )
    ignored_entities: frozenset[str] = Field(
        default=DEFAULTS.ignored_entities, description="Entities not to detect, as a JSON list"
    )
    thresholds: dict[str, Score] = Field(
        default_factory=dict,
        description="Minimum score of a finding for single entities, from 0 to 1, as JSON",
    )
    allowed_values: frozenset[str] = Field(
        default=DEFAULTS.allowed_values, description="Exact values that are never a finding, as a JSON list"
    )
    allowed_patterns: tuple[Expression, ...] = Field(
        default=DEFAULTS.allowed_patterns,
        description="Regular expressions of whole values that are never a finding, as a JSON list",
    )
    allowed_fingerprints: frozenset[str] = Field(
        default=DEFAULTS.allowed_fingerprints,
        description="HMAC-SHA-256 fingerprints (hexadecimal) of values that are never a finding, as a JSON list",
    )
    fingerprint_key: str | None = Field(
        default=DEFAULTS.fingerprint_key, repr=False, description="Key of the `allowed_fingerprints`"
    )
    patterns: dict[str, PatternSettings] = Field(
        default_factory=dict, description="Your own regular expressions by entity, as JSON"
    )
    detectors_dir: Path | None = Field(
        default=DEFAULTS.detectors_dir,
        description="Directory of your own detectors: Python files that define `DETECTOR`",
    )
    max_text_chars: int = Field(
        default=DEFAULTS.max_text_chars,
        gt=0,
        description="Maximum length of a text in code points; longer ones are rejected",
    )
    scan_budget_ms: float = Field(
        default=DEFAULTS.scan_budget_ms,
        gt=0,
        description="Milliseconds that a scan may take until the text is rejected",
    )
    cache_dir: Path | None = Field(
        default_factory=default_cache_dir, description="Directory of the compiled patterns, kept between starts"
    )
