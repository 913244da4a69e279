"""Servers by name: a private file, tokens that are never shown, and which server a command speaks to."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from vestibule.cli.frame.server_choice import choose_server
from vestibule.cli.frame.servers import Server, Servers, ServersUnreadable, read_servers, servers_path, write_servers
from vestibule.cli.main import app
from vestibule.cli.options import DEVELOPMENT_TOKEN

TOKEN = "vt_Zq7MARKERx9"
PROD = Server("prod", "https://prod.example.org", "https://status.example.org", TOKEN)
LOCAL = ("http://127.0.0.1:8000", DEVELOPMENT_TOKEN)
PROD_PAIR = ("https://prod.example.org", TOKEN)
OTHER = "http://127.0.0.1:9000"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the configuration of programs, and no variable of ours."""
    for name in [name for name in os.environ if name.startswith("VESTIBULE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def _run(*words: str, given: str | None = None) -> Any:
    return CliRunner().invoke(app, ["server", *words], input=given)


def test_a_server_is_added_used_and_removed(folder: Path) -> None:
    """The first is used at once; the file is for its owner alone; no output has a token."""
    outputs = [
        _run("add", "prod", "https://prod.example.org/", "--token", "-", given=f"{TOKEN}\n"),
        _run("add", "test", "http://127.0.0.1:9000"),
        _run("use", "test"),
        _run("list"),
        _run("list", "--json"),
        _run("remove", "test"),
    ]
    assert [0] * 6 == [one.exit_code for one in outputs]
    assert not any(TOKEN in one.output for one in outputs)
    assert "\tprod\thttps://prod.example.org\t\ttrue\n*\ttest\thttp://127.0.0.1:9000\t\tfalse\n" == outputs[3].stdout
    assert ["prod", "test"] == [one["name"] for one in json.loads(outputs[4].stdout)]
    assert 0o600 == stat.S_IMODE(servers_path().stat().st_mode)
    left = read_servers()
    assert (None, {"prod": TOKEN}) == (left.current, {name: one.token for name, one in left.by_name.items()})
    assert TOKEN not in repr(left)


def test_a_token_is_no_argument() -> None:
    """Other users of the machine see arguments."""
    refused = _run("add", "prod", "https://prod.example.org", "--token", TOKEN)
    assert (2, True) == (refused.exit_code, "standard input" in " ".join(refused.output.split()))
    assert not servers_path().exists()


@pytest.mark.parametrize("words", [["use", "prod"], ["remove", "prod"]])
def test_an_unknown_name_is_not_found(words: list[str]) -> None:
    """With the code of what is not found, and without a file."""
    assert 5 == _run(*words).exit_code
    assert not servers_path().exists()


@pytest.mark.parametrize("words", [["add", "a b", "http://x"], ["add", "x", "nonsense"], ["add", "x", "ftp://x"]])
def test_a_bad_name_or_address_is_wrong_usage(words: list[str]) -> None:
    """Nothing is written."""
    assert (2, False) == (_run(*words).exit_code, servers_path().exists())


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"servers": {}}', '{"current": "a", "servers": {}}', "[" * 100_000),
        *('{"current": null, "servers": {"a": {}}}', '{"current": null, "servers": {"a": {"url": 1}}}'),
        '{"current": null, "servers": {"a": {"url": "http://x", "token": 7}}}',
    ],
)
def test_a_damaged_file_is_named(content: str) -> None:
    """The message has the path and what to do, and nothing of the file."""
    servers_path().parent.mkdir()
    servers_path().write_text(content)
    with pytest.raises(ServersUnreadable, match="damaged") as refusal:
        read_servers()
    assert str(servers_path()) in str(refusal.value)
    refused = _run("list")
    assert (1, "") == (refused.exit_code, refused.stdout)


# Option, variables, and the address and token that a command uses; `prod` is the current server.
CHOICES = {
    "the current server": ({}, {}, PROD_PAIR),
    "a variable wins over it": ({}, {"VESTIBULE_URL": OTHER}, (OTHER, DEVELOPMENT_TOKEN)),
    "with the token of the variable": ({}, {"VESTIBULE_URL": OTHER, "VESTIBULE_TOKEN": "t"}, (OTHER, "t")),
    "a token by variable wins over that of the current server": ({}, {"VESTIBULE_TOKEN": "t"}, (PROD.url, "t")),
    "a server by variable": ({}, {"VESTIBULE_SERVER": "prod"}, PROD_PAIR),
    "an address by variable wins over it": (
        {},
        {"VESTIBULE_SERVER": "prod", "VESTIBULE_URL": OTHER},
        (OTHER, DEVELOPMENT_TOKEN),
    ),
    "a server by option wins over the variables": (
        {"name": "prod"},
        {"VESTIBULE_URL": OTHER, "VESTIBULE_TOKEN": "t"},
        PROD_PAIR,
    ),
    "a token by option wins": ({"name": "prod", "token": "given"}, {"VESTIBULE_TOKEN": "t"}, (PROD.url, "given")),
    "an address by option": ({"url": OTHER}, {"VESTIBULE_SERVER": "prod"}, (OTHER, DEVELOPMENT_TOKEN)),
}


@pytest.mark.parametrize("case", CHOICES)
def test_an_option_wins_over_a_variable_over_the_current_server(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of a server goes to that server alone."""
    given, variables, expected = CHOICES[case]
    write_servers(Servers({"prod": PROD}, "prod"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # As typer does: an option that is not given has the value of its variable.
    asked = {"name": "VESTIBULE_SERVER", "token": "VESTIBULE_TOKEN", "url": "VESTIBULE_URL"}
    chosen = choose_server(
        **{name: given.get(name) or os.environ.get(variable, "") for name, variable in asked.items()}
    )
    assert expected == (chosen.url, chosen.token)


def test_without_servers_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the port of `vestibule up --base-port`, whose variable is heeded."""
    chosen = choose_server()
    assert LOCAL == (chosen.url, chosen.token)
    monkeypatch.setenv("VESTIBULE_BASE_PORT", "18620")
    assert ("http://127.0.0.1:18620", "http://127.0.0.1:18623") == (choose_server().url, choose_server().scheduler_url)


@pytest.mark.parametrize("url", ["nonsense", "localhost:8000", "ftp://localhost", "http://", "http://x:99999"])
def test_an_address_that_is_no_http_address_is_refused_as_such(url: str) -> None:
    """It is the address that is wrong, not the token."""
    with pytest.raises(typer.BadParameter) as refusal:
        choose_server(url=url)
    assert "--url" == refusal.value.param_hint


def test_another_machine_needs_a_token() -> None:
    """The development token is for this machine alone."""
    with pytest.raises(typer.BadParameter) as refusal:
        choose_server(url="https://vestibule.example.org")
    assert "--token" == refusal.value.param_hint


def test_an_unknown_server_is_named_with_those_that_are_known() -> None:
    """A misspelt name speaks to no other server."""
    write_servers(Servers({"prod": PROD}, "prod"))
    with pytest.raises(typer.BadParameter, match=r"'prd'.*known: prod"):
        choose_server("prd")
