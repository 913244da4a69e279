"""Redis as people run it: with a login that may do little, over TLS, and behind a Sentinel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import at_length
from servers.redis import guarded_redis, watched_redis

# What docs/reliability.md says that the login needs.
RULES = (
    "~celery* ~unacked* ~_kombu* ~*.reply.celery.pidbox* ~*.celery.pidbox* ~vestibule:* &* +@all -@admin -@dangerous"
)


def done(system: Any, text: str) -> str | None:
    """Return what became of a message."""
    answer = system.http.post("/messages", json={"text": text})
    assert 202 == answer.status_code, answer.text
    status = system.http.get(answer.json()["status_url"], params={"wait": 30}).json()
    return str(status.get("result"))


@pytest.mark.timeout(300)
def test_over_tls_with_a_login_that_may_do_little(start: Any, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """Tasks, results, waiting and the look into the queue work, and the server's certificate is checked."""
    with guarded_redis(tmp_path / "redis", RULES) as redis:
        system = start(
            VESTIBULE_REDIS_URL=redis.url,
            VESTIBULE_REDIS_PASSWORD_FILE=str(redis.password_file),
            VESTIBULE_REDIS_CA_FILE=str(redis.ca_file),
        )
        assert ["ONE", "TWO"] == [done(system, text) for text in ("one", "two")]
        wait_until(lambda: system.http.get("/readyz").status_code == 200, what="readiness")
        hindered = [line["event"] for line in system.log_lines(level="warning")]
        assert [] == [event for event in hindered if event in ("relay_degraded", "heartbeat_failed", "tasks_not_sent")]
        assert redis.password_file.read_bytes() not in system.everything_written()
        assert 0 == system.stop()


@at_length
@pytest.mark.timeout(300)
def test_behind_a_sentinel_tasks_outlive_the_master(start: Any, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """kill -9 of the master: what was accepted before and meanwhile is done on the server that takes its place."""
    with watched_redis(tmp_path / "redis") as redis:
        system = start(VESTIBULE_REDIS_URL=redis.url)
        assert "ONE" == done(system, "one")
        redis.master.kill()
        accepted = [system.http.post("/messages", json={"text": f"work {number}"}).json() for number in range(10)]

        def results() -> list[str]:
            return [system.http.get(task["status_url"]).json().get("result") for task in accepted]

        wait_until(lambda: results() == [f"WORK {number}" for number in range(10)], 120, "the end of every task")
        assert 0 == system.stop()
