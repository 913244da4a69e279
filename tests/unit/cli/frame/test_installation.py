"""Where commands work that can use files or the API: options win over variables, and these over the server in use."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from vestibule.cli.frame.installation import Installation, use_files, use_installation
from vestibule.cli.frame.problems import CommandFailed, failing_on

ADDRESS = "http://127.0.0.1:9"


def _program(command: object) -> typer.Typer:
    made = typer.Typer(add_completion=False)
    made.command()(command)  # type: ignore[type-var]
    return made


@use_installation
def where(place: Installation) -> None:
    """Print the place."""
    place.output.done({}, place.name if place.session is None else place.session.server.url)


@use_files
def broken(place: Installation) -> None:
    """Fail as a file does."""
    with failing_on(OSError, exit_code=78):
        (place.data_dir / "missing").read_text()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two servers, of which none is used."""
    for name in ("SERVER", "URL", "DATA_DIR", "TOKEN"):
        monkeypatch.delenv(f"VESTIBULE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    _use(tmp_path, None)
    return tmp_path


def _use(home: Path, current: str | None) -> None:
    servers = {name: {"url": f"https://{name}.example.org", "token": "t"} for name in ("prod", "test")}
    (home / "vestibule").mkdir(exist_ok=True)
    (home / "vestibule" / "servers.json").write_text(json.dumps({"current": current, "servers": servers}))


@pytest.mark.parametrize(
    ("words", "environment", "current", "expected"),
    [
        ("", {}, None, "var"),
        ("", {"URL": ADDRESS}, None, "var"),
        ("", {}, "prod", "https://prod.example.org"),
        ("", {"DATA_DIR": "there"}, "prod", "there"),
        ("", {"DATA_DIR": "there", "SERVER": "test"}, "prod", "https://test.example.org"),
        ("--data-dir here", {"SERVER": "test"}, "prod", "here"),
        ("--server test", {"DATA_DIR": "there"}, "prod", "https://test.example.org"),
        (f"--url {ADDRESS}", {"DATA_DIR": "there", "SERVER": "test"}, "prod", ADDRESS),
    ],
)
def test_where_a_command_works(
    home: Path, words: str, environment: dict[str, str], current: str | None, expected: str
) -> None:
    """The address of other commands alone makes none work over the API."""
    _use(home, current)
    given = {f"VESTIBULE_{name}": value for name, value in environment.items()}
    done = CliRunner().invoke(_program(where), words.split(), env=given)
    assert (0, expected) == (done.exit_code, done.output.strip())


@pytest.mark.usefixtures("home")
def test_two_places_are_one_too_many() -> None:
    """Nothing is done in either."""
    refused = CliRunner().invoke(_program(where), ["--data-dir", "here", "--url", ADDRESS])
    assert (2, True) == (refused.exit_code, "either --data-dir" in refused.output)


def test_a_failure_of_files_is_a_problem_too(tmp_path: Path) -> None:
    """With --json it is the document on standard output; the exit code stays."""
    told = CliRunner().invoke(_program(broken), ["--data-dir", str(tmp_path)])
    assert (78, "") == (told.exit_code, told.stdout)
    assert told.stderr.startswith("vestibule: [Errno 2]")
    document = CliRunner().invoke(_program(broken), ["--data-dir", str(tmp_path), "--json"])
    assert (78, "/problems/command-failed") == (document.exit_code, json.loads(document.stdout)["type"])


def test_an_error_without_an_answer_has_its_own_code() -> None:
    """It is 1 unless said otherwise."""
    assert (1, 5) == (CommandFailed("a").exit_code, CommandFailed("a", exit_code=5).exit_code)
