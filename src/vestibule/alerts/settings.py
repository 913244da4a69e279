"""The settings of alerts, and the routes of notifications to channels."""

import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.alerts.alert import ALERT_TYPES, Alert, AlertType, Severity
from vestibule.alerts.store.grouping import Grouping
from vestibule.egress.guard import WEBHOOK_TIMEOUT_S, EgressGuard

# A group that keeps growing is notified after this many times the wait.
LONGEST_WAIT_FACTOR = 15
_CONSOLE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")


class Route(BaseModel):
    """The alerts that some channels get; a condition that is not set matches all alerts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: list[str]
    types: list[AlertType] = []
    entities: list[str] = []
    min_severity: Severity = Severity.INFO

    def takes(self, alert: Alert) -> bool:
        """Say whether `alert` matches the route."""
        return (
            (not self.types or alert.type in self.types)
            and (not self.entities or not set(self.entities).isdisjoint(alert.entities))
            and alert.severity.rank >= self.min_severity.rank
        )


def route_alert(alert: Alert, channels: Iterable[str], routes: Sequence[Route]) -> list[str]:
    """Return the channels that get `alert`: by a route that names them, or because no route does."""
    return [name for name in channels if _gets(name, alert, routes)]


def _gets(channel: str, alert: Alert, routes: Sequence[Route]) -> bool:
    own = [route for route in routes if channel in route.channels]
    return any(route.takes(alert) for route in own) if own else ALERT_TYPES[alert.type].is_notified_by_default


class AlertSettings(BaseSettings):
    """Where alerts are recorded and delivered, and how they are grouped."""

    # As in ServiceSettings: for a class that inherits both, the last of the two counts.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    alert_channels: list[str] = Field(
        default=["report_file", "report_lines", "log"], description="Alert channels, as a JSON list of names"
    )
    alert_group_wait_s: float = Field(
        default=2,
        ge=0,
        description="Seconds without a further alert until a group is notified; fifteen times as long at the latest",
    )
    alert_reminder_s: float = Field(
        default=14_400,
        gt=0,
        description="Seconds until a group that is neither acknowledged nor resolved is notified again",
    )
    alert_keep_days: float = Field(
        default=90, gt=0, description="Days to keep alerts and reports; undelivered and unresolved ones stay"
    )
    alert_replica: str = Field(default="", description="Name of the origin in notifications; empty for the host name")
    console_url: str = Field(
        default="", description="Address of the console, which notifications link to; empty for no links"
    )
    alert_routes: list[Route] = Field(
        default=[],
        description="Which alerts go to which channels, as a JSON list; one without a route gets all but InvalidInput",
    )
    alert_egress_schemes: list[str] = Field(
        default=["https"], description="URL schemes allowed for notifications, as a JSON list"
    )
    alert_egress_private: bool = Field(default=False, description="Whether notifications may go to private addresses")
    alert_webhook_url: str = Field(default="", description="Address that the channel `webhook` posts to")
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Key that signs posts of the channel `webhook`"
    )
    alert_alertmanager_url: str = Field(default="", description="Address of the Prometheus Alertmanager, without /api")
    alert_email_server: str = Field(default="", description="SMTP server of the channel `email`, as HOST:PORT")
    alert_email_from: str = Field(default="", description="Sender address of the channel `email`")
    alert_email_to: list[str] = Field(
        default=[], description="Recipient addresses of the channel `email`, as a JSON list"
    )
    alert_email_user: str = Field(default="", description="User name for the SMTP server; empty for no login")
    alert_email_password: SecretStr = Field(default=SecretStr(""), description="Password for the SMTP server")
    alert_email_tls: bool = Field(default=True, description="Whether the SMTP server must offer STARTTLS")
    alert_apprise_urls: list[SecretStr] = Field(
        default=[],
        description='Service addresses of the channel `apprise`, as a JSON list: ["slack://TOKEN_A/TOKEN_B/TOKEN_C"]',
    )

    @field_validator("console_url")
    @classmethod
    def _check_console(cls, url: str) -> str:
        if url and not _CONSOLE.fullmatch(url):
            raise ValueError("must be http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]")
        return url.rstrip("/")

    def link_to(self, path: str) -> str:
        """Return the address of a page of the console, empty where the console has no address."""
        return self.console_url and self.console_url + path

    @property
    def replica(self) -> str:
        """The name of the origin of what this host records."""
        return self.alert_replica or socket.gethostname()

    @property
    def report_dir(self) -> Path:
        """The folder of the report files."""
        return self.data_dir / "error_reports"

    @property
    def alert_record_path(self) -> Path:
        """The file of the alert store."""
        return self.data_dir / "alerts.db"

    @property
    def alert_grouping(self) -> Grouping:
        """How alerts are grouped."""
        return Grouping(quiet_s=self.alert_group_wait_s, wait_s=LONGEST_WAIT_FACTOR * self.alert_group_wait_s)

    @property
    def alert_guard(self) -> EgressGuard:
        """The egress guard of notifications."""
        return EgressGuard(
            frozenset(self.alert_egress_schemes),
            frozenset(),
            self.alert_egress_private,
            WEBHOOK_TIMEOUT_S,
            is_operators=True,
        )
