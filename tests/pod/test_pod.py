"""The pod of `pod.yaml`: the flow of the mission, the journeys of the other tests, and what it survives."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from containers.deployed import Deployed
from containers.journeys import *  # noqa: F403
from containers.load import expect_nothing_lost, load_on, until_more
from containers.pod import PARTS, POD, PORTS, is_well, remove_pod, running_pod, start_pod
from containers.podman import Podman

SERVED_AGAIN_WITHIN_S = 180
DURING_A_FAULT = 20
Until = Callable[..., Any]


@pytest.fixture(scope="module", name="system")
def _system(
    podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory, wait_until: Until, as_caller: Any
) -> Iterator[Deployed]:
    with running_pod(podman, tmp_path_factory.mktemp("pod"), wait_until) as deployed:
        as_caller(deployed.token)
        yield deployed


def curl(system: Deployed, *words: str) -> dict[str, Any]:
    """Run a curl line as the mission has it, with the deployment's token."""
    command = ["curl", "--silent", "--show-error", *words, "-H", f"Authorization: Bearer {system.token}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    return dict(json.loads(done.stdout))


def test_the_mission_with_the_token_of_the_secret(system, podman, wait_until):
    """Its curl lines work on its ports, and `podman logs` of each part shows what happened."""
    added = curl(system, "-X", "POST", "http://localhost:8000/add?key=test1&value=hello")
    assert ("written", "test1") == (added["status"], added["key"])
    task = curl(system, "-X", "POST", "http://localhost:8000/run?key=test1")
    done = curl(system, f"http://localhost:8000{task['status_url']}?wait=30")
    assert ("succeeded", "HELLO") == (done["state"], done["result"])
    for port in PORTS:
        assert "ok" == curl(system, f"http://localhost:{port}/health")["status"]

    def told(part: str, event: str) -> bool:
        lines = [json.loads(line) for line in system.output(f"{POD}-{part}").splitlines() if line.startswith("{")]
        return any(line["event"] == event for line in lines)

    for part, event in (("client", "request"), ("worker1", "worker_ready"), ("worker2", "worker_ready")):
        wait_until(lambda part=part, event=event: told(part, event), what=f"a line of {part}")


@pytest.mark.parametrize("part", PARTS)
def test_every_container_is_bounded_and_has_few_rights(system, podman, part):
    """Each has a limit of memory and processor, a probe, a read-only root, no capability and no root user."""
    (found,) = json.loads(podman("inspect", f"{POD}-{part}"))
    host = found["HostConfig"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0 or host["CpuQuota"] > 0
    assert host["ReadonlyRootfs"]
    assert [] == (found["EffectiveCaps"] or [])
    assert "10001:10001" == found["Config"]["User"]
    assert found["Config"]["Healthcheck"]["Test"]
    assert 0 == podman.call("healthcheck", "run", f"{POD}-{part}").returncode


def test_redis_asks_for_its_password_and_keeps_what_it_is_told(system, podman):
    """A stranger in the pod gets nothing, and the append-only file is on."""
    assert "NOAUTH" in podman("exec", f"{POD}-redis", "redis-cli", "ping")
    asked = "REDISCLI_AUTH=$(cat /run/secrets/vestibule/redis_password) redis-cli config get appendonly"
    assert ["appendonly", "yes"] == podman("exec", f"{POD}-redis", "sh", "-c", asked).split()


def test_no_secret_is_in_a_place_where_it_is_shown(system, podman):
    """Neither the environment nor the command of a container has what the Secrets hold."""
    shown = podman("inspect", *(f"{POD}-{part}" for part in PARTS))
    names = ("service_secret", "redis_password")
    kept = [system.inside("cat", f"/run/secrets/vestibule/{name}") for name in names]
    assert [] == [name for name, secret in zip(names, kept, strict=True) if secret in shown]
    assert system.token not in shown


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_container_comes_back_and_nothing_is_lost(system, podman, wait_until, part):
    """`kill -9` of one under load: podman starts it again, and all that was accepted is there and done."""
    container = f"{POD}-{part}"
    before = podman.inspect(container, "{{.State.StartedAt}}")
    with load_on(system) as load:
        until_more(load, DURING_A_FAULT, wait_until)
        podman.kill_9(container)
        wait_until(
            lambda: podman.inspect(container, "{{.State.StartedAt}}") != before, SERVED_AGAIN_WITHIN_S, "the restart"
        )
        until_more(load, DURING_A_FAULT, wait_until)
    wait_until(lambda: is_well(podman), SERVED_AGAIN_WITHIN_S, "the health of every container")
    expect_nothing_lost(load, wait_until)


def test_a_new_pod_goes_on_with_the_volume_of_the_old(system, podman, wait_until):
    """Database, queue, logs and reports outlive `podman pod rm`; a task that waited is done by the new pod."""
    system.add("kept", "over a new pod")
    leak = system.add("leak", "write to jane.roe.0815@example.org")
    alert_id = leak.json()["alert_id"]
    task_id = system.http.post("/run", json={"key": "kept", "delay_s": 5}).json()["task_id"]
    lines, reports = len(system.log_lines()), {path.name for path in system.reports("PersonalData")}

    remove_pod(podman)
    start_pod(podman, wait_until)
    wait_until(system.is_ready, SERVED_AGAIN_WITHIN_S, "readiness of the door")

    assert "over a new pod" == system.http.get("/read", params={"key": "kept"}).json()["value"]
    task = system.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()
    assert ("succeeded", "OVER A NEW POD") == (task["state"], task["result"])
    assert "EMAIL_ADDRESS" in system.http.get(f"/alerts/{alert_id}").json()["entities"]
    assert len(system.log_lines()) > lines
    assert reports <= {path.name for path in system.reports("PersonalData")}
