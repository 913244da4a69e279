"""The contract of every register of tokens: one suite for all of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from servers.stores import with_server
from vestibule.contracts.tokens import FIRST_POSITION, StoredToken, TokenReplacement, TokenSecret, TokenUse
from vestibule.database_service.entries.store import ManagedStore
from vestibule.database_service.main import build_token_register, store_kinds
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tokens.encrypted_register import REALM, EncryptedTokenRegister
from vestibule.database_service.tokens.register import TokenRegister
from vestibule.encryption import Cipher, KeyRingFile, Purpose, add_key, create_key_ring

KINDS = store_kinds()


@dataclass
class Registered:
    """A register, and the same with encryption."""

    store: ManagedStore
    plain: TokenRegister
    tokens: EncryptedTokenRegister
    ring: Path


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def registered(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registered]:
    """An empty register of each kind, over its own store."""
    kind = with_server(KINDS[request.param], request)
    store = kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:"))
    ring = tmp_path / "keyring.json"
    create_key_ring(ring)
    async with store:
        plain = build_token_register(store)
        await plain.prepare()
        yield Registered(store, plain, EncryptedTokenRegister(plain, Cipher(KeyRingFile(ring), REALM)), ring)


def token(token_id: str, **given: Any) -> StoredToken:
    secret = TokenSecret(sha256="a" * 64)
    created = datetime(2026, 1, 31, tzinfo=UTC)
    usual = {"name": "importer", "scopes": ("add",), "created_at": created, "secrets": (secret,)}
    return StoredToken(id=token_id, **{**usual, **given})


async def put(registered: Registered, token_id: str, expected: int | None = None, **given: Any) -> bool:
    replacement = TokenReplacement(id=token_id, token=token(token_id, **given), expected=expected)
    return await registered.tokens.replace(replacement)


async def test_changes_are_followed_from_a_position(registered: Registered) -> None:
    """Each position gives what came after it: tokens as they are, and those that are gone; nothing twice."""
    assert await put(registered, "t1")
    assert await put(registered, "t2", tenant="acme")
    first = await registered.tokens.changes(FIRST_POSITION, 1000)
    assert [("t1", 1), ("t2", 2)] == sorted((kept.token.id, kept.change) for kept in first.tokens)
    assert [] == (await registered.tokens.changes(first.position, 1000)).tokens
    assert await put(registered, "t1", 1, name="renamed")
    assert await registered.tokens.replace(TokenReplacement(id="t2", token=None, expected=2))
    second = await registered.tokens.changes(first.position, 1000)
    assert (["renamed"], ["t2"]) == ([kept.token.name for kept in second.tokens], second.revoked)
    one = await registered.tokens.changes(first.position, 1)
    assert one.has_more
    assert ["t2"] == (await registered.tokens.changes(one.position, 1000)).revoked


async def test_a_position_of_another_copy_is_no_position(registered: Registered) -> None:
    """After a restore the same number may be of another change: all tokens are read again, a page at a time."""
    for number in range(3):
        await put(registered, f"t{number}")
    assert (await registered.tokens.changes("3.00aa", 1000)).is_reset
    assert (await registered.tokens.changes("9.", 1000)).is_reset
    page = await registered.tokens.page(2, None)
    rest = await registered.tokens.page(2, page.cursor)
    assert ["t0", "t1", "t2"] == [kept.token.id for kept in (*page.tokens, *rest.tokens)]
    assert rest.cursor is None
    assert not (await registered.tokens.changes(page.position, 1000)).is_reset


async def test_of_two_changes_of_one_state_one_is_made(registered: Registered) -> None:
    """A change names the one before it; a token that exists is not created again."""
    assert await put(registered, "t1")
    assert not await put(registered, "t1")
    assert await put(registered, "t1", 1)
    assert not await put(registered, "t1", 1)
    assert not await registered.tokens.replace(TokenReplacement(id="none", token=None, expected=1))


async def test_uses_add_up_and_go_with_their_token(registered: Registered) -> None:
    """The latest time counts, in whatever order replicas report."""
    now = datetime.now(UTC).timestamp()
    await put(registered, "t1")
    await registered.tokens.note_uses([TokenUse(id="t1", last_used_at=now, refused=2)])
    await registered.tokens.note_uses([TokenUse(id="t1", last_used_at=now - 9, refused=1), use_of("t2", now)])
    (found,) = await registered.tokens.find_uses(["t1", "none"])
    assert (3, pytest.approx(now)) == (found.refused, found.last_used_at)
    await registered.tokens.replace(TokenReplacement(id="t1", token=None, expected=1))
    assert ["t2"] == [use.id for use in await registered.tokens.find_uses(["t1", "t2"])]


def use_of(token_id: str, at: float) -> TokenUse:
    return TokenUse(id=token_id, last_used_at=at)


async def test_records_are_encrypted_and_follow_the_keys(registered: Registered) -> None:
    """Nothing of a token is readable, not even its name; a re-encryption is no change of it."""
    await put(registered, "t1", name="Ada's importer")
    (row,) = await registered.plain.page(10, None)
    assert "importer" not in row.record
    position = await registered.plain.position()
    add_key(registered.ring, Purpose.DATA)
    later = EncryptedTokenRegister(registered.plain, Cipher(KeyRingFile(registered.ring), REALM))
    assert 1 == (await later.reencrypt(10, None)).reencrypted
    checked = await later.check(10, None)
    assert (1, [1], []) == (checked.entries, list(checked.by_key.values()), checked.not_opened)
    assert position == await registered.plain.position()
    assert ["Ada's importer"] == [kept.token.name for kept in (await later.page(10, None)).tokens]
