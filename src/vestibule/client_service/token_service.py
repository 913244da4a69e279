"""The use cases of callers' tokens: list, create, rotate and revoke. Each act is a method of `TokenService`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self

import structlog

from vestibule.alerts.store.leaks import LeakArchive
from vestibule.contracts.errors import InvalidInput, ScopeMissing, TokenInFile, TokenNotFound, Unavailable
from vestibule.contracts.identity import OPERATOR, Visibility
from vestibule.contracts.tokens import KeptToken, Quota, StoredToken, TokenSecret, TokenUse
from vestibule.database_client.tokens import CallerTokens, TokenClient, TokenFollower
from vestibule.database_client.transport import PART, DatabaseTransport
from vestibule.runtime.background import Backoff, Jitter
from vestibule.service_kit.auth.authentication import Caller, digest_of
from vestibule.service_kit.auth.token_directory import TokenDirectory
from vestibule.service_kit.auth.token_file import TokenRecord, new_token, new_token_id, read_records
from vestibule.service_kit.auth.token_uses import TokenUseLog

LEAKS_OVER = timedelta(days=7)
# Others that change the same token win so often at most.
ATTEMPTS = 5
RETRY_BACKOFF = Backoff(first_s=0.02, longest_s=0.2, jitter=Jitter.EQUAL)


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What a new token is to allow. `tenant` is None for that of its creator."""

    name: str
    scopes: frozenset[str]
    tenant: str | None = None
    expires_at: datetime | None = None
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token with what is known of its use; `old_secret_until` is set while it is being rotated."""

    token: StoredToken
    is_in_file: bool
    use: TokenUse | None
    leaks: int

    @property
    def old_secret_until(self) -> datetime | None:
        """Return when the token that was rotated is no longer accepted, None if there is none."""
        older = [self.token.expiry_of(secret) for secret in self.token.secrets[1:]]
        return max((until for until in older if until is not None and until > datetime.now(UTC)), default=None)


class TokenSettings(Protocol):
    """The settings that say where tokens and alerts are."""

    @property
    def token_file(self) -> Path:
        """The file in the data directory."""
        ...

    @property
    def mounted_token_file(self) -> Path | None:
        """The mounted file, if there is one."""
        ...

    @property
    def alert_record_path(self) -> Path:
        """The database of alerts."""
        ...


async def _nothing() -> None:
    """Do nothing: there are no other processes."""


@dataclass(frozen=True, slots=True)
class OtherProcesses:
    """What the other processes of this service on the same machine do: take a change in, note uses in the store."""

    take_changes: Callable[[], Awaitable[object]] = _nothing
    note_uses: Callable[[], Awaitable[object]] = _nothing


@dataclass(frozen=True, slots=True)
class TokenService:
    """Serves the token routes. Every method raises `Unavailable` if the database service does not answer.

    What it has changed holds on this machine at once, and everywhere within two seconds.
    """

    client: TokenClient
    directory: TokenDirectory
    follower: TokenFollower
    uses: TokenUseLog
    # The files with tokens, which it lists and does not change.
    files: Sequence[Path]
    # Returns how many leaks each token has caused since then.
    count_leaks: Callable[[datetime], Mapping[str, int]]
    others: OtherProcesses

    @classmethod
    def build(
        cls, database: DatabaseTransport, known: CallerTokens, settings: TokenSettings, others: OtherProcesses
    ) -> Self:
        """Return the service over the tokens that this process knows; its `follower` has to be run."""
        files = [path for path in (settings.token_file, settings.mounted_token_file) if path is not None]
        leaks = LeakArchive(settings.alert_record_path)
        return cls(
            TokenClient(database),
            known.directory,
            known.follower(database),
            known.uses,
            files=files,
            count_leaks=leaks.count_by_token,
            others=others,
        )

    async def page(
        self, visibility: Visibility, limit: int, cursor: str | None
    ) -> tuple[list[ListedToken], str | None]:
        """Return tokens by id, and where the next page starts. The development token is not among them."""
        await asyncio.gather(self.follower.refresh(), self.others.note_uses())
        of_files = await asyncio.to_thread(_tokens_of, self.files)
        visible = [one for one in of_files if visibility.covers(of_files[one].tenant)]
        ids = sorted({*visible, *self.directory.ids_of(visibility.tenants)})
        chosen = [one for one in ids if cursor is None or one > cursor][: limit + 1]
        shown = chosen[:limit]
        uses = await self.client.find_uses(shown)
        leaks = await asyncio.to_thread(self.count_leaks, datetime.now(UTC) - LEAKS_OVER)
        listed = []
        for token_id in shown:
            kept = self.directory.record_of(token_id)
            token = of_files[token_id] if kept is None else kept.token
            use = self._with_latest(token_id, uses.get(token_id))
            listed.append(ListedToken(token, kept is None, use, leaks.get(token_id, 0)))
        return listed, shown[-1] if len(chosen) > limit else None

    async def create(self, terms: TokenTerms, caller: Caller) -> tuple[str, StoredToken]:
        """Create a token and return it with its record. It is shown here and never again.

        Raises:
            ScopeMissing: the creator lacks a scope that it is to have, or is of another tenant and no operator.
            InvalidInput: it is to be valid for longer than the token of the creator, or to have a higher quota.
        """
        tenant = caller.tenant if terms.tenant is None else terms.tenant
        if tenant != caller.tenant and not caller.may(OPERATOR):
            raise ScopeMissing(f"A token for another tenant needs the scope `{OPERATOR}`.", scope=OPERATOR)
        _require_all(caller, terms.scopes)
        secret = new_token()
        token = StoredToken(
            id=new_token_id(),
            name=terms.name,
            tenant=tenant,
            scopes=tuple(sorted(terms.scopes)),
            created_at=datetime.now(UTC),
            created_by=caller.token_id,
            expires_at=_expiry_within(terms.expires_at, caller.expires_at),
            quota=_quota_within(terms.quota, caller.quota),
            secrets=(TokenSecret(sha256=digest_of(secret)),),
        )
        if not await self.client.replace(token.id, token, None):
            raise Unavailable(PART, "The token could not be created; retry.")
        await self._conclude("token_created", token.id)
        return secret, token

    async def rotate(
        self, token_id: str, overlap: timedelta, caller: Caller, visibility: Visibility
    ) -> tuple[str, StoredToken]:
        """Give a token another secret and return both; the one before it is accepted for `overlap`, older ones end.

        Raises:
            TokenNotFound, TokenInFile: there is none, or it is in a file.
            ScopeMissing: the caller lacks a scope of the token, which it would get by this.
            InvalidInput: the token is valid for longer than that of the caller, or has a higher quota.
        """
        secret = new_token()

        def rotated(token: StoredToken) -> StoredToken:
            _require_all(caller, frozenset(token.scopes))
            _require_reach(caller, token)
            now = datetime.now(UTC)
            until = now + overlap
            before = token.secrets[0]
            # What ended earlier ends no later by this.
            older = before.model_copy(update={"expires_at": min(filter(None, (before.expires_at, until)))})
            secrets = (TokenSecret(sha256=digest_of(secret)), *((older,) if overlap else ()))
            return token.model_copy(update={"secrets": secrets})

        token = await self._change(token_id, visibility, rotated)
        await self._conclude("token_rotated", token_id)
        return secret, token or self._unexpected()

    async def revoke(self, token_id: str, caller: Caller, visibility: Visibility) -> None:
        """Remove a token; none of its secrets is accepted any more.

        Raises:
            TokenNotFound, TokenInFile: there is none, or it is in a file.
            ScopeMissing: it is the token of an operator, and the caller is none.
        """

        def revoked(token: StoredToken) -> None:
            if OPERATOR in token.scopes:
                _require_all(caller, frozenset({OPERATOR}))

        await self._change(token_id, visibility, revoked)
        await self._conclude("token_revoked", token_id)

    async def _change(
        self, token_id: str, visibility: Visibility, change: Callable[[StoredToken], StoredToken | None]
    ) -> StoredToken | None:
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(RETRY_BACKOFF.delay_s(attempt))
            await self.follower.refresh()
            kept = await self._find(token_id, visibility)
            token = change(kept.token)
            if await self.client.replace(token_id, token, kept.change):
                return token
        raise Unavailable(PART, "Others change the same token at the same time; retry.")

    async def _find(self, token_id: str, visibility: Visibility) -> KeptToken:
        kept = self.directory.record_of(token_id)
        if kept is None:
            of_files = await asyncio.to_thread(_tokens_of, self.files)
            if token_id in of_files and visibility.covers(of_files[token_id].tenant):
                raise TokenInFile("The token is in a file of the host; change it there with `vestibule token`.")
        if kept is None or not visibility.covers(kept.token.tenant):
            raise TokenNotFound("No token has that id.")
        return kept

    async def _conclude(self, event: str, token_id: str) -> None:
        """Take the change in here, and log the act."""
        try:
            await self.follower.refresh()
        except Unavailable:
            # It is on disk, and this process hears of it as the others do.
            structlog.get_logger("vestibule.tokens").info("token_change_pending", token=token_id)
        await self.others.take_changes()
        structlog.get_logger("vestibule.tokens").info(event, token=token_id)

    def _with_latest(self, token_id: str, use: TokenUse | None) -> TokenUse | None:
        """Return a use with what this process has not noted yet."""
        here = self.uses.last_used.get(token_id)
        if here is None:
            return use
        known = use or TokenUse(id=token_id, last_used_at=here)
        refused = known.refused + self.uses.refused.get(token_id, 0)
        return known.model_copy(update={"last_used_at": max(here, known.last_used_at), "refused": refused})

    @staticmethod
    def _unexpected() -> StoredToken:
        raise AssertionError("a rotated token is a token")


def _require_all(caller: Caller, scopes: frozenset[str]) -> None:
    for scope in sorted(scopes):
        if not caller.may(scope):
            raise ScopeMissing(f"Your token cannot give the scope `{scope}`, which it does not have.", scope=scope)


def _require_reach(caller: Caller, token: StoredToken) -> None:
    """Refuse another token that is valid for longer than the caller's, or has a higher quota."""
    if token.id == caller.token_id:
        return
    is_longer = caller.expires_at is not None and (token.expires_at is None or token.expires_at > caller.expires_at)
    if is_longer or any(_is_above(getattr(token.quota, name, None), most) for name, most in caller.quota or ()):
        expected = "a token that is valid no longer than yours, and has no higher quota"
        mistake = {"where": "path/token_id", "kind": "out_of_bounds", "expected": expected}
        raise InvalidInput("The request is not valid. Check: path/token_id.", errors=[mistake])


