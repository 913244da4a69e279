"""Tokens and the audit."""

from dataclasses import field
from datetime import datetime

from vestibule.client.decoding import Result, result


@result
class Quota(Result):
    """The most that a token or a tenant may do; None is without a limit."""

    # Requests to the client service
    requests_per_minute: int | None = None
    # Tasks that it submits
    tasks_per_minute: int | None = None
    # Tasks that have not ended
    tasks_under_way: int | None = None


@result
class Token(Result):
    """A token, without the token."""

    id: str
    name: str
    tenant: str
    scopes: list[str]
    created_at: datetime
    # The id of the token that created it
    created_by: str | None
    expires_at: datetime | None
    quota: Quota | None
    # Where it is: in the database service, or in a file that an operator changes on the host
    source: str
    # Until when the token before the last rotation is accepted; None: it is not
    rotated_until: datetime | None = None
    # At most a minute behind; None: not yet
    last_used_at: datetime | None = None
    # Requests that were refused: over a quota, or for lack of a scope
    refused: int = 0
    # Alerts about personal data and secrets in its requests within 7 days
    leaks: int = 0


@result
class OwnToken(Result):
    """The token of the request, without the token: who it is, and what it may do."""

    id: str
    name: str
    # The tenant that it belongs to
    tenant: str
    # Every scope that it has; `*` is written out
    scopes: list[str]
    # When it is no longer accepted
    expires_at: datetime | None


@result
class CreatedToken(Token):
    """A token that was created or rotated, with the token itself: it is shown here and never again."""

    token: str = field(repr=False)


@result
class TokenPage(Result):
    """Tokens by id, and where the next page starts."""

    tokens: list[Token]
    # Pass it as `cursor` for the next page; None on the last page
    cursor: str | None


@result
class AuditLine(Result):
    """A line of the audit: an act with its place in the chain."""

    # The lines of one act have the same
    act_id: str
    time: datetime
    act: str
    outcome: str = "done"
    # Type of the problem
    problem: str | None = None
    # The part that recorded it
    service: str
    tenant: str = "~system"
    token_id: str | None = None
    # The name of the token, or `os:` and the user of a command
    token_name: str | None = None
    request_id: str | None = None
    # The id of what the act was about
    target: str | None = None
    # Of a changed policy the version before
    before: str | None = None
    # Of a changed policy the version after
    after: str | None = None
    # The reason that was given, until it is erased
    reason: str | None = None
    # Random; in the digest of the reason
    reason_salt: str | None = None
    # The SHA-256 of the salt, a line break and the reason; it stays when both are erased
    reason_digest: str | None = None
    # Its number; there are no gaps
    seq: int
    # The hash of the line before
    previous: str
    # The hash of this line
    hash: str


@result
class AuditPage(Result):
    """Lines, and where the next page starts."""

    lines: list[AuditLine]
    # Pass it as `cursor` for the next page; absent on the last
    cursor: str | None = None


@result
class AuditHead(Result):
    """The last line of the audit, signed with the key of receipts."""

    seq: int
    hash: str
    # A compact JWS of its number and hash; keep it, and `vestibule audit verify --head` finds what is missing or
    # was changed up to it
    signature: str
