"""Tokens are shown once, kept as hashes, and count until they are revoked or their time has passed."""

import json
import math
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from vestibule.service_kit.auth import token_file
from vestibule.service_kit.auth.authentication import Caller, Credentials
from vestibule.service_kit.auth.token_file import (
    InvalidTokenFile,
    TokenFile,
    create_token,
    measure_expiry,
    read_records,
    revoke_token,
)
from vestibule.service_kit.metrics.metrics import Metrics

# It is about a second; a busy machine takes longer.
WITHIN_S = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The place of the token file, where nothing is yet."""
    return tmp_path / "keys" / "tokens.json"


def _find(token_lookup: TokenFile, token: str) -> Caller | None:
    return token_lookup.find(Credentials(token, is_local=False))


def _becomes(condition: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    deadline = time.monotonic() + within_s
    while not (is_true := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_true


def test_a_created_token_is_known(path: Path) -> None:
    """The register knows the token's id, name and scopes."""
    token, record = create_token(path, "laptop", ["run", "add"])
    assert Caller(record.id, "laptop", frozenset({"add", "run"})) == _find(TokenFile(path), token)


def test_the_file_holds_no_token(path: Path) -> None:
    """Who reads the file can become nobody: it has a hash, and the token's id is no part of the token."""
    token, record = create_token(path, "laptop", ["add"])
    content = path.read_text()
    assert token not in content
    assert token.removeprefix("vst_") not in content
    assert record.id not in token
    assert 64 == len(json.loads(content)[0]["sha256"])


def test_the_hash_is_not_a_token(path: Path) -> None:
    """What stands in the file opens nothing."""
    _, record = create_token(path, "laptop", ["add"])
    assert _find(TokenFile(path), record.sha256) is None


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    """Mode 0600 from the first moment, also after a change, and 0700 for the folder."""
    for _ in range(2):
        create_token(path, "laptop", ["add"])
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert [path] == list(path.parent.glob("*.json"))


def test_tokens_cannot_be_guessed(path: Path) -> None:
    """Every token is another one of at least 256 bits."""
    made = {create_token(path, "laptop", ["add"])[0] for _ in range(20)}
    assert 20 == len(made)
    assert all(len(token) >= 4 + 43 and token.startswith("vst_") for token in made)


def test_a_new_token_counts_at_once(path: Path) -> None:
    """A running service need not be started anew, and refuses it at no moment, even when there was no file at first."""
    token_lookup = TokenFile(path, clock=lambda: 0.0)
    assert _find(token_lookup, "anything") is None
    for name in ("laptop", "phone"):
        token, _ = create_token(path, name, ["add"])
        assert _find(token_lookup, token) is not None


def test_the_tenants_of_all_tokens_are_collected_once_for_each_state_of_the_file(path: Path) -> None:
    """Lists of alerts ask for them at each request, and a file may have a hundred thousand tokens."""
    create_token(path, "laptop", ["add"], tenant="north")
    token_lookup = TokenFile(path, clock=lambda: 0.0)
    first = token_lookup.tenants
    assert {"north"} == first
    assert first is token_lookup.tenants
    create_token(path, "phone", ["add"], tenant="south")
    token_lookup.file.reload()
    assert {"north", "south"} == token_lookup.tenants


def test_a_revoked_token_is_unknown_within_a_second(path: Path) -> None:
    """A revocation counts in running services, and leaves the other tokens in place."""
    token, record = create_token(path, "laptop", ["add"])
    other, _ = create_token(path, "phone", ["add"])
    token_lookup = TokenFile(path)
    assert _find(token_lookup, token) is not None
    assert revoke_token(path, record.id)
    assert _becomes(lambda: _find(token_lookup, token) is None)
    assert _find(token_lookup, other) is not None
    assert not revoke_token(path, record.id)


def test_a_deleted_file_revokes_everything(path: Path) -> None:
    """Whoever deletes the file wants nobody to come in."""
    token, _ = create_token(path, "laptop", ["add"])
    token_lookup = TokenFile(path)
    assert _find(token_lookup, token) is not None
    path.unlink()
    assert _becomes(lambda: _find(token_lookup, token) is None)


def test_an_expired_token_is_unknown(path: Path) -> None:
    """A token counts until its time, also in a register that knew it before."""
    token, record = create_token(path, "guest", ["add"], timedelta(hours=1))
    now = record.created_at
    token_lookup = TokenFile(path, wall_clock=lambda: now)
    assert _find(token_lookup, token) is not None
    now += timedelta(minutes=59)
    assert _find(token_lookup, token) is not None
    now += timedelta(minutes=1)
    assert _find(token_lookup, token) is None
    assert _find(TokenFile(path, wall_clock=lambda: now), token) is None


