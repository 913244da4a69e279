"""The tokens of callers as the database service keeps them: without the tokens, by their digests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.identity import DEFAULT_TENANT, SENDER_PATTERN, TenantName
from vestibule.contracts.json_types import AS_INTEGER, Count, Timestamp, UnixTime

# Tokens, or their uses, in one request between services.
MAX_TOKENS = 1000
MOST_NAME_CHARS = 100
MOST_SCOPES = 100
# One that is being replaced, and the one that replaces it.
MOST_SECRETS = 2
# The number of the last change of all tokens, and the mark of that change, which no other has.
POSITION_PATTERN = r"^\d{1,18}\.[0-9a-f]{0,16}$"
FIRST_POSITION = "0."

TokenId = Annotated[str, Field(pattern=f"^{SENDER_PATTERN}$", examples=["019ad6f3c2401f2e3d"])]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["0123456789abcdef" * 4])]
Position = Annotated[str, Field(examples=["7.1f2e3d4c5b6a7988"])]
_Limit = Annotated[int, Field(ge=1, le=1_000_000_000), AS_INTEGER]


class Quota(BaseModel):
    """The most that a token or a tenant may do; null is without a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: _Limit | None = Field(default=None, description="Requests to the client service", examples=[6])
    tasks_per_minute: _Limit | None = Field(default=None, description="Tasks that it submits", examples=[600])
    tasks_under_way: Annotated[int, Field(ge=1, le=10_000), AS_INTEGER] | None = Field(
        default=None, description="Tasks that have not ended", examples=[100]
    )


class TokenSecret(BaseModel):
    """The digest of a token that a caller may send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Digest
    expires_at: Timestamp | None = None


class StoredToken(BaseModel):
    """A token: who may send it, what it allows and until when. The first secret is the newest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: TokenId
    name: Annotated[str, StringConstraints(min_length=1, max_length=MOST_NAME_CHARS)]
    tenant: TenantName = DEFAULT_TENANT
    scopes: Annotated[tuple[str, ...], Field(max_length=MOST_SCOPES, examples=[["add", "read"]])]
    created_at: Timestamp
    created_by: TokenId | None = Field(default=None, description="The token that created it")
    expires_at: Timestamp | None = None
    quota: Quota | None = None
    secrets: Annotated[tuple[TokenSecret, ...], Field(min_length=1, max_length=MOST_SECRETS)]

    def expiry_of(self, secret: TokenSecret) -> datetime | None:
        """Return when the secret is no longer accepted: at its own expiry or at that of the token."""
        return min(filter(None, (secret.expires_at, self.expires_at)), default=None)


class KeptToken(BaseModel):
    """A token, and the number of the change that wrote it."""

    change: Count
    token: StoredToken


class TokenChanges(BaseModel):
    """What has changed after a position; `is_reset` where that is not known, and all tokens have to be read."""

    position: Position
    tokens: Sequence[KeptToken] = ()
    revoked: Sequence[TokenId] = Field(default=(), description="Ids of tokens that are gone")
    has_more: bool = False
    is_reset: bool = False


class TokenPage(BaseModel):
    """Some of the tokens, by id; `position` is from before they were read."""

    position: Position
    tokens: Sequence[KeptToken]
    cursor: TokenId | None = None


class TokenReplacement(BaseModel):
    """A token to write, or to remove where it is null, if its last change is `expected`; null: there is none."""

    model_config = ConfigDict(extra="forbid")

    id: TokenId
    token: StoredToken | None
    expected: Count | None


class ReplacedToken(BaseModel):
    """Whether a token was replaced; it is on disk then."""

    is_replaced: bool


class TokenUse(BaseModel):
    """When a token was last used, and how many of its requests were refused: over a quota, or for lack of a scope."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: TokenId
    last_used_at: UnixTime
    refused: Count = 0


class TokenUses(BaseModel):
    """Uses of tokens."""

    uses: Annotated[list[TokenUse], Field(max_length=MAX_TOKENS)]


class TokenIds(BaseModel):
    """Tokens by their ids."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[TokenId], Field(max_length=MAX_TOKENS)]
