"""Two tenants of one Vestibule: each has everything of its own, and cannot tell that there is another."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from servers.openapi_requests import operations

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


@pytest.fixture(scope="module")
def at_scheduler(callers, system):
    """The same callers, of the scheduler service."""
    made = {
        tenant: httpx.Client(base_url=system.part_url(3), headers=caller.headers, timeout=60)
        for tenant, caller in callers.items()
    }
    yield made
    for caller in made.values():
        caller.close()


@pytest.fixture
def first(callers, system):
    """The first tenant, which has stored a pair."""
    caller = callers["north"]
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


def _ended(client, answer):
    """Return the progress of an erasure or a search when it has ended; a loaded host answers before that."""
    answer.raise_for_status()
    place = answer.headers.get("Location")
    if answer.status_code == 200:
        return answer.json()
    ends = time.monotonic() + 60
    while (progress := client.get(place).raise_for_status().json())["state"] == "running" and time.monotonic() < ends:
        time.sleep(0.05)
    assert "finished" == progress["state"]
    return progress


def test_erasing_a_subject_stays_within_the_tenant(first, second):
    """One tenant's request to erase neither touches nor counts what another keeps."""
    assert 200 == first.post("/add", json={"key": "about", "value": "subject-4711"}).status_code
    body = {"value": "subject-4711", "reason": "Request 4711"}
    erased = _ended(second, second.post("/subjects/erase", json=body))
    assert (0, 0) == (erased["examined"], erased["erased"])
    assert 404 == first.get(f"/subjects/erasures/{erased['erasure_id']}").status_code
    assert {} == _ended(second, second.post("/subjects/find", json=body))["counts"]
    found = _ended(first, first.post("/subjects/find", json=body))
    assert {"entry": 1} == found["counts"]
    assert 404 == second.get(f"/subjects/finds/{found['find_id']}").status_code
    assert {"entry": 1} == _ended(first, first.post("/subjects/erase", json=body))["counts"]


UNTIL = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def _use(client, scheduler, name):
    """Make one of everything that has a name or an id, all with the same name, and return the ids."""
    ids = {"key": name, "name": name}
    assert 1 == client.post("/add", json={"key": name, "value": "hello"}).json()["version"]
    once = {"Idempotency-Key": name}
    ids["task_id"] = client.post("/run", json={"key": name}, headers=once).json()["task_id"]
    schedule, once = {"every_s": 86_400, "key": name}, {"Idempotency-Key": f"{name}, the schedule"}
    ids["schedule_id"] = client.post("/schedules", json=schedule, headers=once).json()["schedule_id"]
    ids["alert_id"] = client.post("/add", json={"key": name, "value": "write to jane@example.org"}).json()["alert_id"]
    ids["trace_id"] = ids["alert_id"]
    silence = {"type": "Test", "entity": "IBAN_CODE", "reason": name, "hours": 1}
    allowed = {"fingerprint": f"e1:{uuid4().hex}", "entity": "IBAN_CODE", "reason": name, "hours": 1}
    ids["allowance_id"] = client.post("/allowances", json=allowed).json()["id"]
    ids["silence_id"] = client.post("/silences", json=silence).json()["id"]
    assert 1 == scheduler.post(f"/heartbeats/{name}").json()["pings"]
    window = {"part": f"heartbeat:{name}", "until": UNTIL, "reason": name}
    token = {"name": name, "scopes": ["read"]}
    ids["token_id"] = client.post("/tokens", json=token).raise_for_status().json()["id"]
    ids["window_id"] = scheduler.post("/maintenance", json=window).json()["id"]
    return ids


def _all_of(client, scheduler):
    """Return everything that a caller can list."""
    of_client = ("/keys", "/tasks", "/schedules", "/alerts", "/silences", "/allowances")
    listed = {path: client.get(path).json() for path in of_client}
    listed |= {path: scheduler.get(path).json() for path in ("/heartbeats", "/maintenance")}
    # Their uses and refusals are counted meanwhile.
    listed["/tokens"] = [one["id"] for one in client.get("/tokens").json()["tokens"]]
    return listed


@pytest.fixture(scope="module")
def used(callers, at_scheduler, system):
    """What the first tenant has: the ids, and a function that lists it."""
    client, scheduler = callers["north"], at_scheduler["north"]
    ids = _use(client, scheduler, f"job-{uuid4().hex[:12].translate(str.maketrans('0123456789', 'ghijklmnop'))}")
    assert "succeeded" == client.get(f"/tasks/{ids['task_id']}", params={"wait": 30}).json()["state"]
    return ids, lambda: _all_of(client, scheduler)


