"""The settings of inspection and of processors, and the policy that they name."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.detection import DetectionSettings
from vestibule.egress.guard import EgressGuard
from vestibule.policy import Action, Vocabulary
from vestibule.policy.policy import FallbackPolicy, PolicyFile
from vestibule.processing import Sources
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary


class InspectionSettings(BaseSettings):
    """The detectors and the policy of inspection."""

    # The same as in ServiceSettings, since a class that inherits from both takes the last one.
    model_config = SettingsConfigDict(env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore")

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    policy: Action = Field(
        default=Action.BLOCK,
        description=f"Default action for a finding, if the policy file names none: {', '.join(Action)}",
    )
    entity_policy: dict[str, Action] = Field(
        default={}, description='Default action of single entities or groups, as JSON: {"EMAIL_ADDRESS": "redact"}'
    )
    policy_file: Path | None = Field(
        default=None, description="Policy file; if unset, policy.toml in the data directory, if it exists"
    )
    detection: DetectionSettings = Field(
        default_factory=DetectionSettings, description="Detection, as JSON or as VESTIBULE_DETECTION__NAME"
    )

    @property
    def policy_path(self) -> Path:
        """The policy file; only one that the settings name must exist."""
        return self.policy_file or self.data_dir / "policy.toml"

    @property
    def fallback_policy(self) -> FallbackPolicy:
        """The policy where no rule of the file applies."""
        return FallbackPolicy(self.policy, self.entity_policy)


class TimeLimitSettings(BaseSettings):
    """How long a processor may run."""

    model_config = SettingsConfigDict(env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore")

    task_time_limit_s: int = Field(
        default=15, gt=0, description="Maximum seconds that a task, or a message with `mode: sync`, may run"
    )


class ProcessorSettings(BaseSettings):
    """Where custom processors are, and where `http_forward` may send data."""

    model_config = SettingsConfigDict(env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore")

    processors_dir: Path | None = Field(
        default=None, description="Directory of your own processors: Python files that define `PROCESSOR`"
    )
    forward_hosts: list[str] = Field(
        default=[], description="Hosts that http_forward may send data to, as a JSON list; empty allows none"
    )
    forward_schemes: list[str] = Field(
        default=["https"], description="URL schemes allowed for http_forward, as a JSON list"
    )
    forward_private: bool = Field(default=False, description="Whether http_forward may send data to private addresses")
    forward_timeout_s: float = Field(default=5, gt=0, description="Maximum seconds for one http_forward request")
    forward_secret: SecretStr = Field(
        default=SecretStr(""), description="Key that signs what http_forward sends; empty for no signature"
    )

    @property
    def processor_sources(self) -> Sources:
        """Where processors come from."""
        return Sources(self.processors_dir)

    @property
    def forward_guard(self) -> EgressGuard:
        """The guard of `http_forward`; it is not used unless there are hosts."""
        return EgressGuard(
            frozenset(self.forward_schemes),
            frozenset(host.lower() for host in self.forward_hosts),
            self.forward_private,
            self.forward_timeout_s,
        )


def open_policy(
    settings: InspectionSettings, vocabulary: Vocabulary | None = None, path: Path | None = None
) -> PolicyFile:
    """Return the policy of the settings' file, or of the one at `path`.

    Raises:
        InvalidPolicy: the file is invalid, or is missing although the settings name it.
        ValueError: the settings name an entity that does not exist.
    """
    return PolicyFile(
        path or settings.policy_path,
        vocabulary or read_vocabulary(settings.detection),
        settings.fallback_policy,
        is_optional=path is None and settings.policy_file is None,
    )
