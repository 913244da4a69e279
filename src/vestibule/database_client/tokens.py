"""The client of callers' tokens in the database service, and what keeps the tokens that a service knows up to date."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.tokens import (
    FIRST_POSITION,
    MAX_TOKENS,
    ReplacedToken,
    StoredToken,
    TokenChanges,
    TokenPage,
    TokenUse,
    TokenUses,
)
from vestibule.database_client.transport import DatabaseTransport
from vestibule.encryption import KeyRingSource
from vestibule.runtime.background import in_background, repeat
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator, AuthFailureHandler, Quotas, TokenLookup
from vestibule.service_kit.auth.token_directory import TokenCopy, TokenDirectory, token_copy_of
from vestibule.service_kit.auth.token_uses import TokenUseLog
from vestibule.service_kit.settings import ServiceSettings

POLL_INTERVAL_S = 1.0
# The last use of a token is at most a minute old, also where one attempt fails.
NOTE_INTERVAL_S = 20.0
# All tokens are written into the copy each time.
COPY_INTERVAL_S = 5.0


class TokenClient:
    """Calls the register of tokens. Every method raises `Unavailable` where it does not confirm the outcome."""

    def __init__(self, database: DatabaseTransport) -> None:
        self._database = database

    async def page(self, cursor: str | None) -> TokenPage:
        """Return some of the tokens, by id."""
        query = {"limit": str(MAX_TOKENS), "cursor": cursor}
        return TokenPage.model_validate(await self._database.send("GET", "/tokens", query=query))

    async def changes(self, position: str) -> TokenChanges:
        """Return what has changed after a position."""
        query = {"since": position, "limit": str(MAX_TOKENS)}
        return TokenChanges.model_validate(await self._database.send("GET", "/tokens/changes", query=query))

    async def replace(self, token_id: str, token: StoredToken | None, expected: int | None) -> bool:
        """Write or remove a token if its last change is `expected`; say whether. It is on disk then."""
        stated = None if token is None else token.model_dump(mode="json", exclude_none=True)
        body = {"id": token_id, "token": stated, "expected": expected}
        return ReplacedToken.model_validate(await self._database.send("POST", "/tokens/replace", body=body)).is_replaced

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Note uses of tokens, at most `MAX_TOKENS`."""
        body = {"uses": [one.model_dump() for one in uses]}
        await self._database.send("POST", "/tokens/uses", body=body)

    async def find_uses(self, token_ids: Sequence[str]) -> dict[str, TokenUse]:
        """Return the uses of those of the tokens that have some, at most `MAX_TOKENS`."""
        found = await self._database.send("POST", "/tokens/uses/find", body={"ids": list(token_ids)})
        return {one.id: one for one in TokenUses.model_validate(found).uses}


class CallerTokens:
    """The tokens of the database service in a service that authenticates callers, and what it notes of their use."""

    def __init__(self, settings: ServiceSettings, service: str, ring: KeyRingSource) -> None:
        """Read the copy of the last run, if there is one."""
        self.directory, self.uses = TokenDirectory(), TokenUseLog()
        self._copy = token_copy_of(settings, service, ring)
        self._copy.read_into(self.directory)

    def authenticator(
        self,
        lookups: list[TokenLookup],
        on_auth_failure: AuthFailureHandler,
        limit: AuthRateLimit,
        quotas: Quotas | None = None,
    ) -> Authenticator:
        """Return an authenticator over `lookups` that asks for new tokens and notes the use of each."""
        return Authenticator(lookups, on_auth_failure, limit, new_tokens=self.directory, uses=self.uses, quotas=quotas)

    def follower(self, database: DatabaseTransport) -> "TokenFollower":
        """Return what keeps them up to date."""
        return TokenFollower(TokenClient(database), self.directory, self._copy, self.uses)


class TokenFollower:
    """Keeps a directory of tokens at most a second behind the database service, and notes there what was used.

    Where the database service is away the directory stays as it is.
    """

    def __init__(self, client: TokenClient, directory: TokenDirectory, copy: TokenCopy, uses: TokenUseLog) -> None:
        self._client = client
        self._directory = directory
        self._copy = copy
        self._uses = uses
        self._lock = asyncio.Lock()
        # Once after each start, so that the copy is encrypted with the key of the time.
        self._copied_position = FIRST_POSITION
        self._copied_at = 0.0
        self._noted_at = time.monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the changes while the context is open, and note the last uses at its end."""
        log = structlog.get_logger("vestibule.tokens")

        def report(error: Exception) -> None:
            log.warning("tokens_not_followed", error=type(error).__name__)

        self._directory.refresh = self.refresh
        async with in_background(repeat(self._step, on_error=report, outages=(Unavailable,), error_pause_s=1.0)):
            try:
                yield
            finally:
                self._directory.refresh = None
        with suppress(Unavailable):
            await self.note_uses()

    async def refresh(self) -> None:
        """Take in what has changed since the last time.

        Raises:
            Unavailable: the database service does not answer.
        """
        async with self._lock:
            while True:
                changes = await self._client.changes(self._directory.position)
                if changes.is_reset:
                    await self._read_all()
                    continue
                for token_id in changes.revoked:
                    self._directory.remove(token_id)
                for kept in changes.tokens:
                    self._directory.put(kept)
                if changes.position != self._directory.position:
                    self._directory.conclude(changes.position)
                if not changes.has_more:
                    return

    async def _read_all(self) -> None:
        found: set[str] = set()
        position, cursor = "", None
        while True:
            page = await self._client.page(cursor)
            position = position or page.position
            for kept in page.tokens:
                # A number of a change says nothing about another copy of the database.
                self._directory.remove(kept.token.id)
                self._directory.put(kept)
                found.add(kept.token.id)
            cursor = page.cursor
            if cursor is None:
                break
        self._directory.keep_only(found)
        self._directory.conclude(position)

    async def _step(self) -> float:
        await self.refresh()
        now = time.monotonic()
        if self._directory.position != self._copied_position and now - self._copied_at >= COPY_INTERVAL_S:
            self._copied_at, self._copied_position = now, self._directory.position
            await asyncio.to_thread(self._copy.write, self._directory.snapshot())
        if now - self._noted_at >= NOTE_INTERVAL_S:
            self._noted_at = now
            await self.note_uses()
        return POLL_INTERVAL_S

    async def note_uses(self) -> None:
        """Note the uses since the last time in the database service, which raises `Unavailable` if it is away."""
        uses = self._uses.take()
        while uses:
            try:
                await self._client.note_uses(uses[:MAX_TOKENS])
            except BaseException:
                self._uses.put_back(uses)
                raise
            uses = uses[MAX_TOKENS:]
