"""The tokens of callers over the API: created, used, rotated, limited and revoked, everywhere within two seconds."""

import json
import os
import time
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from conftest import own_address
from vestibule.cli.main import app as program
from vestibule.contracts.scopes import ROLES

WITHIN_S = 2.0
PROCESS = {"data": "hello"}


@pytest.fixture
def caller(system: Any) -> Any:
    """Makes clients of a token, which end with the test."""
    made: list[httpx.Client] = []
    address = own_address()

    def client(token: str, offset: int = 0) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx.HTTPTransport(local_address=address)
        made.append(httpx.Client(base_url=system.part_url(offset), headers=headers, timeout=40, transport=transport))
        return made[-1]

    yield client
    for one in made:
        one.close()


def create(http: httpx.Client, **members: Any) -> dict[str, Any]:
    answer = http.post("/tokens", json={"name": "importer", "scopes": ["add"], **members})
    assert 201 == answer.status_code, answer.text
    assert "no-store" == answer.headers["cache-control"]
    created: dict[str, Any] = answer.json()
    return created


def listed(http: httpx.Client, token_id: str) -> dict[str, Any] | None:
    tokens = http.get("/tokens", params={"limit": 1000}).json()["tokens"]
    return next((one for one in tokens if one["id"] == token_id), None)


