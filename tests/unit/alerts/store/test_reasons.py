"""What people wrote about alerts can be erased: from the store and from the report files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from vestibule.alerts import AlertSettings, AlertType, build_alert_engine
from vestibule.alerts.store.archive import AlertArchive, AlertTriage, Silence
from vestibule.alerts.store.reasons import AlertReasons

NAME = "Ada Lovelace"


def _files_with_name(store: Path) -> list[str]:
    return [path.name for path in store.parent.glob(f"{store.name}*") if NAME.encode() in path.read_bytes()]


async def test_reasons_are_erased_everywhere(tmp_path: Path) -> None:
    """Of silences and reveals that name the subject; all others stay, and so do the alerts themselves."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=["report_file"])
    engine, triage = build_alert_engine("client", settings), AlertTriage(settings.alert_record_path)
    assert 0 == AlertReasons(tmp_path / "none.db", tmp_path).erase("t1", lambda _: True)
    for reason in (f"asked by {NAME}", "a ticket"):
        await engine.raise_alert(AlertType.REVEAL, f"A value was revealed; reason given: {reason}", tenant="t1")
        now = datetime.now(UTC)
        triage.silence(Silence(None, None, None, "somebody", reason, now, now + timedelta(hours=1), tenant="t1"))
    reports = list(settings.report_dir.glob("*.txt"))
    assert 1 == sum(NAME in path.read_text() for path in reports)
    reasons = AlertReasons(settings.alert_record_path, settings.report_dir)
    assert [] != _files_with_name(settings.alert_record_path)
    assert 0 == reasons.erase("t2", lambda text: NAME in text)
    assert 2 == reasons.erase("t1", lambda text: NAME in text)
    assert [] == _files_with_name(settings.alert_record_path)
    assert ["(erased)", "a ticket"] == sorted(silence.reason for silence in triage.silences())
    texts = {alert.description for alert in AlertArchive(settings.alert_record_path).page(limit=9).alerts}
    assert {"(erased)", "A value was revealed; reason given: a ticket"} == texts
    assert 0 == sum(NAME in path.read_text() for path in reports)
    assert 2 == len(reports)
    assert 0 == reasons.erase("t1", lambda text: NAME in text)
