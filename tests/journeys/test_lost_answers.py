"""Requests with an `Idempotency-Key` whose outcome nobody knew: repeated, they have one effect and get its answer."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from faults import at_length
from servers import ports
from servers.losing_proxy import LosingProxy, losing_proxy
from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.parts import Layout, list_parts

WRITERS = 24
# A request that died with its process, or could not say that it had failed, is taken up again after a minute.
TAKEN_UP_WITHIN_S = 90


@dataclass
class Screener:
    """A client service of its own beside a system, which reaches the database service through a proxy."""

    http: httpx.Client
    proxy: LosingProxy

    def post(self, path: str, body: dict[str, Any], key: str) -> httpx.Response:
        return self.http.post(path, json=body, headers={"Idempotency-Key": key})

    @contextmanager
    def losing(self, path: str) -> Iterator[None]:
        """Lose the answers to what callers have written or accepted at `path`, not to what is kept about requests."""
        before = self.proxy.lost
        self.proxy.losing = lambda request: (
            request.path == path and request.headers.get("X-Vestibule-Tenant", "default") == "default"
        )
        yield
        self.proxy.losing = lambda _request: False
        assert self.proxy.lost > before


@pytest.fixture(scope="module")
def client_service(system: Any, wait_until: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screener]:
    """The shared system, with a door of these tests' own whose way to the store they may hurt."""
    output = tmp_path_factory.mktemp("door") / "output.log"
    with losing_proxy(system.base_port + 1) as proxy, output.open("wb") as log:
        port = ports.free_port()
        changed = {"VESTIBULE_PORT": str(port), "VESTIBULE_DATABASE_SERVICE_URL": proxy.url}
        directory = DataDirectory(system.data_dir)
        redis_url = f"unix://{system.data_dir}/redis/redis.sock"
        layout = Layout(directory, "127.0.0.1", system.base_port, 2, 2, True, redis_url)
        part = next(one for one in list_parts(layout, os.environ) if one.name == "client")
        process = subprocess.Popen(
            part.command, env={**part.environment, **changed}, stdout=log, stderr=subprocess.STDOUT
        )
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": system.http.headers["Authorization"]}
        try:
            with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as http:
                wait_until(lambda: _is_ready(http), timeout_s=60, what=f"the door ({output})")
                yield Screener(http, proxy)
        finally:
            process.terminate()
            process.wait(20)


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_an_add_whose_answer_was_lost_writes_once(client_service: Screener, system: Any) -> None:
    """The repeated request is answered with the version of the first, though others have written since."""
    key, name = str(uuid4()), f"lost-{uuid4()}"
    body = {"key": name, "value": "text"}
    with client_service.losing("/write"):
        for _ in range(3):
            assert 503 == client_service.post("/add", body, key).status_code
    assert 200 == system.add(name, "of others").status_code
    first, again = (client_service.post("/add", body, key) for _ in range(2))
    assert (200, 1) == (first.status_code, first.json()["version"])
    assert (first.content, "true") == (again.content, again.headers.get("idempotency-replayed"))
    known = system.http.get("/history", params={"key": name}).json()["revisions"]
    assert [(2, "of others"), (1, "text")] == [(one["version"], one["value"]) for one in known]


def test_a_condition_that_the_lost_write_has_met_is_not_held_against_its_repetition(
    client_service: Screener, system: Any
) -> None:
    """`If-None-Match: *` held when the value was written; that it is there now is the request's own doing."""
    headers = {"Idempotency-Key": str(uuid4()), "If-None-Match": "*"}
    body = {"key": f"lost-{uuid4()}", "value": "text", "ttl_s": 600}
    with client_service.losing("/write"):
        assert 503 == client_service.http.post("/add", json=body, headers=headers).status_code
    written = client_service.http.post("/add", json=body, headers=headers)
    assert (200, 1) == (written.status_code, written.json()["version"])
    kept = system.http.get("/history", params={"key": body["key"]}).json()["revisions"]
    assert [written.json()["expires_at"]] == [one["expires_at"] for one in kept]
    other = {**headers, "Idempotency-Key": str(uuid4())}
    assert 412 == client_service.http.post("/add", json=body, headers=other).status_code


@pytest.mark.parametrize(
    ("path", "body"),
    [("/run", {"key": "lost-run"}), ("/messages", {"text": "hello there"})],
    ids=["run", "message"],
)
def test_a_task_whose_acceptance_was_lost_is_one_task(
    client_service: Screener, system: Any, path: str, body: dict[str, Any]
) -> None:
    """The repeated request is answered with the task that there is."""
    system.add("lost-run", "text")
    key, before = str(uuid4()), _task_ids(system)
    with client_service.losing("/tasks/accept"):
        assert 503 == client_service.post(path, body, key).status_code
    accepted = client_service.post(path, body, key)
    assert 202 == accepted.status_code
    assert {accepted.json()["task_id"]} == _task_ids(system) - before


def _task_ids(system: Any) -> set[str]:
    return {task["task_id"] for task in system.http.get("/tasks", params={"limit": 100}).json()["tasks"]}


@at_length
@pytest.mark.timeout(240)
def test_adds_that_a_frozen_store_left_open_write_once(start: Any, wait_until: Any) -> None:
    """Whatever each request had come to when the database service froze: repeated, it has written once."""
    system = start()
    (database,) = system.processes("vestibule serve database")
    requests = [({"key": f"frozen-{n}", "value": "text"}, str(uuid4())) for n in range(WRITERS)]

    def add(request: tuple[dict[str, str], str]) -> httpx.Response:
        body, key = request
        return system.http.post("/add", json=body, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(WRITERS) as pool:
        answering = [pool.submit(add, request) for request in requests]
        wait_until(lambda: any(one.done() for one in answering), what="the first answer")
        database.send_signal(signal.SIGSTOP)
        before = [one.result().status_code for one in answering]
        database.send_signal(signal.SIGCONT)
    assert set(before) <= {200, 503}
    for request in requests:
        wait_until(
            lambda one=request: add(one).status_code == 200, TAKEN_UP_WITHIN_S, "an answer to a repeated request"
        )
    versions = [system.http.get("/read", params={"key": body["key"]}).json()["version"] for body, _ in requests]
    assert [1] * WRITERS == versions
