"""The alerts of a door say that somebody came, and nothing of what they brought."""

from pathlib import Path

import structlog

from vestibule.alerts import Alert, AlertArchive, AlertSettings, AlertType, RequestAlerts, build_alert_engine
from vestibule.contracts.errors import InvalidInput


def _door(folder: Path) -> RequestAlerts:
    settings = AlertSettings(data_dir=folder, alert_channels=["report_file"])
    return RequestAlerts(build_alert_engine("client", settings), lambda text: f"{len(text):016x}")


def _only_alert(folder: Path) -> Alert:
    (alert,) = AlertArchive(folder / "alerts.db").page(limit=10).alerts
    return alert


async def test_a_stranger_is_reported_without_the_token(tmp_path: Path) -> None:
    """A report has a fingerprint of what was shown, the request's id, and nothing else of it."""
    with structlog.contextvars.bound_contextvars(request_id="the-id"):
        await _door(tmp_path).report_auth_failure("my-old-token")
    alert = _only_alert(tmp_path)
    assert (AlertType.INVALID_TOKEN, "000000000000000c", "the-id") == (alert.type, alert.fingerprint, alert.request_id)
    (path,) = (tmp_path / "error_reports").iterdir()
    assert "my-old-token" not in path.read_text() + path.name


async def test_somebody_without_a_token_is_reported(tmp_path: Path) -> None:
    """There is nothing to take a fingerprint of, and the report says so."""
    await _door(tmp_path).report_auth_failure(None)
    alert = _only_alert(tmp_path)
    assert (None, "A request had no token.") == (alert.fingerprint, alert.description)


async def test_invalid_input_is_reported_with_its_detail(tmp_path: Path) -> None:
    """The detail, which repeats nothing that was sent, says what was wrong; the token's id says whose it was."""
    with structlog.contextvars.bound_contextvars(request_id="the-id", token_id="t-1"):
        await _door(tmp_path).report_invalid_input(InvalidInput("Look at: body/key."))
    alert = _only_alert(tmp_path)
    expected = (AlertType.INVALID_INPUT, "Invalid input. Look at: body/key.", "the-id", "t-1")
    assert expected == (alert.type, alert.description, alert.request_id, alert.token_id)
