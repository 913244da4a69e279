"""What people wrote about alerts can be erased: from the store and from the report files."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vestibule.alerts import AlertSettings, AlertType, build_alert_engine
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store.archive import AlertArchive
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.alerts.store.groups import AlertGroups
from vestibule.alerts.store.reasons import AlertReasons
from vestibule.alerts.store.silences import Silence, SilenceRepository

NAME = "Ada Lovelace"


def _files_with_name(store: Path) -> list[str]:
    return [path.name for path in store.parent.glob(f"{store.name}*") if NAME.encode() in path.read_bytes()]


def _change_group(settings: AlertSettings, groups: AlertGroups, reason: str) -> None:
    """Acknowledge a group for a reason, then resolve it without one: the first stands in its history."""
    with closing(open_database(settings.alert_record_path)) as connection:
        Outbox(connection, DeliveryRules(Grouping(), 60, 60)).group_new()
    group, *_ = groups.page(limit=9).groups
    groups.change(group.id, "acknowledged", "somebody", reason)
    groups.change(group.id, "resolved", "somebody", None)


async def test_reasons_are_erased_everywhere(tmp_path: Path) -> None:
    """Of silences and reveals that name the subject; all others stay, and so do the alerts themselves."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=["report_file"])
    engine, silences = build_alert_engine("client", settings), SilenceRepository(settings.alert_record_path)
    assert 0 == AlertReasons(tmp_path / "none.db", tmp_path).erase("t1", lambda _: True)
    for reason in (f"asked by {NAME}", "a ticket"):
        await engine.raise_alert(
            AlertType.REVEAL, f"A value was revealed; reason given: {reason}", token_id="t", tenant="t1"
        )
        now = datetime.now(UTC)
        silence = Silence(None, None, None, "somebody", reason, now, now + timedelta(hours=1), tenant="t1")
        silences.set_end(silences.add(silence), now + timedelta(hours=2), "somebody", reason)
    _change_group(settings, AlertGroups(settings.alert_record_path), f"asked by {NAME}")
    reports = list(settings.report_dir.glob("*.txt"))
    assert 1 == sum(NAME in path.read_text() for path in reports)
    reasons = AlertReasons(settings.alert_record_path, settings.report_dir)
    assert [] != _files_with_name(settings.alert_record_path)
    assert 0 == reasons.erase("t2", lambda text: NAME in text)
    assert 4 == reasons.erase("t1", lambda text: NAME in text)
    assert [] == _files_with_name(settings.alert_record_path)
    assert ["(erased)", "a ticket"] == sorted(silence.reason for silence in silences.find_all())
    texts = {alert.description for alert in AlertArchive(settings.alert_record_path).page(limit=9).alerts}
    assert {"(erased)", "A value was revealed; reason given: a ticket"} == texts
    assert 0 == sum(NAME in path.read_text() for path in reports)
    assert 2 == len(reports)
    assert 0 == reasons.erase("t1", lambda text: NAME in text)
