"""Progress of checking or renewing the encryption of stored values, a page at a time."""

from pydantic import BaseModel, Field


class ReencryptionPage(BaseModel):
    """The encryption keys of some entries, and where the next page starts."""

    entries: int = Field(default=0, description="Entries examined")
    by_key: dict[str, int] = Field(
        default={}, description="Readable values, earlier versions among them, by the id of the key that encrypted them"
    )
    not_opened: list[str] = Field(default=[], description="Reasons why entries could not be decrypted, one for each")
    reencrypted: int = Field(default=0, description="Values that were re-encrypted with the active key")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")
