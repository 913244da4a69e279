"""What the database service tells of the seals of what it keeps."""

from pydantic import BaseModel, Field


class ReencryptionPage(BaseModel):
    """The seals of some entries, and where the next page starts."""

    entries: int = Field(default=0, description="Entries that were looked at")
    by_key: dict[str, int] = Field(
        default={}, description="Values that open, earlier versions among them, by the id of the key that sealed them"
    )
    not_opened: list[str] = Field(default=[], description="Why entries did not open, once for each")
    reencrypted: int = Field(default=0, description="Values that were sealed anew with the active key")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")
