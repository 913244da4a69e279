"""The setting of the key ring."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EncryptionSettings(BaseSettings):
    """Where the keys are."""

    # As in ServiceSettings: where both are inherited from, the last of the two decides.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    keyring_file: Path | None = Field(
        default=None, description="File with the encryption keys; keys/keyring.json if unset"
    )

    @property
    def key_ring_path(self) -> Path:
        """The file of the key ring."""
        return self.keyring_file or self.data_dir / "keys" / "keyring.json"
