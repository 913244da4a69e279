"""The whole system over a store that is a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servers.postgresql import PASSWORD, PostgresqlServer


@pytest.mark.slow
def test_everything_works_over_postgresql(
    start: Callable[..., Any], postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    """What is added is read, processed, listed and there after a restart; the password is written nowhere."""
    url = postgresql_server.database_url(str(tmp_path))
    system = start(VESTIBULE_DATABASE_URL=url, VESTIBULE_DATABASE_TIMEOUT_S="30", VESTIBULE_SERVICE_TIMEOUT_S="30")
    assert 200 == system.add("note", "hello").status_code
    assert "hello" == system.http.get("/read", params={"key": "note"}).json()["value"]
    task = system.http.post("/run", json={"key": "note"}).json()
    done = system.http.get(f"/tasks/{task['task_id']}", params={"wait": 30}).json()
    assert ("succeeded", "HELLO") == (done["state"], done["result"])
    assert not (system.data_dir / "vestibule.db").exists()
    assert PASSWORD.encode() not in system.everything_written()
    system.stop()

    again = start(VESTIBULE_DATABASE_URL=url, VESTIBULE_DATABASE_TIMEOUT_S="30", VESTIBULE_SERVICE_TIMEOUT_S="30")
    assert {"value": "hello", "version": 1}.items() <= again.http.get("/read", params={"key": "note"}).json().items()
