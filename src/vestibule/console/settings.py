"""The settings of the console."""

from pathlib import Path

from pydantic import Field

from vestibule.service_kit.settings import ServiceSettings


class ConsoleSettings(ServiceSettings):
    """Where the console listens, which services it shows, and the secret of its cookies."""

    port: int = Field(default=8004, ge=0, le=65535, description="Port to listen on")
    client_service_url: str = Field(
        default="http://127.0.0.1:8000", description="Address of the client service; empty for no probes"
    )
    scheduler_url: str = Field(default="http://127.0.0.1:8003", description="Address of the scheduler service")
    console_secret_file: Path | None = Field(
        default=None,
        description="File of the secret that seals the console's cookies; by default keys/console_secret in the data "
        "directory",
    )

    @property
    def cookie_secret_file(self) -> Path:
        """The file of the secret that seals the cookies."""
        return self.console_secret_file or self.data_dir / "keys" / "console_secret"
