"""The settings of alerts."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.alerts.routing import Route
from vestibule.alerts.store.grouping import Grouping
from vestibule.alerts.store.repository import Escalation
from vestibule.egress.guard import EgressGuard


class AlertSettings(BaseSettings):
    """Where alerts are recorded and delivered, and how they are grouped."""

    # As in ServiceSettings: where both are inherited from, the last of the two decides.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(default=Path("var"), description="Database, queue files, keys, logs and reports live here")
    alert_channels: list[str] = Field(
        default=["report_file", "report_lines", "log"], description="Channels of alerts, as a JSON list of names"
    )
    alert_group_window_s: float = Field(
        default=3600, gt=0, description="A group of alerts takes no more when nothing joined it for so long"
    )
    alert_group_quiet_s: float = Field(
        default=2, ge=0, description="A group is told when nothing joined it for so long, so that it is told once"
    )
    alert_group_wait_s: float = Field(default=30, ge=0, description="A group is told after so long at the latest")
    alert_reminder_s: float = Field(
        default=14_400, gt=0, description="A group that nobody acknowledged or resolved is told again after so long"
    )
    alert_give_up_after_s: float = Field(
        default=86_400, gt=0, description="A notification that cannot be delivered is tried again for so long"
    )
    alert_keep_days: float = Field(
        default=90, gt=0, description="Days that alerts and reports are kept; what is undelivered or unresolved stays"
    )
    alert_replica: str = Field(
        default="", description="What notifications name as their origin; empty: the name of the host"
    )
    alert_routes: list[Route] = Field(
        default=[],
        description="What the channels that a route names get, as a JSON list; a channel that none names gets all",
    )
    alert_outgoing_schemes: list[str] = Field(
        default=["https"], description="Schemes that notifications may be sent over, as a JSON list"
    )
    alert_outgoing_hosts: list[str] = Field(
        default=[], description="Hosts that notifications may be sent to, as a JSON list; empty: those of the settings"
    )
    alert_outgoing_private: bool = Field(
        default=False, description="Whether notifications may be sent to addresses that are not public"
    )
    alert_outgoing_timeout_s: float = Field(default=5, gt=0, description="Longest that one notification may take")
    alert_webhook_url: str = Field(default="", description="Address that the channel webhook posts to")
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Key of the signature of the channel webhook"
    )
    alert_alertmanager_url: str = Field(default="", description="Address of the Prometheus Alertmanager, without /api")
    alert_email_server: str = Field(default="", description="SMTP server of the channel email, as HOST:PORT")
    alert_email_from: str = Field(default="", description="Sender of the channel email")
    alert_email_to: list[str] = Field(default=[], description="Recipients of the channel email, as a JSON list")
    alert_email_user: str = Field(default="", description="User at the SMTP server; empty: no login")
    alert_email_password: SecretStr = Field(default=SecretStr(""), description="Password at the SMTP server")
    alert_email_tls: bool = Field(default=True, description="Whether the SMTP server is spoken to over STARTTLS only")
    alert_apprise_urls: list[SecretStr] = Field(
        default=[], description='Services of the channel apprise, as a JSON list: ["slack://TOKEN_A/TOKEN_B/TOKEN_C"]'
    )
    alert_escalate_at: int = Field(
        default=10, ge=2, description="So many leaks of one token within the time below raise the severity"
    )
    alert_escalate_within_s: float = Field(default=3600, gt=0, description="The time in which leaks of a token add up")

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
        return Grouping(
            window_s=self.alert_group_window_s,
            quiet_s=self.alert_group_quiet_s,
            wait_s=self.alert_group_wait_s,
        )

    @property
    def alert_escalation(self) -> Escalation:
        """When many leaks of a token are worse than each of them."""
        return Escalation(self.alert_escalate_at, self.alert_escalate_within_s)

    @property
    def alert_guard(self) -> EgressGuard:
        """What notifications may be sent to."""
        return EgressGuard(
            frozenset(self.alert_outgoing_schemes),
            frozenset(self.alert_outgoing_hosts),
            self.alert_outgoing_private,
            self.alert_outgoing_timeout_s,
        )
