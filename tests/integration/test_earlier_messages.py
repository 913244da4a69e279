"""Messages of earlier versions, as they were found in the queue: a worker of this one does them.

While one version replaces another, both send and both work. Add a file to `earlier/` when a message's form changes.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from vestibule.client_service.task_service.outcomes import open_outcome

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.json"))
WITHIN_S = 60


@pytest.mark.parametrize("recorded", EARLIER, ids=lambda path: path.stem)
def test_what_an_earlier_version_sent_is_done(
    recorded: Path, place: Any, start_worker: Callable[..., Path], wait_until: Callable[..., Any]
) -> None:
    """Sealed then, with a key ring of then, it is opened and done, and its result is kept where it is looked for."""
    sent = json.loads(recorded.read_text())
    place.settings.key_ring_path.write_text(json.dumps(sent["key_ring"]))
    with Redis.from_url(place.settings.redis_url) as redis:
        redis.lpush(sent["queue"], sent["message"])
        start_worker()
        kept = wait_until(lambda: redis.get(f"celery-task-meta-{sent['task_id']}"), WITHIN_S, "the result")
    outcome = open_outcome(place.cipher, sent["task_id"], kept)
    assert ("succeeded", sent["result"]) == (outcome.state, outcome.result)


def test_there_is_one_to_look_at() -> None:
    """The test above has something to do."""
    assert EARLIER
