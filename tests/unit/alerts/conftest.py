"""What the tests of alerts share: a real server on loopback that is notified, and how a report is read back."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from servers.receivers import Answer, HttpReceiver, Posted, running
from vestibule.alerts import Alert, AlertType, Severity


class NotifiedServer(HttpReceiver):
    """Answers with `status`, or as `statuses` says where path or body holds a word of it."""

    def __init__(self) -> None:
        super().__init__(answer=self._judge)
        self.status = 200
        self.statuses: dict[str, int] = {}

    def _judge(self, posted: Posted) -> Answer:
        told = (status for word, status in self.statuses.items() if word in posted.path + posted.text)
        return Answer(next(told, self.status))


@pytest.fixture
def server() -> Iterator[NotifiedServer]:
    """A real server on loopback."""
    with running(NotifiedServer()) as server:
        yield server


def parse_report(text: str) -> Alert:
    """Return the alert of a report; a line that is missing or stands twice fails the test."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        label, _, value = line.partition(": ")
        assert label not in values
        values[label] = value
    return Alert(
        type=AlertType(values["Type"]),
        description=values["Description"],
        service=values["Service"],
        severity=Severity(values["Severity"]),
        entities=tuple(values["Entities"].split(", ")) if "Entities" in values else (),
        fingerprint=values.get("Fingerprint"),
        request_id=values.get("Request-ID"),
        token_id=values.get("Token-ID"),
        tenant=values["Tenant"],
        subject=values.get("Subject"),
        count=int(values["Count"]),
        id=values["Alert-ID"],
        time=datetime.fromisoformat(values["Time"]),
    )
