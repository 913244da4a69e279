"""The settings of screening: the policy, the decision log and the key of receipts."""

from pathlib import Path

from pydantic import Field

from vestibule.processor_adapters import InspectionSettings


class ScreeningSettings(InspectionSettings):
    """What the screener applies, and where it records its decisions."""

    decision_keep_days: int = Field(default=90, gt=0, description="Days to keep the decision log")
    receipt_key_file: Path | None = Field(
        default=None,
        description="File with the key that signs receipts; keys/receipt_key.pem if unset, created if missing",
    )

    @property
    def decision_dir(self) -> Path:
        """The folder of the records of decisions."""
        return self.data_dir / "decisions"

    @property
    def receipt_key_path(self) -> Path:
        """The file of the key that signs receipts."""
        return self.receipt_key_file or self.data_dir / "keys" / "receipt_key.pem"
