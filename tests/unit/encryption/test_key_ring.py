"""The ring of keys: always one active key for each purpose, private in its file, and changed under running services."""

import json
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.encryption import (
    KeyRefused,
    KeyRingFile,
    KeyRingUnreadable,
    KeyState,
    Purpose,
    add_key,
    create_key_ring,
    read_key_ring,
    retire_key,
)
from vestibule.encryption.key_ring import KeyRing, new_key


def _states(path: Path, purpose: Purpose = Purpose.DATA) -> dict[str, KeyState]:
    ring = read_key_ring(path)
    return {key.id: ring.state_of(key) for key in ring.keys if key.purpose is purpose}


def test_a_new_ring_has_a_key_for_each_purpose(path: Path) -> None:
    """Each is of 256 bits and its own, and the file is for its owner alone."""
    ring = read_key_ring(path)
    assert set(Purpose) == {key.purpose for key in ring.keys}
    assert len(Purpose) == len({ring.active(purpose).material for purpose in Purpose})
    assert {32} == {len(key.material) for key in ring.keys}
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_ring_is_made_once(path: Path) -> None:
    """Whoever asks again, or at the same time, gets the ring that is there."""
    before = path.read_bytes()
    with ThreadPoolExecutor() as pool:
        list(pool.map(create_key_ring, [path] * 8))
    assert before == path.read_bytes()


def test_no_key_shows_its_secret(path: Path) -> None:
    """Neither the text form of a key nor that of its ring holds it."""
    key = read_key_ring(path).active(Purpose.DATA)
    stored = next(row["secret"] for row in json.loads(path.read_text()) if row["id"] == key.id)
    for text in (repr(key), str(key), f"{key!r:>5}"):
        assert stored not in text
        assert str(key.material)[2:-1] not in text


def test_a_rotation_makes_the_old_key_old(path: Path) -> None:
    """One key is active at any time, and the one before still opens."""
    first = read_key_ring(path).active(Purpose.DATA).id
    second = add_key(path, Purpose.DATA).id
    assert {second: KeyState.ACTIVE, first: KeyState.OLD} == _states(path)
    assert second == read_key_ring(path).active(Purpose.DATA).id
    assert [second, first] == [key.id for key in read_key_ring(path).usable(Purpose.DATA)]
    assert [KeyState.ACTIVE] == list(_states(path, Purpose.TOKEN).values())


def test_a_key_can_wait_for_its_time(path: Path) -> None:
    """A key that is active later decrypts already, so that it can be everywhere before it encrypts."""
    first = read_key_ring(path).active(Purpose.DATA).id
    later = add_key(path, Purpose.DATA, datetime.now(UTC) + timedelta(hours=1)).id
    assert {later: KeyState.NEXT, first: KeyState.ACTIVE} == _states(path)
    assert first == read_key_ring(path).active(Purpose.DATA).id
    ring = read_key_ring(path)
    assert first == ring.active(Purpose.DATA).id
    in_two_hours = datetime.now(UTC) + timedelta(hours=2)
    assert later == KeyRing(ring.keys, clock=lambda: in_two_hours).active(Purpose.DATA).id


def test_a_clock_that_is_behind_leaves_the_first_key_active() -> None:
    """Where the clock was set back to before the ring was made, its first key seals, and nothing stands still."""
    soon, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 2))
    keys = [new_key(purpose, active_from) for purpose in Purpose for active_from in (soon, later)]
    ring = KeyRing(keys)
    assert {soon} == {ring.active(purpose).active_from for purpose in Purpose}


def test_rotations_at_once_lose_no_key(path: Path) -> None:
    """Of keys that are added at the same time all are there."""
    with ThreadPoolExecutor(8) as pool:
        added = {key.id for key in pool.map(lambda _: add_key(path, Purpose.DATA), range(16))}
    assert added < {key.id for key in read_key_ring(path).keys}


def test_a_retired_key_leaves_its_id(path: Path) -> None:
    """Its secret is gone from the file; that it was here is still known."""
    first = read_key_ring(path).active(Purpose.DATA)
    secret = next(row["secret"] for row in json.loads(path.read_text()) if row["id"] == first.id)
    add_key(path, Purpose.DATA)
    retire_key(path, first.id)
    found = read_key_ring(path).find(Purpose.DATA, first.id)
    assert found is not None
    assert (None, KeyState.RETIRED) == (found.secret, _states(path)[first.id])
    assert secret not in path.read_text()
    with pytest.raises(KeyRingUnreadable):
        _ = found.material


