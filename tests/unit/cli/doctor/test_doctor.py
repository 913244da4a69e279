"""What `vestibule doctor` says of an installation that is broken in some way; it runs real checks on real files."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from servers import ports
from vestibule.cli.doctor.examination import Diagnosis, DiagnosisLevel, ExaminedSystem, examine, ok
from vestibule.cli.main import app
from vestibule.encryption import create_key_ring

SECRET = "s3cret-of-redis-4711"


@pytest.fixture
def base_port() -> int:
    """The first of four free ports."""
    return ports.free_row(5)[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data directory in which something has run."""
    (tmp_path / "keys").mkdir(mode=0o700)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    (tmp_path / "keys" / "service_secret").write_text("a" * 43)
    (tmp_path / "keys" / "service_secret").chmod(0o600)
    return tmp_path


def _examine(home: Path, base_port: int, *only: str) -> tuple[int, list[dict[str, Any]]]:
    words = [word for name in only for word in ("--only", name)]
    done = CliRunner().invoke(app, ["doctor", "--json", "--data-dir", str(home), "--base-port", str(base_port), *words])
    assert SECRET not in done.output
    return done.exit_code, json.loads(done.stdout)


def _of(level: str, found: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in found if one["level"] == level]


def test_before_the_first_start_nothing_is_wrong(tmp_path: Path, base_port: int) -> None:
    """Nothing runs and nothing is there yet; each thing that was looked at is named, and nothing was created."""
    code, found = _examine(tmp_path / "var", base_port)
    assert (0, []) == (code, _of("error", found))
    checks = {one["check"] for one in found}
    assert {"python", "packages", "settings", "data directory", "key ring", "ports", "services", "redis"} < checks
    assert not (tmp_path / "var").exists()


def test_an_installation_that_is_stopped_is_sound(home: Path, base_port: int) -> None:
    """Keys are read, and nothing runs."""
    code, found = _examine(home, base_port)
    assert (0, []) == (code, _of("error", found))
    assert "no service answers: nothing is running" in _of("ok", found)


def _broken_policy(home: Path) -> None:
    (home / "policy.toml").write_text('[entities]\nEMAIL = "redact"\n')


def _broken_key_ring(home: Path) -> None:
    (home / "keys" / "keyring.json").write_text("{")


def _lost_key_ring(home: Path) -> None:
    (home / "keys" / "keyring.json").unlink()
    sqlite3.connect(home / "vestibule.db").close()


def _open_secret(home: Path) -> None:
    (home / "keys" / "service_secret").chmod(0o644)


def _short_secret(home: Path) -> None:
    (home / "keys" / "service_secret").write_text("short")


def _broken_tokens(home: Path) -> None:
    (home / "keys" / "tokens.json").write_text("{")


def _broken_database(home: Path) -> None:
    (home / "vestibule.db").write_bytes(b"no database at all " * 300)


def _newer_database(home: Path) -> None:
    with closing(sqlite3.connect(home / "vestibule.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE entries (key, value)")


def _open_keys(home: Path) -> None:
    (home / "keys").chmod(0o755)


@pytest.mark.parametrize(
    ("check", "spoil", "said"),
    [
        ("policy", _broken_policy, "/policy.toml, line 2: "),
        ("key ring", _broken_key_ring, "keyring.json"),
        ("key ring", _lost_key_ring, "is missing, and there is data"),
        ("service secret", _open_secret, "every user can read"),
        ("service secret", _short_secret, "has fewer than"),
        ("tokens", _broken_tokens, "tokens.json cannot be read"),
        ("database", _broken_database, "is no database, or damaged"),
        ("database", _newer_database, "newer version"),
        ("data directory", _open_keys, "other users can look into"),
    ],
)
def test_what_is_broken_is_named_with_a_remedy(home: Path, base_port: int, check: str, spoil: Any, said: str) -> None:
    """An error ends the command with 1, and every error says what to do."""
    spoil(home)
    code, found = _examine(home, base_port, check)
    assert 1 == code
    assert any(said in text for text in _of("error", found)), found
    assert all(one["remedy"] for one in found if one["level"] != "ok")


def test_a_port_that_another_program_has_is_named_with_it(home: Path, base_port: int) -> None:
    """On Linux with the process."""
    with socket.create_server(("127.0.0.1", base_port + 1)):
        code, found = _examine(home, base_port, "ports")
    assert 1 == code
    (said,) = _of("error", found)
    assert f"port {base_port + 1} of the database service is taken by " in said
    assert f"process {os.getpid()}" in said or not Path("/proc").exists()


def test_a_setting_that_is_wrong_or_none_is_named(home: Path, base_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its value; the address of a Redis that does not answer is shown without its password."""
    monkeypatch.setenv("VESTIBULE_TASK_MAX_ATTEMPTS", SECRET)
    monkeypatch.setenv("VESTIBULE_POLCY", SECRET)
    monkeypatch.setenv("VESTIBULE_REDIS_URL", f"redis://:{SECRET}@127.0.0.1:{base_port}/0")
    code, found = _examine(home, base_port, "settings", "redis")
    assert 1 == code
    assert any(text.startswith("VESTIBULE_TASK_MAX_ATTEMPTS: ") for text in _of("error", found))
    assert ["VESTIBULE_POLCY is no setting"] == _of("warning", found)
    assert any(f"redis://127.0.0.1:{base_port}/**** does not answer" in text for text in _of("error", found))


def test_a_check_that_fails_is_a_finding(tmp_path: Path) -> None:
    """The others go on, and its message, which may have a secret, is not shown."""

    def fails(_installation: ExaminedSystem) -> Iterator[Diagnosis]:
        yield ok("so far")
        raise ValueError(SECRET)

    def works(_installation: ExaminedSystem) -> Iterator[Diagnosis]:
        yield ok("fine")

    found = list(examine(ExaminedSystem(tmp_path, 1, {}), {"first": fails, "second": works}))
    assert [DiagnosisLevel.OK, DiagnosisLevel.ERROR, DiagnosisLevel.OK] == [one.level for one in found]
    assert SECRET not in str(found)


def test_an_unknown_check_is_wrong_usage(home: Path) -> None:
    """The message lists those that there are."""
    done = CliRunner().invoke(app, ["doctor", "--data-dir", str(home), "--only", "nothing"])
    assert (2, True) == (done.exit_code, "key ring" in done.output)