def took_until(is_so: Any) -> float:
    """Return the seconds until it is so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < 20
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_token_is_known_everywhere_and_revoked_everywhere(system: Any, caller: Any) -> None:
    """Every service accepts it at once, and refuses it within two seconds after it was revoked."""
    created = create(system.http, scopes=["add", "process", "status"])
    clients = [caller(created["token"], offset) for offset in (0, 2, 3)]

    def statuses() -> list[int]:
        door, logic, scheduler = clients
        return [
            door.post("/add", json={"key": "k", "value": "text"}).status_code,
            logic.post("/process", json=PROCESS).status_code,
            scheduler.get("/status").status_code,
        ]

    assert [200, 200, 200] == statuses()
    assert 200 == system.http.delete(f"/tokens/{created['id']}").status_code
    assert 401 == clients[0].post("/add", json={"key": "k", "value": "text"}).status_code
    assert took_until(lambda: statuses() == [401, 401, 401]) < WITHIN_S
    assert 404 == system.http.delete(f"/tokens/{created['id']}").status_code
    assert created["token"].encode() not in system.everything_written()
    assert listed(system.http, created["id"]) is None


def test_a_rotated_token_counts_beside_the_one_before(system: Any, caller: Any) -> None:
    """Both work until the old one ends; the next rotation ends the oldest."""
    created = create(system.http)
    answer = system.http.post(f"/tokens/{created['id']}/rotate", json={"overlap_s": 3600})
    rotated = answer.json()
    assert (created["id"], 200) == (rotated["id"], answer.status_code)
    assert rotated["rotated_until"] is not None
    first, second = caller(created["token"]), caller(rotated["token"])
    pair = {"key": "k", "value": "text"}
    assert [200, 200] == [one.post("/add", json=pair).status_code for one in (first, second)]
    third = caller(system.http.post(f"/tokens/{created['id']}/rotate", json={"overlap_s": 0}).json()["token"])
    assert [401, 401, 200] == [one.post("/add", json=pair).status_code for one in (first, second, third)]


def test_a_token_gives_what_it_has_and_no_more(system: Any, caller: Any) -> None:
    """Not another scope, nor `*`, nor another tenant, nor a longer life or a higher quota; and it sees its tenant."""
    quota = {"requests_per_minute": 1000}
    terms = {"scopes": ["add", "tokens"], "tenant": "token-north", "expires_in_s": 3600, "quota": quota}
    north = caller(create(system.http, **terms)["token"])
    child = create(north, scopes=["add"])
    assert ("token-north", {**quota, "tasks_per_minute": None, "tasks_under_way": None}) == (
        child["tenant"],
        child["quota"],
    )
    assert child["expires_at"] is not None
    refusals = [
        ({"scopes": ["read"]}, 403),
        ({"scopes": ["*"]}, 403),
        ({"role": "operator"}, 403),
        ({"tenant": "token-south"}, 403),
        ({"expires_in_s": 7200}, 422),
        ({"quota": {"requests_per_minute": 1001}}, 422),
        ({"scopes": []}, 422),
        ({"scopes": ["fly"]}, 422),
        ({"name": "jane.roe.1571@example.org"}, 422),
    ]
    body = {"name": "importer", "scopes": ["add"]}
    answers = [north.post("/tokens", json={**body, **members}).status_code for members, _ in refusals]
    assert [status for _, status in refusals] == answers
    other = create(system.http, scopes=["add", "read"])
    mine = create(system.http, scopes=["add", "read"], tenant="token-north")
    assert [404, 404, 403, 200] == [
        north.delete(f"/tokens/{other['id']}").status_code,
        north.post(f"/tokens/{other['id']}/rotate", json={}).status_code,
        north.post(f"/tokens/{mine['id']}/rotate", json={}).status_code,
        north.delete(f"/tokens/{mine['id']}").status_code,
    ]
    # To rotate a token is to have it: none that is valid for longer, or has a higher quota; its own it may.
    endless = create(system.http, tenant="token-north")
    assert [422, 200] == [north.post(f"/tokens/{one['id']}/rotate", json={}).status_code for one in (endless, child)]
    assert {"token-north"} == {one["tenant"] for one in north.get("/tokens").json()["tokens"]}
    assert listed(system.http, child["id"]) is not None


def test_the_list_says_how_a_token_is_used(system: Any, caller: Any) -> None:
    """Last use, refused requests and leaks, of tokens in the file too, which are changed there alone."""
    created = create(system.http, quota={"requests_per_minute": 6})
    assert (None, 0, "database") == tuple(
        listed(system.http, created["id"])[name] for name in ("last_used_at", "leaks", "source")
    )
    http = caller(created["token"])
    leak = {"key": "k", "value": "write to jane.roe.1571@example.org"}
    statuses = [http.get("/read?key=k").status_code, http.post("/add", json=leak).status_code]
    assert [403, 422] == statuses
    # Where the minute of the clock ends meanwhile, its quota begins again.
    answers = [http.post("/add", json={"key": "k", "value": "text"}) for _ in range(20)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem = refused.json()
    assert ("/problems/quota-exceeded", "requests_per_minute") == (problem["type"], problem["quota"])
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    found = listed(system.http, created["id"])
    assert found["last_used_at"] is not None
    assert 1 == found["leaks"]
    assert 1 + sum(answer.status_code == 429 for answer in answers) == found["refused"]


def test_tasks_under_way_have_a_quota(system: Any, caller: Any) -> None:
    """A task that waits counts until it has ended; a token sees its own alone."""
    assert 200 == system.add("k", "text").status_code
    limited, other = (
        caller(create(system.http, scopes=["run"], quota=quota)["token"]) for quota in ({"tasks_under_way": 1}, None)
    )
    later = {"key": "k", "delay_s": 3600}
    assert 202 == other.post("/run", json=later).status_code
    task_id = limited.post("/run", json=later).json()["task_id"]
    refused = limited.post("/run", json=later)
    assert (429, "tasks_under_way") == (refused.status_code, refused.json()["quota"])
    assert 200 == limited.post(f"/tasks/{task_id}/cancel").status_code
    assert took_until(lambda: limited.post("/run", json=later).status_code == 202) < 10


def _vestibule(*words: str) -> Any:
    environment = dict.fromkeys(name for name in os.environ if name.startswith("VESTIBULE_"))
    return CliRunner(env=environment).invoke(program, ["token", *words])


def test_the_commands_work_on_the_file_and_over_the_api(system: Any, caller: Any) -> None:
    """A role stands for its scopes; a rotated token of the file counts beside the one before."""
    file, api = ("--data-dir", str(system.data_dir)), ("--url", system.url)
    in_file = json.loads(_vestibule("create", "--name", "f", "--role", "on-call", *file, "--json").stdout)
    over_api = json.loads(_vestibule("create", "--name", "a", "--scope", "add", *api, "--json").stdout)
    rotated = json.loads(_vestibule("rotate", in_file["id"], *file, "--json").stdout)
    assert ROLES["on-call"] == set(in_file["scopes"])
    assert [200, 200] == [caller(one["token"]).get("/alerts").status_code for one in (in_file, rotated)]
    shown = {one["id"]: one["source"] for one in json.loads(_vestibule("list", *api, "--json").stdout)}
    assert ("file", "database") == (shown[in_file["id"]], shown[over_api["id"]])
    assert 409 == system.http.delete(f"/tokens/{in_file['id']}").status_code
    revoked = [_vestibule("revoke", over_api["id"], *api) for _ in range(2)]
    assert [0, 5] == [one.exit_code for one in revoked]
