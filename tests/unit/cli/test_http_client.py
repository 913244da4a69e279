"""Where the program looks for a running system."""

import os
import subprocess
import sys

import pytest
import typer

from vestibule.cli.http_client import HttpClient


@pytest.mark.parametrize(("base_port", "port"), [("18620", 18623), ("", 8003), ("no number", 8003)])
def test_the_program_looks_where_up_was_told_to_listen(base_port: str, port: int) -> None:
    """The variable of `vestibule up --base-port` is heeded by what speaks to the system; VESTIBULE_URL and such win."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    code = "from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL as url; print(url)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "VESTIBULE_BASE_PORT": base_port},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"http://127.0.0.1:{port}" == done.stdout.strip()


@pytest.mark.parametrize("url", ["nonsense", "localhost:8000", "ftp://localhost", "http://"])
def test_an_address_that_is_no_http_address_is_refused_as_such(url: str) -> None:
    """It is the address that is wrong, not the token."""
    with pytest.raises(typer.BadParameter) as refusal:
        _ = HttpClient(url, "").token
    assert "--url" == refusal.value.param_hint


def test_another_machine_needs_a_token() -> None:
    """The development token is for this machine alone."""
    with pytest.raises(typer.BadParameter) as refusal:
        _ = HttpClient("https://vestibule.example.org", "").token
    assert "--token" == refusal.value.param_hint
