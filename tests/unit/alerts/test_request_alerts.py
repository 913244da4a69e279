"""The alerts of a door say that somebody came, and nothing of what they brought."""

from pathlib import Path

import pytest

from vestibule.alerts import Alert, AlertArchive, AlertSettings, AlertType, RequestAlerts, Severity, build_alert_engine
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store import alert_store
from vestibule.alerts.store.alert_store import ReportBound
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.contracts.errors import InvalidInput
from vestibule.runtime.log_context import bound_log_fields


def _alerts(folder: Path) -> RequestAlerts:
    settings = AlertSettings(data_dir=folder, alert_channels=["report_file"])
    return RequestAlerts(build_alert_engine("client", settings), lambda text, _tenant: f"{len(text):016x}")


def _only_alert(folder: Path) -> Alert:
    (alert,) = AlertArchive(folder / "alerts.db").page(limit=10).alerts
    return alert


async def test_a_stranger_is_reported_without_the_token(tmp_path: Path) -> None:
    """A report has a fingerprint of what was shown, the request's id, and nothing else of it."""
    with bound_log_fields(request_id="the-id"):
        await _alerts(tmp_path).report_auth_failure("my-old-token")
    alert = _only_alert(tmp_path)
    assert (AlertType.INVALID_TOKEN, "000000000000000c", "the-id") == (alert.type, alert.fingerprint, alert.request_id)
    (path,) = (tmp_path / "error_reports").iterdir()
    assert "my-old-token" not in path.read_text() + path.name


async def test_somebody_without_a_token_is_reported(tmp_path: Path) -> None:
    """There is nothing to take a fingerprint of, and the report says so."""
    await _alerts(tmp_path).report_auth_failure(None)
    alert = _only_alert(tmp_path)
    assert (None, "A request had no token.") == (alert.fingerprint, alert.description)


async def test_invalid_input_is_reported_with_its_detail(tmp_path: Path) -> None:
    """The detail, which repeats nothing that was sent, says what was wrong; the token's id says whose it was."""
    with bound_log_fields(request_id="the-id", token_id="t-1"):
        await _alerts(tmp_path).report_invalid_input(InvalidInput("Look at: body/key."))
    alert = _only_alert(tmp_path)
    expected = (AlertType.INVALID_INPUT, "Invalid input. Look at: body/key.", "the-id", "t-1")
    assert expected == (alert.type, alert.description, alert.request_id, alert.token_id)


async def test_a_flood_of_malformed_requests_writes_few_files_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each token has its share of files; every alert is recorded and grouped, and no missing file is made up for."""
    monkeypatch.setattr(alert_store, "REPORTS_PER_MINUTE", 3)
    alerts = _alerts(tmp_path)
    for token_id in ["greedy"] * 30 + ["neighbour"]:
        with bound_log_fields(request_id="the-id", token_id=token_id):
            await alerts.report_invalid_input(InvalidInput("Look at: body/key."))
    folder = tmp_path / "error_reports"
    assert 4 == len(list(folder.iterdir()))
    connection = open_database(tmp_path / "alerts.db")
    outbox = Outbox(connection, DeliveryRules(Grouping(), 60, 60))
    outbox.group_new()
    assert [("greedy", 30), ("neighbour", 1)] == connection.execute(
        "SELECT token_id, count FROM groups ORDER BY token_id"
    ).fetchall()
    synced: list[Alert] = []
    outbox.sync(2**62, synced.extend)
    connection.close()
    assert 4 == len(synced)


async def test_unknown_tokens_are_grouped_by_address(tmp_path: Path) -> None:
    """What one address shows is one group, whatever another shows."""
    alerts = _alerts(tmp_path)
    for number in range(6):
        await alerts.report_auth_failure(f"guess {number}", "203.0.113.9" if number % 3 else "198.51.100.100")
    await alerts.report_guessed_tokens("203.0.113.9", 4)
    connection = open_database(tmp_path / "alerts.db")
    Outbox(connection, DeliveryRules(Grouping(), 60, 60)).group_new()
    assert [2, 5] == sorted(count for (count,) in connection.execute("SELECT count FROM groups"))
    connection.close()


async def test_a_token_without_the_scope_is_told(tmp_path: Path) -> None:
    """The alert names the token by its id."""
    with bound_log_fields(request_id="the-id", token_id="t-1"):
        await _alerts(tmp_path).report_denied(30)
    alert = _only_alert(tmp_path)
    assert (AlertType.ACCESS_DENIED, "t-1") == (alert.type, alert.token_id)


def test_the_bound_of_reports_is_for_a_minute_and_for_each_type() -> None:
    """Findings have a report each, always."""
    now_s = 0.0
    bound = ReportBound(lambda: now_s)

    def reports(alert_type: AlertType, times: int) -> int:
        one = Alert(type=alert_type, description="", service="client", severity=Severity.INFO, token_id="t")
        return sum(bound.apply(one).has_report for _ in range(times))

    assert 20 == reports(AlertType.INVALID_INPUT, 50)
    assert 20 == reports(AlertType.INVALID_TOKEN, 50)
    assert 50 == reports(AlertType.PERSONAL_DATA, 50)
    now_s += 60
    assert 20 == reports(AlertType.INVALID_INPUT, 50)