async def test_the_next_expiry_is_shown_and_no_name(path: Path, tmp_path: Path) -> None:
    """It is the nearest of all files that is to come; where no token expires it is infinite."""
    lasting = tmp_path / "lasting.json"
    create_token(lasting, "laptop", ["add"])
    metrics = Metrics("client")
    now = create_token(path, "guest", ["add"], timedelta(hours=2))[1].created_at
    create_token(path, "visitor", ["add"], timedelta(hours=1))
    expiries = [record.expires_at.timestamp() for record in read_records(path) if record.expires_at]
    token_lookup = TokenFile(path, wall_clock=lambda: now)
    measure_expiry(metrics, [TokenFile(lasting), token_lookup])

    async def shown() -> float:
        await metrics.refresh()
        (line,) = [one for one in metrics.render().decode().splitlines() if one.startswith("vestibule_token_expiry")]
        assert line.startswith('vestibule_token_expiry_timestamp_seconds{service="client"} ')
        return float(line.split()[-1])

    assert min(expiries) == await shown()
    now += timedelta(minutes=90)
    assert max(expiries) == await shown()
    now += timedelta(minutes=90)
    assert math.inf == await shown()
    metrics = Metrics("client")
    measure_expiry(metrics, [TokenFile(lasting)])
    assert math.inf == await shown()


BROKEN = {
    "cut off": b'[{"id": "a"',
    "empty": b"",
    "another form": b'{"tokens": []}',
    "not text": b"\xff\xfe\x00",
    "a time without zone": b'[{"id":"a","name":"a","sha256":"a","scopes":[],"created_at":"2026-01-01T00:00:00Z",'
    b'"expires_at":"2026-01-01T00:00:00"}]',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_keeps_the_last_good_one(path: Path, content: bytes) -> None:
    """A slip of an editor locks nobody out and lets nobody in; mending it counts again."""
    token, record = create_token(path, "laptop", ["add"])
    good = path.read_bytes()
    token_lookup = TokenFile(path, clock=count().__next__)
    assert _find(token_lookup, token) is not None
    path.write_bytes(content)
    assert _find(token_lookup, token) is not None
    with pytest.raises(InvalidTokenFile) as caught:
        read_records(path)
    assert record.sha256 not in str(caught.value)
    path.write_bytes(good.replace(record.sha256.encode(), b"0" * 64))
    assert _becomes(lambda: _find(token_lookup, token) is None)


def test_a_file_that_is_read_while_it_is_written_is_read_again(path: Path) -> None:
    """Where a file is written in place, the empty one and the full one may have been changed at the same time."""
    first, _ = create_token(path, "laptop", ["add"])
    token_lookup = TokenFile(path, clock=count().__next__)
    assert _find(token_lookup, first) is not None
    second, _ = create_token(path, "server", ["add"])
    for content in (b"", path.read_bytes()):
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        assert _find(token_lookup, first) is not None
    assert _find(token_lookup, second) is not None


def test_a_broken_file_is_not_overwritten(path: Path) -> None:
    """Creating a token in a file that cannot be read loses nothing of what is there."""
    path.parent.mkdir()
    path.write_bytes(BROKEN["cut off"])
    with pytest.raises(InvalidTokenFile):
        create_token(path, "laptop", ["add"])
    assert BROKEN["cut off"] == path.read_bytes()


def _create_some(path: Path, count: int) -> None:
    for _ in range(count):
        create_token(path, "worker", ["add"])


def test_tokens_made_at_once_are_all_kept(path: Path) -> None:
    """Two people who create tokens at the same time both have theirs, and no revoked one comes back."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_create_some, args=(path, 10)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert 40 == len(read_records(path))


def test_a_file_of_many_tokens_is_parsed_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece has more records than the bound, and together they are what the file has, however it is written."""
    made = [create_token(path, f"n{number}", ["add"])[1] for number in range(7)]
    assert made == read_records(path)
    monkeypatch.setattr(token_file, "PARSED_AT_ONCE", 3)
    pieces = list(token_file._pieces(path.read_bytes()))
    assert [3, 3, 1] == [len(json.loads(piece)) for piece in pieces]
    assert made == read_records(path)
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert made == read_records(path)


def test_a_fault_in_a_late_piece_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the file counts."""
    for number in range(5):
        create_token(path, f"n{number}", ["add"])
    monkeypatch.setattr(token_file, "PARSED_AT_ONCE", 2)
    path.write_text(path.read_text().replace('"n4"', "4"))
    with pytest.raises(InvalidTokenFile):
        read_records(path)