# Parameters that name nothing of a tenant.
OF_THE_SYSTEM = {"part": "database"}
# Operations over a name that is free in every tenant: they make one of the caller's own.
MAKES_ITS_OWN = {"/heartbeats/{name}", "/heartbeats/{name}/start", "/heartbeats/{name}/fail"}
# Operations over the key of another tenant: what is sent, and what they answer.
OVER_A_KEY = {
    ("GET", "/read"): ({}, 404),
    ("GET", "/history"): ({}, 404),
    ("POST", "/run"): ({"key": "KEY"}, 404),
    ("DELETE", "/delete"): ({}, {"deleted": False}),
    ("POST", "/read/batch"): ({"keys": ["KEY"]}, {"entries": [None]}),
}
HAVE_TESTS_OF_THEIR_OWN = {
    "/watch",
    "/subjects",
    "/subjects/erasures/{erasure_id}",
    "/subjects/finds/{find_id}",
    # Channels are the operator's.
    "/channels/{name}/test",
}


def _ids_of_acts(client, ids, wait_until):
    """Return the ids of a decision, a group of alerts and an action on many tasks of the tenant."""
    asked = {"action": "drop", "filter": {}}
    confirm = client.post("/tasks/bulk", json=asked).raise_for_status().json()["confirm"]
    job = client.post("/tasks/bulk", json={**asked, "confirm": confirm}).raise_for_status().json()
    # An alert gets its group a moment later.
    group = wait_until(lambda: client.get(f"/alerts/{ids['alert_id']}").raise_for_status().json()["group"])
    added = client.post("/add", json={"key": ids["key"], "value": "write to jane@example.org"}).json()
    return {"job_id": job["job_id"], "group_id": group["id"], "decision_id": added["decision_id"]}


def _aimed(operation, ids):
    """Return a request of the operation that names what the ids are of."""
    body, _ = OVER_A_KEY.get((operation.method, operation.path), (None, None))
    operation.paths = {name: {**ids, **OF_THE_SYSTEM}[name] for name in operation.paths}
    query = {"key": ids["key"]} if "key" in operation.queries and not body else {}
    sent = operation.valid(query)
    return sent if not body else sent.content(json.dumps(body).replace("KEY", ids["key"]).encode())


def _mistake(operation, answer, ids):
    """Say what is wrong with the answer to another tenant; None if it tells nothing."""
    _, expected = OVER_A_KEY.get((operation.method, operation.path), (None, None))
    makes_its_own = operation.method == "POST" and operation.path in MAKES_ITS_OWN
    if expected is None and operation.paths.keys() - OF_THE_SYSTEM.keys() and not makes_its_own:
        expected = 404
    if isinstance(expected, int):
        return None if answer.status_code == expected else f"{answer.status_code} instead of {expected}"
    if isinstance(expected, dict):
        return None if expected.items() <= answer.json().items() else answer.text
    shown = [] if makes_its_own else [one for one in ids.values() if one in answer.text]
    return None if answer.status_code < 500 and not shown else f"{answer.status_code} with {shown}"


@pytest.mark.parametrize("service", ["client", "scheduler"])
def test_no_operation_reaches_another_tenant(used, callers, at_scheduler, service, wait_until):
    """Every operation of the description, with what the first tenant has: 404, or an answer without any of it."""
    ids, list_all = used
    ids = {**ids, **_ids_of_acts(callers["north"], ids, wait_until)}
    before = list_all()
    other = (callers if service == "client" else at_scheduler)["north-east"]
    described = operations(other.get("/openapi.json").json(), (other.headers["Authorization"], ""))
    wrong = []
    # POST comes last: some make one of the caller's own.
    for operation in sorted(described, key=lambda one: one.method):
        if operation.path not in HAVE_TESTS_OF_THEIR_OWN:
            sent = _aimed(operation, ids)
            url, content = f"{sent.path}?{sent.query}", b"".join(sent.body) or None
            answer = other.request(sent.method, url, headers=dict(sent.headers), content=content)
            if mistake := _mistake(operation, answer, ids):
                wrong.append((sent.method, operation.path, mistake))
    assert [] == wrong
    assert len(described) > 10
    assert before == list_all()


