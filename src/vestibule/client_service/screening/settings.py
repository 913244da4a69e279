"""The settings of screening: the policy, the decision log and the key of receipts."""

from pathlib import Path

from pydantic import Field

from vestibule.client_service.decisions.settings import DecisionSettings
from vestibule.processor_adapters import InspectionSettings


class ScreeningSettings(InspectionSettings, DecisionSettings):
    """What the screener applies, where it records its decisions, and what signs them."""

    receipt_key_file: Path | None = Field(
        default=None,
        description="File with the key that signs receipts; keys/receipt_key.pem if unset, created if missing",
    )

    @property
    def receipt_key_path(self) -> Path:
        """The file of the key that signs receipts."""
        return self.receipt_key_file or self.data_dir / "keys" / "receipt_key.pem"