def _is_above(limit: int | None, most: int | None) -> bool:
    return most is not None and (limit is None or limit > most)


def _expiry_within(wanted: datetime | None, longest: datetime | None) -> datetime | None:
    if wanted is not None and wanted <= datetime.now(UTC):
        raise _wrong("expires_at", "a time to come")
    if wanted is None or longest is None:
        return wanted or longest
    if wanted > longest:
        raise _wrong("expires_at", "not after the expiry of your token")
    return wanted


def _quota_within(wanted: Quota | None, most: Quota | None) -> Quota | None:
    """Return the quota of a new token; a limit that is not stated is that of its creator."""
    if most is None:
        return wanted
    limits: dict[str, int | None] = {}
    for name in Quota.model_fields:
        own, highest = getattr(wanted, name, None), getattr(most, name)
        if own is not None and highest is not None and own > highest:
            raise _wrong(f"quota/{name}", f"at most {highest}, the quota of your token")
        limits[name] = own or highest
    return Quota(**limits)


def _wrong(place: str, expected: str) -> InvalidInput:
    mistake = {"where": f"body/{place}", "kind": "out_of_bounds", "expected": expected}
    return InvalidInput(f"The request is not valid. Check: body/{place}.", errors=[mistake])


def _tokens_of(files: Sequence[Path]) -> dict[str, StoredToken]:
    """Return the tokens in files by id; of a rotated token the file has a record for each secret."""
    records: dict[str, list[TokenRecord]] = {}
    for path in files:
        for record in read_records(path):
            records.setdefault(record.id, []).append(record)
    return {token_id: _stored(some) for token_id, some in records.items()}


def _stored(records: Sequence[TokenRecord]) -> StoredToken:
    newest, *older = sorted(records, key=lambda one: one.created_at, reverse=True)
    secrets = [TokenSecret(sha256=one.sha256, expires_at=one.expires_at) for one in (newest, *older)]
    # Written by hand or by the command, whose names have no limit.
    return StoredToken.model_construct(
        id=newest.id,
        name=newest.name,
        tenant=newest.tenant,
        scopes=tuple(newest.scopes),
        created_at=newest.created_at,
        created_by=None,
        expires_at=newest.expires_at,
        quota=newest.quota,
        secrets=tuple(secrets),
    )
