"""Two tenants of one Vestibule: each has entries of its own, and cannot tell that there is another."""

import json
import os
import subprocess
import sys

import pytest

TENANTS = ("north", "north-east")
PAIR = {"key": "shared key", "value": "of the first"}


def _vestibule(*words: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    command = [sys.executable, "-m", "vestibule", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def callers(system):
    """A caller of each tenant, with every scope."""
    made = {}
    for tenant in TENANTS:
        words = ("token", "create", "--name", tenant, "--scope", "*", "--tenant", tenant)
        created = _vestibule(*words, "--data-dir", str(system.data_dir), "--json")
        token = json.loads(created.stdout)["token"]
        made[tenant] = system.client(token)
    yield made
    for caller in made.values():
        caller.close()


@pytest.fixture
def first(callers, system):
    """The first tenant, which has stored a pair."""
    caller = callers["north"]
    system.wait_for_token(caller, "/keys")
    assert 200 == caller.post("/add", json=PAIR).status_code
    return caller


@pytest.fixture
def second(callers):
    """The second tenant, which has stored nothing."""
    return callers["north-east"]


def test_another_tenant_finds_nothing(first, second, system):
    """No key, prefix or cursor, and no task, leads to what another tenant has stored; the development token neither."""
    key = PAIR["key"]
    for other in (second, system.http):
        for asked in (key, f"north/{key}", f"../north/{key}"):
            assert 404 == other.get("/read", params={"key": asked}).status_code
            assert 404 == other.post("/run", json={"key": asked}).status_code
            assert not other.request("DELETE", "/delete", params={"key": asked}).json()["deleted"]
        assert [] == other.get("/keys", params={"prefix": "shared"}).json()["keys"]
    for query in ({}, {"prefix": "north"}, {"cursor": "north/"}, {"cursor": ""}, {"prefix": "/"}):
        assert [] == second.get("/keys", params=query).json()["keys"]
    assert PAIR["value"] == first.get("/read", params={"key": key}).json()["value"]


def test_a_condition_tells_nothing_of_another_tenant(first, second):
    """A key that another tenant has is free: conditions and batches see no version of it."""
    key = PAIR["key"]
    stale = second.post("/add", json=PAIR, headers={"If-Match": '"1"'})
    assert (412, None) == (stale.status_code, stale.json()["current_version"])
    batch = {"pairs": [{"key": key, "value": "of the second", "expected_version": 0}]}
    assert [1] == [one["version"] for one in second.post("/add/batch", json=batch).json()["added"]]
    assert PAIR["value"] == first.get("/read", params={"key": key}).json()["value"]
    assert second.delete("/delete", params={"key": key}).json()["deleted"]
    assert 200 == first.get("/read", params={"key": key}).status_code


def test_erasing_a_subject_stays_within_the_tenant(first, second):
    """One tenant's request to erase neither touches nor counts what another keeps."""
    assert 200 == first.post("/add", json={"key": "about", "value": "subject-4711"}).status_code
    erased = second.request("DELETE", "/subjects", json={"value": "subject-4711"}).json()
    assert (0, 0) == (erased["entries_examined"], erased["entries_erased"])
    assert 1 == first.request("DELETE", "/subjects", json={"value": "subject-4711"}).json()["entries_erased"]


@pytest.mark.parametrize("tenant", ["~scheduler", "North", "a/b", "", "-a", "a" * 64])
def test_a_token_has_a_tenant_of_its_own_kind(tmp_path, tenant):
    """What belongs to the services, and what is no name, is refused."""
    words = ("token", "create", "--name", "x", "--scope", "read", "--tenant", tenant, "--data-dir", str(tmp_path))
    refused = _vestibule(*words)
    assert (2, True) == (refused.returncode, "--tenant" in refused.stderr)
    assert [] == list(tmp_path.rglob("tokens.json"))