def test_names_of_two_tenants_never_meet(used, callers, at_scheduler):
    """Another tenant makes the same under the same names, idempotency keys too; each lists exactly its own."""
    ids, list_all = used
    before, other = list_all(), callers["north-east"]
    assert other.request("DELETE", "/delete", params={"key": ids["key"]}).status_code == 200
    at_scheduler["north-east"].delete(f"/heartbeats/{ids['name']}")
    others = _use(other, at_scheduler["north-east"], ids["key"])
    assert before == list_all()
    names = {"key", "name"}
    assert names == {name for name, value in others.items() if value == ids[name]}
    for listed, theirs, own in ((list_all(), others, ids), (_all_of(other, at_scheduler["north-east"]), ids, others)):
        text = json.dumps(listed)
        assert [] == [name for name, value in theirs.items() if name not in names and value in text]
        assert [] == [name for name, value in own.items() if value not in text]
        assert 1 == sum(one["name"] == ids["name"] for one in listed["/heartbeats"])


def test_changes_of_another_tenant_are_not_streamed(callers):
    """Who watches hears of its own entry, though another tenant wrote the same key first."""
    first, second = callers["north"], callers["north-east"]
    with second.stream("GET", "/watch", params={"prefix": "watched"}) as events:
        first.post("/add", json={"key": "watched", "value": "of the first"})
        first.post("/add", json={"key": "watched", "value": "of the first again"})
        second.post("/add", json={"key": "watched", "value": "of the second"})
        data = next(line for line in events.iter_lines() if line.startswith("data:") and "watched" in line)
    assert 1 == json.loads(data.removeprefix("data:"))["version"]


def test_an_operator_sees_all_and_who_it_belongs_to(used, system):
    """The development token is an operator: its lists hold both tenants' things, each with its tenant."""
    ids, _ = used
    with httpx.Client(base_url=system.part_url(3), headers=system.http.headers, timeout=60) as scheduler:
        listed = _all_of(system.http, scheduler)
    alerts = {one["id"]: one["tenant"] for one in system.http.get("/alerts", params={"limit": 500}).json()["alerts"]}
    assert "north" == alerts[ids["alert_id"]]
    silences = {one["id"]: one["tenant"] for one in listed["/silences"]}
    assert "north" == silences[ids["silence_id"]]
    assert "north" == {one["id"]: one["tenant"] for one in listed["/maintenance"]}[ids["window_id"]]
    assert ("north", ids["name"]) in [(one["tenant"], one["name"]) for one in listed["/heartbeats"]]
    assert ids["key"] not in json.dumps(listed["/keys"])


def test_maintenance_of_a_part_is_for_operators(at_scheduler):
    """A tenant cannot keep the alerts about a part from operators."""
    refused = at_scheduler["north"].post("/maintenance", json={"part": "database", "until": UNTIL})
    assert (403, "operator") == (refused.status_code, refused.json()["scope"])


@pytest.mark.parametrize("scope", ["run", "message"])
def test_a_result_is_written_with_the_scope_add(system, scope):
    """Without it nothing is stored, neither at once nor later; with it `write_to` works as it says."""
    # A tenant of its own, so that no other test finds what this one leaves behind.
    words = ("token", "create", "--name", scope, "--tenant", "west", "--data-dir", str(system.data_dir), "--json")
    tokens = [
        json.loads(_vestibule(*words, "--scope", scopes).stdout)["token"] for scopes in (scope, f"{scope},add,read")
    ]
    key = f"kept-from-{scope}"
    works = [("/run", {"key": key}), ("/schedules", {"key": key, "every_s": 86_400})]
    works = works if scope == "run" else [("/messages", {"text": "hi", "mode": mode}) for mode in ("async", "sync")]
    with system.client(tokens[0]) as without, system.client(tokens[1]) as with_add:
        assert 200 == with_add.post("/add", json={"key": key, "value": "hello"}).status_code
        for path, work in works:
            for headers in ({}, {"Idempotency-Key": f"{scope} {path} {work.get('mode')}"}):
                refused = without.post(path, json={**work, "write_to": key}, headers=headers)
                assert (path, 403, "add") == (path, refused.status_code, refused.json().get("scope"))
            assert without.post(path, json=work).is_success
            assert with_add.post(path, json={**work, "write_to": f"{key}-{len(path)}"}).is_success
        assert 1 == with_add.get("/read", params={"key": key}).json()["version"]


@pytest.mark.parametrize("tenant", ["~scheduler", "North", "a/b", "", "-a", "a" * 64])
def test_a_token_has_a_tenant_of_its_own_kind(tmp_path, tenant):
    """What belongs to the services, and what is no name, is refused."""
    words = ("token", "create", "--name", "x", "--scope", "read", "--tenant", tenant, "--data-dir", str(tmp_path))
    refused = _vestibule(*words)
    assert (2, True) == (refused.returncode, "--tenant" in refused.stderr)
    assert [] == list(tmp_path.rglob("tokens.json"))
