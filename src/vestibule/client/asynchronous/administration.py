"""Tokens and the audit."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from vestibule.client.asynchronous.resource import AsyncPages, AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.administration import (
    AuditHead,
    AuditLine,
    AuditPage,
    CreatedToken,
    OwnToken,
    Token,
    TokenPage,
)


class AsyncTokens(AsyncResource):
    """Tokens of callers."""

    def list(self, *, page_size: int | None = None, cursor: str | None = None) -> AsyncPages[TokenPage, Token]:
        """Return the tokens by id; `page_size` is 1,000 at most."""
        call = Call("list_tokens", query={"limit": page_size, "cursor": cursor})
        return AsyncPages(self, call, TokenPage, lambda page: page.tokens)

    async def own(self) -> OwnToken:
        """Return who the token of this client is, and what it may do. Raises: InvalidToken, if it is not known."""
        return await self._result(Call("get_own_token"), OwnToken)

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] = (),
        role: str | None = None,
        tenant: str | None = None,
        expires_in_s: int | None = None,
        expires_at: datetime | None = None,
        quota: Mapping[str, int | None] | None = None,
    ) -> CreatedToken:
        """Create a token; `token` of the result is shown once.

        Args:
            name: of the caller.
            scopes: what it may do; your token needs each of them.
            role: a bundle of scopes: `developer`, `on-call`, `operator` or `privacy`.
            tenant: your own if it is not given.
            expires_in_s: seconds until it expires; or
            expires_at: when it expires; without either, when your token does.
            quota: `requests_per_minute`, `tasks_per_minute` and `tasks_under_way`.
        """
        body = {
            "name": name,
            "scopes": scopes,
            "role": role,
            "tenant": tenant,
            "expires_in_s": expires_in_s,
            "expires_at": expires_at,
            "quota": quota,
        }
        return await self._result(Call("create_token", body=body), CreatedToken)

    async def rotate(self, token_id: str, *, overlap_s: int | None = None) -> CreatedToken:
        """Give a token another secret; the one before is accepted for `overlap_s`, a day by default.

        Raises:
            TokenNotFound: no token has that id.
            TokenInFile: it is in a file, which the service does not change.
        """
        call = Call("rotate_token", path={"token_id": token_id}, body={"overlap_s": overlap_s})
        return await self._result(call, CreatedToken)

    async def revoke(self, token_id: str) -> None:
        """Revoke a token. Raises: TokenNotFound, if none has that id; TokenInFile, if it is in a file."""
        await self._answer(Call("revoke_token", path={"token_id": token_id}))


class AsyncAudit(AsyncResource):
    """The audit: what persons and scripts did."""

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        token: str | None = None,
        act: str | None = None,
        outcome: str | None = None,
        order: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[AuditPage, AuditLine]:
        """Return the lines that meet all filters; `order` is `newest` or `oldest` first, `page_size` 500 at most."""
        query = {
            "since": since,
            "until": until,
            "token": token,
            "act": act,
            "outcome": outcome,
            "order": order,
            "limit": page_size,
            "cursor": cursor,
        }
        return AsyncPages(self, Call("list_audit_lines", query=query), AuditPage, lambda page: page.lines)

    async def head(self) -> AuditHead:
        """Return the number and the hash of the last line, signed. Needs the scope `operator` too."""
        return await self._result(Call("get_audit_head"), AuditHead)
