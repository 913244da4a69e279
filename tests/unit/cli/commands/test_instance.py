"""Commands that read or change a data directory do not invent one."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app
from vestibule.runtime.starts import DatabaseMark

COMMANDS = [
    ("token", "create", "--name", "x", "--scope", "read"),
    ("token", "list"),
    ("token", "revoke", "x"),
    ("keyring", "list"),
    ("keyring", "rotate"),
    ("keyring", "check"),
    ("keyring", "rewrap"),
    ("keyring", "retire", "00000000"),
    ("keyring", "secret"),
    ("db", "check"),
    ("db", "adopt"),
    ("db", "export"),
    ("db", "export", "--plain"),
    ("db", "backup", "backup.db"),
    ("logs",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("exists", [False, True], ids=["missing", "empty"])
def test_a_command_creates_no_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], exists: bool
) -> None:
    """A mistyped name is told, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    data_dir = tmp_path / "mistyped"
    if exists:
        data_dir.mkdir()
    ended = CliRunner().invoke(app, [*words, "--data-dir", str(data_dir)])
    assert ended.exit_code in (1, 78)
    assert (True, False) == (str(data_dir) in ended.output, "Traceback" in ended.output)
    assert ([data_dir] if exists else []) == list(tmp_path.rglob("*"))


def test_adopting_removes_the_marks_alone(tmp_path: Path) -> None:
    """The next start then takes the databases as they are; what else is there stays."""
    (tmp_path / "keys").mkdir()
    for name in ("vestibule.db", "alerts.db"):
        DatabaseMark.beside(tmp_path / name).write("0123456789abcdef")
    for expected in ("The next start takes the databases as they are.", "No database was created here."):
        ended = CliRunner().invoke(app, ["db", "adopt", "--data-dir", str(tmp_path)])
        assert (0, f"{expected}\n") == (ended.exit_code, ended.output)
    assert ["audit", "keys"] == sorted(path.name for path in tmp_path.iterdir())
