"""Allowances: values that pass although a detector finds them, known by keyed fingerprints alone."""

from pydantic import BaseModel, Field

from vestibule.contracts.identity import Principal

# The owner of allowances in the store; no caller has this tenant.
OWNER = Principal("~allowances")
ALLOWANCES = "allowance/"
# An entry that every change of an allowance writes in the same commit: its version says whether there is something new.
REVISION = "revision"
# A hash in Redis by which workers know the allowances: `revision`, and `content`, encrypted. It is a copy of what the
# store has, and exists as soon as a client service has read the store.
COPY_KEY = "vestibule:allowances"
REALM = "allowances"
# Allowances in force of one tenant.
MAX_IN_FORCE = 1_000
LONGEST_H = 24 * 366
# How long one is listed after its end.
KEEP_ENDED_S = 30 * 86_400
FINGERPRINT_PATTERN = r"^e[0-9]{1,6}:[0-9a-f]{32}$"


class AllowedValue(BaseModel):
    """What an allowance lets pass: values of one entity in one tenant, until its end."""

    id: str
    tenant: str
    entity: str
    fingerprints: list[str]
    end: float = Field(description="Unix time")


class AllowanceRecord(AllowedValue):
    """An allowance as the store has it: who added it, when and why, and who revoked it."""

    author: str
    token_id: str
    reason: str
    start: float
    alert_id: str | None = None
    revoked_by: str | None = None

    @property
    def place(self) -> str:
        """The key in the store."""
        return ALLOWANCES + self.id


class AllowedValues(BaseModel):
    """What the copy in Redis holds."""

    revision: int
    values: list[AllowedValue]
