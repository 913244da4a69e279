"""The settings of alerts."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.alerts.routing import Route
from vestibule.alerts.store.grouping import Grouping
from vestibule.egress.guard import WEBHOOK_TIMEOUT_S, EgressGuard

# A group that alerts keep joining is notified after so many times the wait.
LONGEST_WAIT_FACTOR = 15


class AlertSettings(BaseSettings):
    """Where alerts are recorded and delivered, and how they are grouped."""

    # As in ServiceSettings: where both are inherited from, the last of the two decides.
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
    alert_routes: list[Route] = Field(
        default=[],
        description="Which alerts go to which channels, as a JSON list; a channel in no route gets all alerts",
    )
    alert_egress_schemes: list[str] = Field(
        default=["https"], description="URL schemes allowed for notifications, as a JSON list"
    )
    alert_egress_hosts: list[str] = Field(
        default=[],
        description="Hosts allowed for notifications, as a JSON list; empty allows those of the settings",
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

    @property
    def report_dir(self) -> Path:
        """The folder of the report files."""
        return self.data_dir / "error_reports"

    @property
    def alert_record_path(self) -> Path:
        """The file of the record of alerts."""
        return self.data_dir / "alerts.db"

    @property
    def alert_grouping(self) -> Grouping:
        """How alerts are grouped."""
        return Grouping(quiet_s=self.alert_group_wait_s, wait_s=LONGEST_WAIT_FACTOR * self.alert_group_wait_s)

    @property
    def alert_guard(self) -> EgressGuard:
        """What notifications may be sent to."""
        return EgressGuard(
            frozenset(self.alert_egress_schemes),
            frozenset(host.lower() for host in self.alert_egress_hosts),
            self.alert_egress_private,
            WEBHOOK_TIMEOUT_S,
            is_operators=True,
        )
