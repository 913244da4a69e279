"""From SQLite to PostgreSQL, as docs/migration.md says it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servers.postgresql import PostgresqlServer

NAMES = [f"moved {number}" for number in range(5)]


def vestibule(*words: str, expect: int = 0, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vestibule", *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert expect == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_everything_goes_along_once_the_tasks_are_done(
    start: Callable[..., Any], postgresql_server: PostgresqlServer, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Refused while a task waits; then every entry is there, with version, and expiry, and work goes on."""
    system = start()
    for name in NAMES:
        system.add(name, "before")
        system.add(name, f"text of {name}")
    system.http.post("/add", json={"key": "passing", "value": "for an hour", "ttl_s": 3600})
    task_id = system.http.post("/run", json={"key": NAMES[0], "delay_s": 3600}).json()["task_id"]
    export, here = tmp_path / "entries.jsonl", str(system.data_dir)

    assert "1 tasks are unfinished" in vestibule("db", "export", "--drained", str(export), "--data-dir", here, expect=1)
    assert not export.exists()
    system.http.post(f"/tasks/{task_id}/cancel")
    # Beside the callers' entries are those of the services, such as the history of the watch.
    count = int(vestibule("db", "export", "--drained", str(export), "--data-dir", here).split()[0])
    assert count >= len(NAMES) + 1
    system.stop()

    url = {"VESTIBULE_DATABASE_URL": postgresql_server.database_url(str(tmp_path))}
    there = tmp_path / "there"
    shutil.copytree(system.data_dir / "keys", there / "keys")
    told = vestibule("db", "import", str(export), "--data-dir", str(there), **url)
    assert f"{count} of {count} entries are imported" in told
    assert f"0 of {count}" in vestibule("db", "import", str(export), "--data-dir", str(there), **url)

    moved = start(name="there", VESTIBULE_DATABASE_TIMEOUT_S="30", VESTIBULE_SERVICE_TIMEOUT_S="30", **url)
    for name in NAMES:
        read = moved.http.get("/read", params={"key": name}).json()
        assert (f"text of {name}", 2) == (read["value"], read["version"])
    assert "expires_at" in moved.http.get("/read", params={"key": "passing"}).json()
    assert 3 == moved.add(NAMES[0], "after").json()["version"]
    task = moved.http.post("/run", json={"key": NAMES[0]}).json()
    assert "AFTER" == moved.http.get(task["status_url"], params={"wait": 30}).json()["result"]
