"""The proof that nothing leaks, and the proof that the proof would notice."""

import json
import subprocess
import sys

import pytest

# The one that lets everything in, so that most can leak; `.ci/run` tries all the others as well.
ACTIONS = ["alert"]


def canary(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vestibule", "canary", "--json", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=290)


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_leaks(action):
    """Every value, sent in every way and field, is found in no file, key of Redis, process, metric or answer."""
    done = canary("--action", action)
    verdict = json.loads(done.stdout)[action]
    assert [] == verdict["leaks"]
    assert verdict["requests"] > 1500
    assert verdict["places"] > 300
    assert 0 == done.returncode


def test_a_planted_leak_is_found_where_it_lies():
    """A value written into a log, a report, Redis and the output makes the proof fail and name each place."""
    done = canary("--action", "block", "--plant")
    places = {leak["place"] for leak in json.loads(done.stdout)["block"]["leaks"]}
    assert 1 == done.returncode
    for part in ("logs/app.log", "error_reports/planted.txt", "Redis key vestibule:planted", "output "):
        assert any(part in place for place in places), part
