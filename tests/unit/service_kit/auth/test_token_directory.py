"""The tokens that a service knows: it follows changes, and knows them without the database service too."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servers import ports
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.tokens import KeptToken, Quota, StoredToken, TokenSecret
from vestibule.database_client.tokens import TokenClient, TokenFollower
from vestibule.database_client.transport import DatabaseTransport
from vestibule.encryption import KeyRingFile, create_key_ring
from vestibule.service_kit.auth.authentication import Caller, Credentials, digest_of
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_directory import TokenCopy, TokenDirectory
from vestibule.service_kit.auth.token_uses import TokenUseLog
from vestibule.service_kit.service_client import ServiceClient

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUOTA = Quota(requests_per_minute=6)


def kept(change: int, *secrets: str, old_until: datetime | None = None, until: datetime | None = None) -> KeptToken:
    new, *old = secrets
    digests = (
        TokenSecret(sha256=digest_of(new)),
        *(TokenSecret(sha256=digest_of(s), expires_at=old_until) for s in old),
    )
    token = StoredToken(
        id="t1",
        name="importer",
        tenant="acme",
        scopes=("add", "read"),
        created_at=NOW,
        expires_at=until,
        quota=QUOTA,
        secrets=digests,
    )
    return KeptToken(change=change, token=token)


def found(directory: TokenDirectory, *tokens: str) -> list[Caller | None]:
    return [directory.find(Credentials(token, is_local=False)) for token in tokens]


def test_a_token_counts_until_it_is_replaced_expired_or_revoked() -> None:
    """Of a rotated token both count until the old one ends; a change that comes late undoes none after it."""
    now = [NOW]
    directory = TokenDirectory(lambda: now[0])
    directory.put(kept(1, "old"))
    caller = Caller("t1", "importer", frozenset({"add", "read"}), "acme", quota=QUOTA)
    assert [caller, None] == found(directory, "old", "new")
    directory.put(kept(2, "new", "old", old_until=NOW + timedelta(hours=1)))
    directory.put(kept(1, "old"))
    directory.conclude("2.aa")
    assert all(found(directory, "old", "new"))
    assert frozenset({"acme"}) == directory.tenants
    now[0] += timedelta(hours=1)
    assert [False, True] == [one is not None for one in found(directory, "old", "new")]
    directory.put(kept(3, "new", until=NOW + timedelta(hours=2)))
    assert NOW + timedelta(hours=2) == directory.next_expiry()
    now[0] += timedelta(hours=1)
    assert [None] == found(directory, "new")
    directory.remove("t1")
    assert directory.record_of("t1") is None


def test_the_copy_holds_what_is_known_and_shows_none_of_it(tmp_path: Path) -> None:
    """A start without the database service knows the tokens as of the last copy; a broken copy holds none."""
    create_key_ring(tmp_path / "keyring.json")
    copy = TokenCopy(tmp_path / "known" / "client", KeyRingFile(tmp_path / "keyring.json"))
    first, second, third = TokenDirectory(), TokenDirectory(), TokenDirectory()
    copy.read_into(first)
    first.put(kept(7, "new"))
    first.conclude("7.aa")
    copy.write(first.snapshot())
    copy.read_into(second)
    assert found(first, "new") == found(second, "new") != [None]
    assert ("7.aa", kept(7, "new")) == (second.position, second.record_of("t1"))
    content = (tmp_path / "known" / "client").read_bytes()
    assert b"importer" not in content
    assert digest_of("new").encode() not in content
    (tmp_path / "known" / "client").write_bytes(content[:-1])
    copy.read_into(third)
    assert [None] == found(third, "new")


async def test_known_tokens_count_while_the_database_service_is_away(tmp_path: Path) -> None:
    """Nothing is forgotten, unknown tokens stay unknown, and uses are kept until they can be noted."""
    create_key_ring(tmp_path / "keyring.json")
    directory, uses = TokenDirectory(), TokenUseLog(lambda: 5.0)
    directory.put(kept(1, "known"))
    uses.last_used["t1"] = 5.0
    uses.refuse("t1")
    copy = TokenCopy(tmp_path / "copy", KeyRingFile(tmp_path / "keyring.json"))
    url = f"http://127.0.0.1:{ports.free_row(1)[0]}"
    async with ServiceClient("database", url, ServiceSecret.fixed("s" * 43), 1) as peer:
        follower = TokenFollower(TokenClient(DatabaseTransport(peer)), directory, copy, uses)
        async with follower.running():
            assert await directory.find_new(Credentials("vst_unknown", is_local=False)) is None
            with pytest.raises(Unavailable):
                await follower.refresh()
            assert all(found(directory, "known"))
    assert [("t1", 5.0, 1)] == [(use.id, use.last_used_at, use.refused) for use in uses.take()]
