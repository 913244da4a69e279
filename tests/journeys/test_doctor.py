"""`vestibule doctor` and `vestibule config` beside a system that runs."""

import json
import os
import subprocess
import sys


def _run(system, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    environment |= {"VESTIBULE_DATA_DIR": str(system.data_dir), "VESTIBULE_BASE_PORT": str(system.base_port)}
    command = [sys.executable, "-m", "vestibule", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def test_a_system_that_runs_is_examined(system, wait_until):
    """Every service is ready and of this version, workers are alive, Redis and the database answer; no error."""
    texts: list[str] = []

    def is_sound() -> bool:
        done = _run(system, "doctor", "--json")
        found = json.loads(done.stdout)
        texts[:] = [one["text"] for one in found if one["level"] != "error"]
        # On a busy machine a service may be late once.
        return done.returncode == 0

    wait_until(is_sound, 120, "a sound system")
    for name in ("client", "database", "business-logic", "scheduler"):
        assert any(text.startswith(f"the {name} service is ready") for text in texts)
    assert any("workers are alive: worker1, worker2" in text for text in texts)
    assert any("redis.sock answers" in text for text in texts)
    assert any("vestibule.db is sound" in text for text in texts)


def test_config_shows_what_up_gives_its_parts(system):
    """Its addresses and the data directory, as those that it has."""
    rows = {row["variable"]: row for row in json.loads(_run(system, "config", "--up", "--json").stdout)}
    assert (system.part_url(1), "vestibule up") == tuple(
        rows["VESTIBULE_DATABASE_SERVICE_URL"][name] for name in ("value", "source")
    )
    assert str(system.data_dir) == rows["VESTIBULE_DATA_DIR"]["value"]
