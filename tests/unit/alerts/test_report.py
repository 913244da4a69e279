"""A report says everything of an alert, and nothing in it can pass for something else."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vestibule.alerts import Alert, AlertType, Severity
from vestibule.alerts.alert import Notice, NoticeEvent
from vestibule.alerts.report import render_notice, render_report, report_name

from .conftest import parse_report

hexadecimal = st.text("0123456789abcdef", min_size=16, max_size=16)
# What cannot be printed is escaped.
printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
words = st.text(printable, min_size=1).map(lambda text: " ".join(text.split())).filter(bool)
alerts = st.builds(
    Alert,
    type=st.sampled_from(AlertType),
    description=words,
    service=st.sampled_from(["client", "database", "worker-1"]),
    severity=st.sampled_from(Severity),
    entities=st.lists(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), max_size=4).map(tuple),
    fingerprint=st.none() | hexadecimal,
    request_id=st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True),
    token_id=st.none() | hexadecimal,
    subject=st.none() | st.sampled_from(["database", "queue celery"]),
    count=st.integers(1, 10**6),
    id=hexadecimal,
    time=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),
)


@given(alerts)
def test_a_report_reads_back_as_its_alert(alert: Alert) -> None:
    """Nothing is lost between the alert, its file and the archive."""
    assert alert == parse_report(render_report(alert))


@given(st.text(st.characters(codec="utf-8"), min_size=1), alerts)
def test_a_description_cannot_forge_a_line(text: str, alert: Alert) -> None:
    """Whatever a description holds, it stays on its line and changes no other."""
    forged = f"{text}\nSeverity: info\r\nToken-ID: root\u2028Count: 99\x85Alert-ID: {'0' * 16}"
    described = Alert(type=alert.type, description=forged, service="client", severity=Severity.CRITICAL)
    report = render_report(described)
    read = parse_report(report)
    assert len(report.splitlines()) == len(report.split("\n")) - 1
    assert (Severity.CRITICAL, None, 1, described.id) == (read.severity, read.token_id, read.count, read.id)


def test_a_report_cannot_control_a_terminal() -> None:
    """The reason of a reveal is a caller's, and people print reports as they are."""
    reason = "a\x1b]0;x\x07 b\x9b2J c\u202e d\U000e0041 \u00e4\u6f22"
    report = render_report(Alert(type=AlertType.REVEAL, description=reason, service="client", severity=Severity.INFO))
    assert "Description: a\\u001b]0;x\\u0007 b\\u009b2J c\\u202e d\\U000e0041 \u00e4\u6f22" in report.splitlines()


def test_a_report_begins_with_time_type_and_description() -> None:
    """People find what they look for first where they look first."""
    alert = Alert(
        type=AlertType.PERSONAL_DATA,
        description="EMAIL_ADDRESS in the value of a request; the request was rejected.",
        service="client",
        severity=Severity.WARNING,
        entities=("EMAIL_ADDRESS",),
        id="0123456789abcdef",
        time=datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
    )
    expected = [
        "Time: 2026-03-04T05:06:07.000089+00:00",
        "Type: PersonalData",
        "Description: EMAIL_ADDRESS in the value of a request; the request was rejected.",
        "Severity: warning",
        "Service: client",
        "Entities: EMAIL_ADDRESS",
        "Tenant: ~system",
        "Count: 1",
        "Alert-ID: 0123456789abcdef",
    ]
    assert expected == render_report(alert).splitlines()
    assert "20260304T050607.000089Z_PersonalData_0123456789abcdef.txt" == report_name(alert)


def test_a_notification_says_what_it_stands_for() -> None:
    """People read why they are told, of how many groups, over which time, by which replica, and where to read on."""
    alert = Alert(type=AlertType.SECRET, description="x", service="client", severity=Severity.INFO)
    first, last = datetime(2026, 3, 4, 5, tzinfo=UTC), datetime(2026, 3, 4, 6, tzinfo=UTC)
    told = replace(
        alert,
        notice=Notice("k", NoticeEvent.RAISED, alert.id, first, last, groups=7, replica="host-1", link="https://a/x"),
    )
    expected = [
        "Event: raised",
        "First: 2026-03-04T05:00:00+00:00",
        "Last: 2026-03-04T06:00:00+00:00",
        "Groups: 7",
        "Replica: host-1",
        "Link: https://a/x",
        "Runbook: docs/alerts.md#secret",
    ]
    assert expected == render_notice(told).splitlines()[-7:]
    assert render_report(alert) == render_notice(alert)


@given(st.lists(alerts, min_size=2, max_size=5))
def test_names_sort_as_the_alerts_happened(some: list[Alert]) -> None:
    """A listing of the folder is in the order of time."""
    by_name = sorted(some, key=report_name)
    assert sorted(alert.time for alert in some) == [alert.time for alert in by_name]