def test_only_an_old_key_can_be_retired(path: Path) -> None:
    """Not the active one, not one whose time comes, not one twice, not one that nobody knows."""
    first = read_key_ring(path).active(Purpose.DATA).id
    later = add_key(path, Purpose.DATA, datetime.now(UTC) + timedelta(hours=1)).id
    for key_id, word in ((first, "active"), (later, "next"), ("00000000", "no key")):
        with pytest.raises(KeyRefused, match=word):
            retire_key(path, key_id)
    add_key(path, Purpose.DATA)
    retire_key(path, first)
    with pytest.raises(KeyRefused, match="retired"):
        retire_key(path, first)


def _without_data_key(rows: list[dict[str, Any]]) -> object:
    return [row for row in rows if row["purpose"] != "data"]


def _short(rows: list[dict[str, Any]]) -> object:
    return [row | {"secret": "AAAA"} for row in rows]


def _twice(rows: list[dict[str, Any]]) -> object:
    return rows + rows[:1]


def _all_retired(rows: list[dict[str, Any]]) -> object:
    return [row | {"secret": None, "retired_at": row["created_at"]} for row in rows]


def _one_character(rows: list[dict[str, Any]]) -> object:
    changed = "A" if rows[0]["secret"][7] != "A" else "B"
    return [rows[0] | {"secret": rows[0]["secret"][:7] + changed + rows[0]["secret"][8:]}, *rows[1:]]


def _unknown_field(rows: list[dict[str, Any]]) -> object:
    return [row | {"note": "x"} for row in rows]


@pytest.mark.parametrize("spoil", [_without_data_key, _short, _twice, _all_retired, _one_character, _unknown_field])
def test_what_is_no_ring_is_refused(path: Path, spoil: Callable[[list[dict[str, Any]]], object]) -> None:
    """The refusal names the file in one line, and shows nothing of it."""
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(spoil(rows)))
    with pytest.raises(KeyRingUnreadable, match=r"cannot read the key ring .*keyring\.json") as caught:
        read_key_ring(path)
    assert "\n" not in str(caught.value)
    assert not any(row["secret"] in str(caught.value) for row in rows)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"null", b"{}", b"[]", b"[1]", b"[{}]"])
def test_any_file_is_refused_that_is_no_ring(tmp_path: Path, content: bytes) -> None:
    """Whatever lies there."""
    (tmp_path / "ring").write_bytes(content)
    with pytest.raises(KeyRingUnreadable):
        KeyRingFile(tmp_path / "ring")


def test_a_running_service_sees_a_change_within_seconds(path: Path, ring: KeyRingFile) -> None:
    """Without a restart; and a look at once is possible."""
    first = ring.current().active(Purpose.DATA).id
    second = add_key(path, Purpose.DATA).id
    deadline = time.monotonic() + 60
    while ring.current().active(Purpose.DATA).id == first:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert second == ring.current().active(Purpose.DATA).id
    third = add_key(path, Purpose.DATA).id
    assert third == ring.reload().active(Purpose.DATA).id


def test_a_file_that_breaks_changes_nothing(path: Path, ring: KeyRingFile) -> None:
    """A running service keeps the ring that it has, and takes the next good one."""
    first, good = ring.current().active(Purpose.DATA).id, path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert first == ring.reload().active(Purpose.DATA).id
    path.unlink()
    assert first == ring.reload().active(Purpose.DATA).id
    path.write_bytes(good)
    assert add_key(path, Purpose.DATA).id == ring.reload().active(Purpose.DATA).id


def test_another_ring_does_not_replace_one_that_is_in_use(tmp_path: Path, path: Path, ring: KeyRingFile) -> None:
    """What it would encrypt, the right one could not decrypt; the ring that returns is taken again."""
    first, good = ring.current().active(Purpose.DATA).id, path.read_bytes()
    create_key_ring(tmp_path / "another.json")
    path.write_bytes((tmp_path / "another.json").read_bytes())
    assert first == ring.reload().active(Purpose.DATA).id
    path.write_bytes(good)
    assert add_key(path, Purpose.DATA).id == ring.reload().active(Purpose.DATA).id


def test_a_mounted_secret_can_change_its_target(tmp_path: Path, path: Path) -> None:
    """A ring behind a symbolic link, as container platforms mount secrets, is seen when the link moves."""
    other = tmp_path / "other.json"
    other.write_bytes(path.read_bytes())
    add_key(other, Purpose.DATA)
    link = tmp_path / "mounted.json"
    link.symlink_to(path)
    ring = KeyRingFile(link)
    (tmp_path / "next").symlink_to(other)
    os.replace(tmp_path / "next", link)  # noqa: PTH105 - as the platform does it
    assert read_key_ring(other).active(Purpose.DATA).id == ring.reload().active(Purpose.DATA).id
