"""The proof that nothing leaks, and the proof that the proof would notice."""

import json
import subprocess
import sys

# What is planted: a value in a log, a report, Redis with its file, and the output.
PLANTED = ("logs/app.log", "error_reports/planted.txt", "Redis key vestibule:planted", "redis/appendonlydir", "output ")


def test_what_is_planted_is_found_where_it_lies_and_nothing_else_leaks():
    """Every value, sent in every way and field, is in no other file, key of Redis, process, metric, page or answer.

    By the policy that lets everything in, so that most can leak; `.ci/run` tries all of them.
    """
    command = [sys.executable, "-m", "vestibule", "canary", "--json", "--action", "alert", "--plant"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=290)
    verdict = json.loads(done.stdout)["alert"]
    places = {leak["place"] for leak in verdict["leaks"]}
    assert set() == {place for place in places if not any(part in place for part in PLANTED)}
    assert set() == {part for part in PLANTED if not any(part in place for place in places)}
    assert verdict["requests"] > 1500
    assert verdict["places"] > 300
    assert 1 == done.returncode
