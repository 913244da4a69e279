"""What the tests of alerts share: a real server on loopback that is notified."""

from collections.abc import Iterator

import pytest

from servers.receivers import Answer, HttpReceiver, Posted, running


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
