"""A misspelt setting is noticed by every command, and so is one that was never there."""

import json

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app
from vestibule.cli.setting_names import NAMES, PREFIX, unknown_settings, warn_of_unknown_settings


def test_the_names_are_those_of_all_settings() -> None:
    """What `vestibule config` lists."""
    listed = json.loads(CliRunner().invoke(app, ["config", "--json"]).output)
    assert {row["variable"].removeprefix(PREFIX) for row in listed} == NAMES


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("VESTIBULE_LOG_LEVL", "VESTIBULE_LOG_LEVEL"),
        ("VESTIBULE_DATABSE_URL", "VESTIBULE_DATABASE_URL"),
        ("vestibule_keyring_fle", "VESTIBULE_KEYRING_FILE"),
        ("VESTIBULE_XYZZY", None),
    ],
)
def test_an_unknown_setting_is_named_with_its_nearest(variable: str, expected: str | None) -> None:
    """Whatever its case; without a near one it is named all the same."""
    assert [(variable, expected)] == list(unknown_settings({variable: "x", "PATH": "/bin"}))


@pytest.mark.parametrize(
    "variable",
    [
        *("VESTIBULE_LOG_LEVEL", "vestibule_log_level", "VESTIBULE_DETECTION", "VESTIBULE_TEST_PODMAN"),
        *(
            "VESTIBULE_DATABASE_SERVICE_HOST",
            "VESTIBULE_CLIENT_PORT_8000_TCP_ADDR",
            "VESTIBULE_DATABASE_SERVICE_PORT_HTTP",
        ),
        *("VESTIBULER", "MY_VESTIBULE_X", "VESTIBULE_PARENT_PID"),
    ],
)
def test_what_is_known_is_not_named(variable: str) -> None:
    """Groups, variables of platforms and tests, and those of other programs."""
    assert [] == list(unknown_settings({variable: "x", "VESTIBULE_DATABASE_PORT": "tcp://10.0.0.1:8001"}))


def test_a_warning_shows_no_value_and_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error; the parts of `vestibule up` leave it to that."""
    environment = {"VESTIBULE_TOKN": "Zq7MARKERx9"}
    warn_of_unknown_settings({**environment, "VESTIBULE_EMBEDDED": "1"})
    warn_of_unknown_settings(environment)
    shown = capsys.readouterr()
    expected = "vestibule: VESTIBULE_TOKN is no setting and has no effect; did you mean VESTIBULE_TOKEN?\n"
    assert ("", expected) == (shown.out, shown.err)


def test_every_command_names_it() -> None:
    """A command that asks a running system would otherwise ask another one without a word."""
    shown = CliRunner().invoke(app, ["scan", "hello"], env={"VESTIBULE_BASEPORT": "9000"})
    assert (0, "did you mean VESTIBULE_BASE_PORT?\n") == (shown.exit_code, shown.stderr[-34:])
