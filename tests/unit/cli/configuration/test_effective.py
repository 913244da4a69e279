"""Settings as they are in effect: the value, where it comes from, and nothing that is secret."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli.configuration.effective import read_effective, variables_in_env_file
from vestibule.cli.configuration.masking import masked
from vestibule.cli.embedded.parts import SECRET_SETTINGS
from vestibule.cli.main import app
from vestibule.service_kit.settings import SettingDescription

OPTIONS = [
    SettingDescription("VESTIBULE_DATA_DIR", "var", "The data directory"),
    SettingDescription("VESTIBULE_DETECTION__ENTITIES", "", "Entities"),
    SettingDescription("VESTIBULE_KEYRING_FILE", "", "The key ring"),
    SettingDescription("VESTIBULE_PORT", "8000", "The port"),
    SettingDescription("VESTIBULE_REDIS_URL", "redis://127.0.0.1:6379/0", "Redis"),
]


def _found(environment: dict[str, str], wiring: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    return {one.variable: (one.value, one.source) for one in read_effective(OPTIONS, environment, wiring or {})}


def test_each_value_says_where_it_comes_from() -> None:
    """A default, a variable in any case, a member of a group, a file with the password, and `vestibule up`."""
    environment = {
        "vestibule_port": "9000",
        "VESTIBULE_DETECTION": '{"entities": ["IBAN_CODE"]}',
        "VESTIBULE_REDIS_URL": "redis://h:1/0",
        "VESTIBULE_REDIS_PASSWORD_FILE": "/run/secrets/redis",
        "VESTIBULE_POLCY": "block",
    }
    expected = {
        "VESTIBULE_DATA_DIR": ("/data", "vestibule up"),
        "VESTIBULE_DETECTION__ENTITIES": ('["IBAN_CODE"]', "VESTIBULE_DETECTION"),
        "VESTIBULE_KEYRING_FILE": ("/data/keys/keyring.json", "default"),
        "VESTIBULE_PORT": ("9000", "variable"),
        "VESTIBULE_REDIS_URL": ("redis://h:1/****", "variable, password from VESTIBULE_REDIS_PASSWORD_FILE"),
        "VESTIBULE_POLCY": ("", "unknown"),
    }
    assert expected == _found(environment, {"VESTIBULE_DATA_DIR": "/data"})
    assert ("redis://127.0.0.1:6379/0", "default") == _found({})["VESTIBULE_REDIS_URL"]


@pytest.mark.parametrize("variable", sorted(SECRET_SETTINGS))
@pytest.mark.parametrize(
    "value",
    [
        *("s3cret", "https://user:s3cret@host/s3cret?a=s3cret", "redis://:s3cret@[::1]:1/0", "x://[s3cret"),
        *('["json://s3cret@host"]', "slack://s3cret", "unix:///redis.sock?password=s3cret"),
    ],
)
def test_no_secret_is_shown(variable: str, value: str) -> None:
    """Of an address scheme, host and port stay, and of anything else nothing."""
    assert "s3cret" not in masked(variable, value)


def test_the_command_lists_all_or_what_is_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As JSON with value and source; an invalid value ends it with 1, and a `.env` is said not to be read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("export VESTIBULE_PORT=1\nOTHER=2\n# VESTIBULE_HOST\n")
    monkeypatch.setenv("VESTIBULE_CALLBACK_SECRET", "s3cret-4711")
    done = CliRunner().invoke(app, ["config", "--json", "--changed"])
    assert 0 == done.exit_code
    assert "s3cret" not in done.output
    rows = {row["variable"]: row for row in json.loads(done.stdout)}
    assert {"value": "****", "source": "variable", "secret": True}.items() <= rows["VESTIBULE_CALLBACK_SECRET"].items()
    assert "default" not in {row["source"] for row in rows.values()}
    assert ".env is not read; it has VESTIBULE_PORT" in done.stderr
    assert ["VESTIBULE_PORT"] == variables_in_env_file(tmp_path / ".env")
    monkeypatch.setenv("VESTIBULE_PORT", "s3cret")
    refused = CliRunner().invoke(app, ["config", "--json"])
    assert (1, True) == (refused.exit_code, "VESTIBULE_PORT: Input should be a valid integer" in refused.stderr)
