"""What happens when a part dies, freezes or is away: nothing hangs, nothing is lost, and it heals by itself."""

import signal
import time

import httpx
import psutil
import pytest

from faults.load import ANSWERED_WITHIN_S

# A part that is well is never taken for dead, however busy the machine is.
FAST_PROBES = {"VESTIBULE_PROBE_INTERVAL_S": "0.3", "VESTIBULE_PROBE_TIMEOUT_S": "2"}


@pytest.fixture(scope="module")
def hurt(start_for_module):
    """A system that these tests hurt one after the other; its scheduler looks several times a second."""
    return start_for_module(VESTIBULE_CONSOLE="on", **FAST_PROBES)


@pytest.fixture
def probed(hurt, wait_until):
    """The system, whose scheduler has found all parts up."""
    wait_until(lambda: set(states(hurt).values()) == {"up"}, what="all parts up")
    return hurt


def states(system) -> dict[str, str]:
    status = httpx.get(
        f"{system.part_url(3)}/status", headers={"Authorization": "Bearer SECRET_TOKEN"}, timeout=40
    ).json()
    return {part["name"]: part["state"] for part in status["parts"]}


def redis_processes(system) -> list[psutil.Process]:
    return [process for process in system.processes() if process.name().endswith("-server")]


def timed(call):
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


def test_killed_workers_come_back_and_go_on(probed, wait_until):
    """kill -9 of both workers and their pools: they are started again, and tasks are done."""
    first = probed.http.post("/messages", json={"text": "before"}).json()
    assert "BEFORE" == probed.http.get(first["status_url"], params={"wait": 30}).json()["result"]
    ready = len(probed.log_lines(event="worker_ready"))
    for worker in probed.processes("vestibule worker"):
        worker.kill()
    wait_until(lambda: len(probed.log_lines(event="worker_ready")) == ready + 2, what="both workers")
    with probed.client() as http:
        accepted = [http.post("/messages", json={"text": f"work {n}"}).json() for n in range(20)]
        results = [http.get(task["status_url"], params={"wait": 30}).json()["result"] for task in accepted]
    assert [f"WORK {n}" for n in range(20)] == results


def test_a_killed_database_service_answers_503_and_heals(probed, wait_until):
    """kill -9 of the store: 503 with Retry-After meanwhile, then everything acknowledged is there."""
    assert 200 == probed.add("kept", "before the fault").status_code
    (database,) = probed.processes("vestibule serve database")
    database.send_signal(signal.SIGSTOP)
    answer, took_s = timed(lambda: probed.add("frozen", "text"))
    assert (503, "database") == (answer.status_code, answer.json()["part"])
    assert int(answer.headers["retry-after"]) >= 1
    assert took_s < ANSWERED_WITHIN_S
    # Nobody waits for it any more after a few calls in vain, but for the one that finds out.
    lately = [probed.http.get("/read", params={"key": "kept"}) for _ in range(8)]
    assert [503] * 8 == [one.status_code for one in lately]
    assert any("did not answer recent requests" in one.json()["detail"] for one in lately)
    database.send_signal(signal.SIGCONT)
    wait_until(lambda: probed.add("thawed", "text").status_code == 200, what="the store's thaw")

    database.kill()
    wait_until(lambda: probed.add("after", "text").status_code == 200, what="the store's return")
    assert "before the fault" == probed.http.get("/read", params={"key": "kept"}).json()["value"]


def test_with_redis_frozen_tasks_are_accepted_and_done_later(probed, wait_until):
    """With the queue frozen /run still answers 202, /add goes on, and the task is done when the queue is back."""
    probed.add("queued", "text")
    (redis,) = redis_processes(probed)
    redis.send_signal(signal.SIGSTOP)
    try:
        accepted, took_s = timed(lambda: probed.http.post("/run", params={"key": "queued"}))
        assert 202 == accepted.status_code
        assert took_s < ANSWERED_WITHIN_S
        assert 200 == probed.add("meanwhile", "text").status_code
        assert "queued" == probed.http.get(accepted.json()["status_url"]).json()["state"]
        assert 503 == probed.http.get("/readyz").status_code
    finally:
        redis.send_signal(signal.SIGCONT)

    def is_done() -> bool:
        task = probed.http.get(accepted.json()["status_url"], params={"wait": 10}).json()
        return task.get("result") == "TEXT"

    wait_until(is_done, timeout_s=60, what="the end of the task")


@pytest.mark.slow
def test_business_logic_away_gives_one_alert_down_and_one_back(probed, wait_until):
    """Only mode sync answers 503; one ServiceDown after three misses, one ServiceRecovered on return."""
    before = probed.reports("Service")

    def new(kind: str) -> list:
        """Return the reports about the part, of this test."""
        made = [path for path in probed.reports(kind) if path not in before]
        return [path for path in made if "business_logic" in path.read_text()]

    logic, *_ = probed.processes("vestibule serve business-logic")  # and the processes of its processors
    logic.send_signal(signal.SIGSTOP)
    wait_until(lambda: states(probed)["business_logic"] == "down", what="the part counted as down")
    assert 503 == probed.http.post("/messages", json={"text": "hey", "mode": "sync"}).status_code
    assert 202 == probed.http.post("/messages", json={"text": "hey"}).status_code
    assert 200 == probed.add("fine", "text").status_code

    logic.send_signal(signal.SIGCONT)
    wait_until(lambda: states(probed)["business_logic"] == "up", what="the part's return")
    wait_until(lambda: new("ServiceRecovered"), what="the alert of the return")
    assert (1, 1) == (len(new("ServiceDown")), len(new("ServiceRecovered")))


def test_without_business_logic_the_scheduler_stays_quiet(start, wait_until):
    """Switched off, it is neither probed nor alerted about; only mode sync answers 503."""
    system = start("--without-business-logic", **FAST_PROBES)
    wait_until(lambda: states(system)["workers"] == "up", what="the workers up")
    wait_until(lambda: len(system.log_lines(event="probe", part="queue")) >= 5, what="five rounds of probes")
    assert "off" == states(system)["business_logic"]
    assert [] == system.reports("Service")
    assert 503 == system.http.post("/messages", json={"text": "hey", "mode": "sync"}).status_code
    assert 202 == system.http.post("/messages", json={"text": "hey"}).status_code


def test_every_part_comes_back_after_kill_9(probed, wait_until):
    """kill -9 of each part in turn: it is started again, and the whole flow works."""
    for service in ("client", "scheduler", "database", "business-logic"):
        words = f"vestibule serve {service}"
        part, *of_it = probed.processes(words)
        part.kill()
        ended = (part, *of_it)
        wait_until(lambda w=words, e=ended: [one for one in probed.processes(w) if one not in e], what="its return")
    (redis,) = redis_processes(probed)
    redis.kill()

    def flow_works() -> bool:
        try:
            if probed.add("again", "text").status_code != 200:
                return False
            ran = probed.http.post("/run", params={"key": "again"})
            task = probed.http.get(ran.json()["status_url"], params={"wait": 10})
            return task.json()["result"] == "TEXT"
        except (httpx.HTTPError, KeyError):
            return False

    wait_until(flow_works, timeout_s=60, what="the whole flow")
    assert psutil.pid_exists(probed.process.pid)
