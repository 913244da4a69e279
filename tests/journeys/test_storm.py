"""A storm of leaks is counted exactly and told in a handful of notifications, and no report of it is lost."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from servers.receivers import HttpReceiver, running
from vestibule.service_kit.auth.token_file import create_token

LEAKS, TOKENS, CONNECTIONS = 150, 15, 30


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    """A server on loopback that is notified."""
    with running(HttpReceiver()) as server:
        yield server


# Seldom, on a slow machine, some groups are told with the next gathering, a minute later.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_storm_is_counted_exactly_and_told_briefly(start, hook, wait_until):
    """Each leak of many tokens at once is refused, recorded, reported and counted, and people hear of it briefly."""
    system = start(
        VESTIBULE_ALERT_CHANNELS='["report_file", "report_lines", "webhook"]',
        VESTIBULE_ALERT_EGRESS_SCHEMES='["http"]',
        VESTIBULE_ALERT_EGRESS_PRIVATE="true",
        VESTIBULE_ALERT_WEBHOOK_URL=hook.url("/"),
        VESTIBULE_ALERT_WEBHOOK_SECRET="the-key",
        VESTIBULE_ALERT_GROUP_WAIT_S="5",
    )
    tokens = [
        create_token(system.data_dir / "keys" / "tokens.json", f"caller {number}", ["add"])[0]
        for number in range(TOKENS)
    ]
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as client:

        def leak(number: int) -> str:
            body = {"key": f"storm-{number}", "value": f"write to ann.{number}@example.org"}
            headers = {"Authorization": f"Bearer {tokens[number % TOKENS]}"}
            return str(client.post("/add", json=body, headers=headers).json().get("alert_id"))

        # The last token that was made is known last.
        wait_until(lambda: leak(TOKENS - 1) != "None", 60, "the last token")
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            ids = set(pool.map(leak, range(LEAKS)))
    assert LEAKS == len(ids - {"None"})
    expected = LEAKS + 1

    record = sqlite3.connect(system.data_dir / "alerts.db")
    total = "SELECT sum(count), count(*) FROM groups WHERE type = 'PersonalData'"
    wait_until(lambda: record.execute(total).fetchone() == (expected, TOKENS), 60, "exact counts")
    record.close()
    assert expected == len(system.reports("PersonalData"))
    lines = system.data_dir / "error_reports"
    wait_until(lambda: sum(path.read_text().count("\n") for path in lines.glob("*.jsonl")) >= expected, 60, "lines")

    def leaks() -> list[dict]:
        return [posted.json for posted in hook.posted if posted.json["type"] == "PersonalData"]

    wait_until(lambda: sum(notice["groups"] for notice in leaks()) == TOKENS, 150, "the notifications")
    assert expected == sum(notice["count"] for notice in leaks())
    assert len(leaks()) <= 6
    assert {"critical"} == {notice["severity"] for notice in leaks()}
