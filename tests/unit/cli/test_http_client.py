"""Where the program looks for a running system."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import typer

from vestibule.cli.commands.tasks import show_task
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


@pytest.mark.parametrize(("state", "code"), [("succeeded", None), ("failed", 1), ("queued", 8), ("running", 8)])
def test_a_task_that_has_not_ended_in_time_is_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str, code: int | None
) -> None:
    """A script that waits for a result must not take `queued` for it."""
    http = HttpClient("", "")
    status = {"task_id": "the-task", "state": state, "result": "RESULT", "error": {"detail": "It failed."}}
    monkeypatch.setattr(http, "call", lambda *_path, **_query: status)
    with pytest.raises(typer.Exit) if code else nullcontext() as ended:
        show_task(http, "the-task", 0.001)
    assert code == (ended and ended.value.exit_code)
    assert ("vestibule task wait the-task" in capsys.readouterr().err) == (code == 8)
