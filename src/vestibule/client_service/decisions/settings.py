"""The settings of decisions: where they are recorded, and for how long."""

from pathlib import Path

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.policy.decision_log import DecisionLog


class DecisionSettings(BaseSettings):
    """Where decisions are recorded, and for how long."""

    model_config = SettingsConfigDict(env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore")

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    decision_keep_days: int = Field(
        default=90, gt=0, description="Days to keep decisions; their counts are kept longer"
    )

    @property
    def decision_dir(self) -> Path:
        """The folder of the records of decisions."""
        return self.data_dir / "decisions"


def open_decision_log(settings: DecisionSettings) -> DecisionLog:
    """Return the decision log of the data directory."""
    return DecisionLog(settings.decision_dir, settings.decision_keep_days, _log_failure)


def _log_failure(error: OSError, lines: int) -> None:
    log = structlog.get_logger("vestibule.decisions")
    log.error("decisions_not_recorded", error=type(error).__name__, errno=error.errno, lines=lines)
