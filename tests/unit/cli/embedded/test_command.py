"""`vestibule up` where it cannot start: one line that says why, and the exit code that goes with it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli.embedded import wiring
from vestibule.cli.embedded.data_directory import DataDirectory, lock_data_directory, prepare_data_directory
from vestibule.cli.main import app


def up(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "vestibule", "up", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_unusable_data_directory():
    """A directory that cannot be made: exit code 78, and one line that names it."""
    result = up("--data-dir", "/proc/vestibule")
    assert 78 == result.returncode
    assert 1 == len(result.stderr.splitlines())
    assert "/proc/vestibule" in result.stderr


def test_second_instance(tmp_path: Path):
    """A directory that another instance holds: exit code 1, and the process that holds it."""
    directory = DataDirectory(tmp_path)
    prepare_data_directory(directory)
    with lock_data_directory(directory):
        result = up(VESTIBULE_DATA_DIR=str(tmp_path))
    assert 1 == result.returncode
    assert f"process {os.getpid()}" in result.stderr


def test_taken_port(tmp_path: Path, free_ports):
    """A port in use: exit code 1, the port, and how to choose another; nothing was started."""
    base_port, port, *_ = free_ports(4)
    with socket.create_server(("127.0.0.1", port)):
        result = up("--data-dir", str(tmp_path), VESTIBULE_BASE_PORT=str(base_port))
    assert 1 == result.returncode
    assert f"port {port} " in result.stderr
    assert "--base-port" in result.stderr
    assert not (tmp_path / "redis" / "redis.conf").exists()


def test_wrong_usage():
    """A base port that leaves no room for the others is wrong usage: exit code 2."""
    assert 2 == up("--base-port", "65533").returncode


def test_invalid_redis_url(tmp_path: Path, free_port):
    """An address that is none of Redis's: exit code 1, before anything is started."""
    result = up("--data-dir", str(tmp_path), "--base-port", str(free_port), VESTIBULE_REDIS_URL="http://localhost")
    assert 1 == result.returncode
    assert "VESTIBULE_REDIS_URL" in result.stderr


@pytest.mark.parametrize(("options", "level"), [([], "warning"), (["--verbose"], None)])
def test_parts_show_warnings_and_errors_unless_all_lines_are_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], level: str | None
):
    """The parts get the level by a variable; the file and a pipe have every line."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr(wiring, "launch", lambda _layout, environment, _started_at: given.append(environment) or 0)
    assert 0 == CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path), *options]).exit_code
    assert [level] == [environment.get("VESTIBULE_TERMINAL_LEVEL") for environment in given]
