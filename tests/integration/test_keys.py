"""`vestibule keyring` against a running system: rotated, re-encrypted and retired without a restart or a lost value."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from vestibule.encryption import create_key_ring

SETTLED_AFTER_S = 5.5


def _vestibule(*words: str, expect: int = 0, **variables: str) -> str:
    """Run the program and return what it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    done = subprocess.run(
        [sys.executable, "-m", "vestibule", *words],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert expect == done.returncode, done.stdout + done.stderr
    return (done.stdout if expect == 0 else done.stderr).strip()


@pytest.mark.slow
def test_a_key_goes_from_active_to_retired(start: Callable[..., Any], wait_until: Callable[..., Any]) -> None:
    """Values stay readable all the way, and each step that would lose something is refused with its reason."""
    system = start(VESTIBULE_RESULT_EXPIRES_S="8")
    place = {"VESTIBULE_DATA_DIR": str(system.data_dir), "VESTIBULE_DATABASE_SERVICE_URL": system.part_url(1)}

    def keys(*words: str, expect: int = 0) -> str:
        return _vestibule("keyring", *words, expect=expect, **place)

    for number in range(5):
        assert 200 == system.add(f"k{number}", f"value {number}").status_code
    (first,) = [row["id"] for row in json.loads(keys("list", "--json")) if row["purpose"] == "data"]
    assert "is active; only an old key" in keys("retire", first, expect=1)
    second = json.loads(keys("rotate", "--json"))["id"]
    rotated_at = time.monotonic()
    assert f"{second}\tdata\tactive" in keys("list")
    # Whichever stands in the way first: on a slow machine the rotation has settled by now.
    refusal = keys("retire", first, expect=1)
    assert "rotated just now" in refusal or "are encrypted with it" in refusal

    ran = system.http.post("/run", params={"key": "k0"}).json()["status_url"]
    assert "VALUE 0" == system.http.get(ran, params={"wait": 20}).json()["result"]
    wait_until(lambda: time.monotonic() - rotated_at > SETTLED_AFTER_S, what="the rotation's settling")
    assert 200 == system.add("after", "value after").status_code
    # Beside the entries of this test there are those of the services.
    by_key = json.loads(keys("check", "--json"))["by_key"]
    assert {first: True, second: True} == {first: by_key[first] >= 5, second: by_key[second] >= 1}
    assert "values in the database are encrypted with it" in _until_database_refuses(keys, first, wait_until)
    rewrapped = json.loads(keys("rewrap", "--json"))
    assert (True, []) == (rewrapped["reencrypted"] >= 5, rewrapped["not_opened"])
    assert {second} == json.loads(keys("check", "--json"))["by_key"].keys()
    keys("retire", first)
    assert [f"value {n}" for n in range(5)] == [
        system.http.get("/read", params={"key": f"k{n}"}).json()["value"] for n in range(5)
    ]
    assert 1 == system.http.get("/read", params={"key": "k0"}).json()["version"]
    assert first in [row["id"] for row in json.loads(keys("list", "--json")) if row["state"] == "retired"]


def _until_database_refuses(keys: Callable[..., str], key_id: str, wait_until: Callable[..., Any]) -> str:
    """Wait until results that the key has sealed are gone from the queue, and return the next refusal."""
    answers = [keys("retire", key_id, expect=1)]

    def is_about_database() -> bool:
        answers.append(keys("retire", key_id, expect=1))
        return "database" in answers[-1]

    if "database" not in answers[0]:
        assert "tasks or results in the queue are encrypted with it" in answers[0]
        wait_until(is_about_database, 30, "the end of the results")
    return answers[-1]


def test_tokens_are_not_lost_by_mistake(tmp_path: Path) -> None:
    """The keys of tokens and of fingerprints are retired on purpose only."""
    create_key_ring(tmp_path / "keys" / "keyring.json")
    place = {"VESTIBULE_DATA_DIR": str(tmp_path)}
    for purpose, word in (("token", "could no longer be revealed"), ("fingerprint", "could no longer be recognized")):
        rows = json.loads(_vestibule("keyring", "list", "--json", **place))
        old = next(row["id"] for row in rows if row["purpose"] == purpose)
        _vestibule("keyring", "rotate", "--purpose", purpose, **place)
        assert word in _vestibule("keyring", "retire", old, expect=1, **place)
        _vestibule("keyring", "retire", old, "--force", **place)
    assert "--purpose" in _vestibule("keyring", "rotate", "--purpose", "other", expect=2, **place)


@pytest.mark.parametrize(
    "words",
    [("serve", "database"), ("serve", "client"), ("serve", "business-logic"), ("serve", "scheduler"), ("worker",)],
)
def test_without_the_ring_no_part_starts(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit code 78, and one line that names the file."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text("s" * 43)
    ring = tmp_path / "elsewhere.json"
    said = _vestibule(*words, expect=78, VESTIBULE_DATA_DIR=str(tmp_path), VESTIBULE_KEYRING_FILE=str(ring))
    wanted = f"cannot read the key ring {ring} (FileNotFoundError); restore its backup"
    assert f"vestibule: cannot start: {wanted}" == said


@pytest.mark.parametrize("words", [("list",), ("rotate",), ("check",), ("retire", "00000000")])
def test_without_the_ring_there_is_nothing_to_manage(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The commands say so in one line, and make no ring by the way."""
    (tmp_path / "keys").mkdir()
    said = _vestibule("keyring", *words, expect=78, VESTIBULE_DATA_DIR=str(tmp_path))
    ring = tmp_path / "keys/keyring.json"
    wanted = f"cannot read the key ring {ring} (FileNotFoundError); restore its backup"
    assert f"vestibule: {wanted}" == said
    assert not (tmp_path / "keys" / "keyring.json").exists()


def test_the_services_change_their_secret_while_they_work(system: Any, wait_until: Callable[..., Any]) -> None:
    """`vestibule keyring secret` leaves another secret in the file, and no request is refused meanwhile."""
    path = system.data_dir / "keys" / "service_secret"
    before = path.read_text().split()
    refusals = len(system.reports("InvalidToken"))
    command = [sys.executable, "-m", "vestibule", "keyring", "secret", "--data-dir", str(system.data_dir)]
    changing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    statuses = set()
    while changing.poll() is None:
        statuses.add(system.add("while the secret changes", "text").status_code)
    assert "add: done use: done drop: done" == " ".join(changing.communicate()[0].split())
    statuses.add(system.add("after the change", "text").status_code)
    assert {200} == statuses
    assert refusals == len(system.reports("InvalidToken"))
    (after,) = path.read_text().split()
    assert [after] != before
    unknown_caller = {"Authorization": f"Bearer {before[0]}"}
    refused = f"{system.part_url(1)}/keys"
    wait_until(
        lambda: httpx.get(refused, headers=unknown_caller, timeout=40).status_code == 401, what="the old secret's end"
    )
