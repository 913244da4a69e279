"""The settings of detection."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vestibule.detection.compiled_cache import default_cache_dir
from vestibule.detection.regex_analysis import require_linear_time

Score = Annotated[float, Field(ge=0, le=1)]


Expression = Annotated[str, AfterValidator(lambda expression: require_linear_time(expression).pattern)]


class PatternSettings(BaseModel):
    """A custom pattern of the operator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expression: Expression = Field(description="A regular expression of bounded length, without lookaround")
    score: Score = Field(default=0.6, description="Score of a match; below 0.5 it needs a label nearby")
    labels: tuple[str, ...] = Field(default=(), description="Words that name the value, in lower case")


class DetectionSettings(BaseModel):
    """The entities to detect, thresholds, the allow list, and limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entities: frozenset[str] | None = Field(
        default=None, description="Entities to detect, as a JSON list; all if unset"
    )
    ignored_entities: frozenset[str] = Field(default=frozenset(), description="Entities not to detect, as a JSON list")
    thresholds: dict[str, Score] = Field(
        default_factory=dict,
        description="Minimum score of a finding for single entities, from 0 to 1, as JSON",
    )
    allowed_values: frozenset[str] = Field(
        default=frozenset(), description="Exact values that are never a finding, as a JSON list"
    )
    allowed_patterns: tuple[Expression, ...] = Field(
        default=(),
        description="Regular expressions of whole values that are never a finding, as a JSON list",
    )
    allowed_fingerprints: frozenset[str] = Field(
        default=frozenset(),
        description="HMAC-SHA-256 fingerprints (hexadecimal) of values that are never a finding, as a JSON list",
    )
    fingerprint_key: str | None = Field(default=None, repr=False, description="Key of the `allowed_fingerprints`")
    patterns: dict[str, PatternSettings] = Field(
        default_factory=dict, description="Your own regular expressions by entity, as JSON"
    )
    detectors_dir: Path | None = Field(
        default=None,
        description="Directory of your own detectors: Python files that define `DETECTOR`",
    )
    max_text_chars: int = Field(
        default=1_048_576,
        gt=0,
        description="Maximum length of a text in code points; longer ones are rejected",
    )
    scan_budget_ms: float = Field(
        default=3_000,
        gt=0,
        description="Budget of a scan in milliseconds of CPU time; a text that takes longer is rejected",
    )
    cache_dir: Path | None = Field(
        default_factory=default_cache_dir, description="Directory where compiled patterns are cached between starts"
    )
