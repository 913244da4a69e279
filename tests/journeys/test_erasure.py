"""Erasing a subject: nothing that holds the value stays, in whatever form it was kept, and nothing else goes."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

VALUE = "jane.erase.me@example.org"
LARGE_VALUES = 12


@pytest.fixture(scope="module")
def systems(start_for_module):
    """Gives the system with a policy, which these tests share."""
    return cache(lambda policy: start_for_module(name=policy, VESTIBULE_POLICY=policy).ask_again())


@pytest.mark.parametrize("policy", ["alert", "tokenize"])
def test_every_form_of_a_value_is_erased(systems, policy):
    """Stored as it came, as a token or as a keyed hash: the entries are gone, and so is the result of a task."""
    system = systems(policy)
    assert 200 == system.add("held-1", f"write to {VALUE} today").status_code
    assert 200 == system.add("held-2", f"<{VALUE.upper()}>").status_code
    assert 200 == system.add("other-1", "write to mary.jane.erase.me@example.org").status_code
    assert 200 == system.add("other-2", "nothing about anybody").status_code
    ran = system.http.post("/run", params={"key": "held-1"}).json()
    assert "succeeded" == system.http.get(ran["status_url"], params={"wait": 20}).json()["state"]

    erased = system.http.request("DELETE", "/subjects", json={"value": VALUE})
    gone = ["held-1", "held-2"]
    assert (200, 4, len(gone)) == (
        erased.status_code,
        erased.json()["entries_examined"],
        erased.json()["entries_erased"],
    )
    assert 1 == erased.json()["results_erased"]
    for key in gone:
        assert 404 == system.http.get("/read", params={"key": key}).status_code
    for key in ("other-1", "other-2"):
        assert 200 == system.http.get("/read", params={"key": key}).status_code
    assert 1 == len(system.reports("SubjectErased"))
    assert VALUE.encode() not in system.everything_written()


def test_too_little_to_erase_by_is_refused(system):
    """A value of three characters would take too much with it; a stranger may not ask at all."""
    assert 422 == system.http.request("DELETE", "/subjects", json={"value": "abc"}).status_code
    answer = system.http.request("DELETE", "/subjects", json={"value": VALUE}, headers={"Authorization": "Bearer no"})
    assert 401 == answer.status_code


def test_large_values_hold_nobody_up(systems):
    """Where the values are a MiB of prose each, everybody else is served while they are searched."""
    system = systems("alert")
    before = len(system.http.get("/keys").json()["keys"])
    prose = "nothing about anybody, and much of it; " * 26_000
    with ThreadPoolExecutor(2) as pool:
        stored = pool.map(lambda number: system.add(f"long-{number}", prose).status_code, range(LARGE_VALUES))
        assert {200} == set(stored)
        assert 200 == system.add("short", f"about {VALUE} alone").status_code
        erasing = pool.submit(system.http.request, "DELETE", "/subjects", json={"value": VALUE})
        others = [system.http.get("/read", params={"key": "nothing"}).status_code]
        while not erasing.done():
            others.append(system.http.get("/read", params={"key": "nothing"}).status_code)
    erased = erasing.result()
    assert (200, before + LARGE_VALUES + 1, 1) == (
        erased.status_code,
        erased.json()["entries_examined"],
        erased.json()["entries_erased"],
    )
    assert {404} == set(others)
