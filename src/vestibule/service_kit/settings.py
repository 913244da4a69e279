"""The settings that all services share; each service adds its own."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from socket import gethostname
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

UNIX_SCHEME = "unix://"
ENV_PREFIX = "VESTIBULE_"
_UNREADABLE = re.compile(r'error parsing value for field "(\w+)"')
DEFAULT_DEV_TOKEN = "SECRET_TOKEN"  # noqa: S105 - published on purpose; loopback and embedded mode only


class ServiceSettings(BaseSettings):
    """The settings of a service: address, directories, logging, authentication, limits and timeouts."""

    # A value may be a password, so errors do not repeat it.
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; `unix:///PATH` for a socket")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged"
    )
    log_max_bytes: int = Field(
        default=50_000_000,
        gt=0,
        description="Size in bytes at which logs/app.log is rotated; a new day (UTC) rotates it too",
    )
    log_backups: int = Field(default=14, ge=0, description="Number of rotated log files to keep")
    log_keep_days: float = Field(
        default=14, ge=0, description="Days to keep rotated log files; 0 keeps them until they are too many"
    )
    embedded: bool = Field(default=False, description="Set by `vestibule up`: all parts run on this machine")
    dev_token: SecretStr = Field(
        default=SecretStr(DEFAULT_DEV_TOKEN),
        description="Development token, accepted only in embedded mode, from loopback and with its address as `Host`",
    )
    mounted_token_file: Path | None = Field(
        default=None, description="Additional file with hashes of callers' tokens, such as a mounted secret"
    )
    service_secret_file: Path | None = Field(
        default=None,
        description="File with the secret that authenticates the services to each other; keys/service_secret if unset",
    )
    auth_failures_per_minute: int = Field(
        default=30,
        ge=2,
        description="Failed authentications per minute and client address until further requests get 429",
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks of proxies whose X-Forwarded-For is trusted, as a JSON list"
    )
    max_body_bytes: int = Field(default=4 * 1024 * 1024, gt=0, description="Maximum size of a request body in bytes")
    request_timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds for the head of a request; its body gets twice as long and a second for every 4 KiB",
    )
    load_shed_after_s: float = Field(
        default=0.7,
        ge=0,
        description="Seconds that 256 requests may be in flight until new ones get 503; 0 disables load shedding",
    )
    service_timeout_s: float = Field(default=0.9, gt=0, description="Seconds to wait for another service")
    otlp_endpoint: str = Field(
        default="", description="Address of the OTLP/HTTP trace collector, without /v1/traces; empty disables tracing"
    )
    trace_sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Fraction of requests that are traced, from 0 to 1"
    )
    shutdown_drain_s: float = Field(
        default=2.0,
        ge=0,
        description="Seconds at shutdown in which /readyz is 503 and requests are accepted; 0 under `vestibule up`",
    )
    shutdown_grace_s: int = Field(default=5, gt=0, description="Seconds at shutdown for requests in flight to finish")

    @property
    def log_dir(self) -> Path:
        """The folder of `app.log`."""
        return self.data_dir / "logs"

    @property
    def metrics_dir(self) -> Path:
        """The folder in which the workers of this machine share their metrics."""
        return self.data_dir / "run" / "metrics"

    @property
    def process_count(self) -> int:
        """The number of processes that serve the port."""
        return 1

    @property
    def process_metrics_dir(self) -> Path:
        """The folder in which the processes of this service share their metrics."""
        # Several containers may have one data directory.
        return self.data_dir / "run" / "processes" / f"{gethostname()}-{self.port}"

    @property
    def token_file(self) -> Path:
        """The file of the hashes of the callers' tokens."""
        return self.data_dir / "keys" / "tokens.json"

    @property
    def secret_file(self) -> Path:
        """The file of the secret that the services share."""
        return self.service_secret_file or self.data_dir / "keys" / "service_secret"


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One option as `vestibule config` lists it."""

    variable: str
    default: str
    description: str


def describe_settings(kinds: Iterable[type[BaseSettings]]) -> Iterator[SettingDescription]:
    """Yield every option of `kinds` once, in alphabetical order of its environment variable.

    An option whose default is not the same everywhere is shown with all its defaults.
    """
    found: dict[str, list[SettingDescription]] = {}
    for kind in kinds:
        for option in _options(kind, ENV_PREFIX):
            found.setdefault(option.variable, []).append(option)
    for variable, options in sorted(found.items()):
        defaults = ", ".join(dict.fromkeys(option.default for option in options))
        yield SettingDescription(variable, defaults, options[0].description)


def describe_mistakes(error: ValueError) -> str:
    """Return what is wrong with options, by environment variable and without their values."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{_variable_of(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors())
    if isinstance(error, SettingsError) and (field := _UNREADABLE.search(str(error))):
        return f"{_variable_of((field[1],))}: Input should be valid JSON"
    return str(error)


def _variable_of(place: tuple[int | str, ...]) -> str:
    # Places in a list and kinds of a union are no names of options.
    return ENV_PREFIX + "__".join(part for part in map(str, place) if part.isidentifier()).upper()


def _options(model: type[BaseModel], prefix: str) -> Iterator[SettingDescription]:
    for name, info in model.model_fields.items():
        default = info.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, BaseModel):
            yield from _options(type(default), f"{prefix}{name.upper()}__")
        else:
            yield SettingDescription(prefix + name.upper(), _shown(default), info.description or "")


def _shown(default: object) -> str:
    match default:
        case None:
            return ""
        case SecretStr():
            return default.get_secret_value()
        case set() | frozenset():
            return json.dumps(sorted(default))
        case list() | tuple() | dict():
            return json.dumps(default)
        case _:
            return str(default)
