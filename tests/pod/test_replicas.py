"""The replicas of `deploy/compose.yaml`: the journeys, scaling, kills, and one version after the other under load."""

import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from containers.compose import PROJECT, Compose, running_compose
from containers.deployed import Deployed
from containers.journeys import *  # noqa: F403
from containers.load import Load, expect_nothing_lost, load_on, until_more
from containers.podman import NEXT_IMAGE, ROOT, Podman
from servers import ports

SERVICES = {"balancer": 1, "client": 2, "database": 1, "business-logic": 1, "worker": 3, "scheduler": 1, "redis": 1}
KILLED = ("client", "worker", "database", "redis", "scheduler", "balancer")
NGINX = "docker.io/library/nginx:1.26"
WITHIN_S = 240
DURING_A_FAULT = 20
# For eleven parts that are stopped and removed one by one; one that had to be killed would take as long by itself.
STOPPED_WITHIN_S = 100
# Of the requests that come while clients and workers are replaced, how many may have to be repeated, also where the
# machine is so busy that services answer each other too late.
LEAST_REPEATS, REPEATED_SHARE = 20, 0.2
Until = Callable[..., Any]
Running = tuple[Deployed, Compose]


@pytest.fixture(scope="module")
def running(
    podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory, wait_until: Until
) -> Iterator[Running]:
    with running_compose(
        podman, tmp_path_factory.mktemp("compose"), ports.free_row(3), wait_until
    ) as deployed_and_compose:
        yield deployed_and_compose


@pytest.fixture(scope="module", name="system")
def _system(running: Running, as_caller: Callable[[str], None]) -> Deployed:
    as_caller(running[0].token)
    return running[0]


@pytest.fixture(scope="module")
def compose(running: Running) -> Compose:
    return running[1]


@pytest.fixture(scope="module")
def next_image(podman: Podman, image: str) -> str:
    """An image of another version, whose containers work beside those of the first."""
    podman.build(NEXT_IMAGE, "--build-arg", "VERSION=tests-next")
    return NEXT_IMAGE


def backends(compose: Compose) -> int:
    """Return how many the balancer knows."""
    return compose.podman("exec", compose.containers("balancer")[0], "cat", "/tmp/backends.conf").count("server ")


def test_it_runs_as_many_as_the_file_says(compose, wait_until):
    """Two clients behind the balancer, three workers, and one of each other part; all are well."""
    assert SERVICES == {service: len(compose.containers(service)) for service in SERVICES}
    for service in SERVICES:
        wait_until(lambda service=service: compose.is_well(service), WITHIN_S, f"the health of {service}")
    wait_until(lambda: backends(compose) == 2, WITHIN_S, "both clients behind the balancer")


def test_all_replicas_do_their_part(system, compose, wait_until):
    """Requests reach both clients, and tasks every worker."""

    def have_all_served() -> bool:
        with load_on(system) as load:
            until_more(load, 40, wait_until)
        lines = system.log_lines(event="task_succeeded")
        busy = {line["service"] for line in lines if line["service"].startswith("worker-")}
        clients = [system.output(name) for name in compose.containers("client")]
        return len(busy) == 3 and all('"event":"request"' in text for text in clients)

    wait_until(have_all_served, WITHIN_S, "work for everybody")


def test_the_balancer_tells_nothing_of_a_request(system, compose, podman):
    """What stands in a query is neither in its output nor in any file that it made."""
    marker = "quetzalcoatlus-in-a-query"
    system.http.post("/add", params={"key": marker, "value": marker})
    assert [404, 404] == [system.http.get(path).status_code for path in ("/metrics", "//metrics")]
    balancer = compose.containers("balancer")[0]
    assert marker not in system.output(balancer)
    assert "" == podman("exec", balancer, "sh", "-c", f"grep -rl {marker} /tmp || true")


def test_no_secret_is_in_a_place_where_it_is_shown(system, compose, podman):
    """Neither the environment nor the command of a container has what the files hold."""
    shown = podman("inspect", *compose.containers())
    for name in ("service_secret", "redis_password"):
        assert (compose.secrets / name).read_text().strip() not in shown
    assert system.token not in shown


@pytest.mark.parametrize("service", KILLED)
def test_a_killed_container_comes_back_and_nothing_is_lost(system, compose, podman, wait_until, service):
    """`kill -9` of one under load: it is started again, and all that was accepted is there and done."""
    victim = compose.containers(service)[0]
    before = podman.inspect(victim, "{{.State.StartedAt}}")
    with load_on(system) as load:
        until_more(load, DURING_A_FAULT, wait_until)
        podman.kill_9(victim)
        wait_until(lambda: podman.inspect(victim, "{{.State.StartedAt}}") != before, WITHIN_S, "the restart")
        until_more(load, DURING_A_FAULT, wait_until)
    wait_until(lambda: compose.is_well(service), WITHIN_S, f"the health of {service}")
    wait_until(system.is_ready, WITHIN_S, "readiness of the door")
    expect_nothing_lost(load, wait_until)


def test_the_balancer_follows_a_change_of_scale(system, compose, wait_until):
    """With `--scale` there are more, or fewer, and the balancer takes note."""
    compose("up", "--detach", "--no-recreate", "--scale", "client=3", "client")
    wait_until(lambda: backends(compose) == 3, WITHIN_S, "the third client")
    compose.podman("rm", "--force", "--time", "40", compose.containers("client")[-1])
    wait_until(lambda: backends(compose) == 2, WITHIN_S, "the end of the third client")
    assert system.is_ready()


def roll(compose: Compose, image: str, service: str) -> None:
    """Replace the containers of a service with the script of the deployment."""
    variables = {**os.environ, **compose.variables, "IMAGE": image, "PROJECT": PROJECT}
    variables["ENGINE"] = str(compose.podman.program)
    variables["COMPOSE"] = " ".join(map(str, compose.command))
    done = subprocess.run(
        [ROOT / "deploy" / "roll", service], env=variables, capture_output=True, text=True, timeout=2 * WITHIN_S
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def versions(compose: Compose, service: str) -> set[str]:
    return {compose.podman.inspect(name, "{{.ImageName}}") for name in compose.containers(service)}


def test_one_version_follows_another_under_load(system, compose, next_image, wait_until):
    """Clients, then workers are replaced one by one: meanwhile both versions serve, and nothing is lost or refused."""
    with load_on(system) as load:
        until_more(load, DURING_A_FAULT, wait_until)
        roll(compose, next_image, "client")
        assert ({True}, {False}) == tuple(
            {NEXT_IMAGE in name for name in versions(compose, service)} for service in ("client", "worker")
        )
        # New clients, old workers.
        until_more(load, DURING_A_FAULT, wait_until)
        roll(compose, next_image, "worker")
        until_more(load, DURING_A_FAULT, wait_until)
    assert {True} == {NEXT_IMAGE in name for name in versions(compose, "worker")}
    expect_nothing_lost(load, wait_until)
    expect_few_repeats(load)


def expect_few_repeats(load: Load) -> None:
    """A caller who repeats is served: nothing is refused, but that a request may be under way still."""
    assert set(load.given_up) <= {409}
    assert sum(load.repeats.values()) <= LEAST_REPEATS + REPEATED_SHARE * load.count, load.repeats


def test_tls_in_front_of_the_balancer(system, podman, tmp_path, wait_until):
    """The file that is for the pod too, with other ports: callers are served, and nothing of a request is written."""
    port, certificates = ports.free_port(), tmp_path / "certificates"
    certificates.mkdir()
    configuration = (ROOT / "deploy" / "tls" / "nginx.conf").read_text()
    changed = configuration.replace("127.0.0.1:8000", f"127.0.0.1:{system.ports[0]}").replace("8443", str(port))
    (tmp_path / "nginx.conf").write_text(changed)
    certificate, key = certificates / "tls.crt", certificates / "tls.key"
    made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -keyout {key}"
    named = ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate)]
    subprocess.run(["openssl", *made.split(), *named], check=True, capture_output=True, timeout=60)
    rights = ("--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
    started = ("nginx", "-e", "stderr", "-c", "/etc/vestibule/nginx.conf", "-g", "daemon off;")
    name, marker = "vestibule-tests-tls", "quetzalcoatlus-before-compose"
    podman("run", "-d", "--name", name, *rights, "-v", f"{tmp_path}:/etc/vestibule:ro,z", NGINX, *started)
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        headers = {"Authorization": f"Bearer {system.token}"}
        url = f"https://localhost:{port}"
        with httpx.Client(base_url=url, verify=context, headers=headers, trust_env=False, timeout=40) as http:

            def is_served() -> bool:
                try:
                    return http.get("/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(is_served, WITHIN_S, "TLS in front of the balancer")
            assert 200 == http.post("/add", params={"key": marker, "value": marker}).status_code
            assert marker == http.get("/read", params={"key": marker}).json()["value"]
            assert [404, 404] == [http.get(path).status_code for path in ("/metrics", "/health")]
        assert marker not in system.output(name)
    finally:
        podman.call("rm", "--force", "--time", "2", name)


def test_a_whole_stop_and_start_keeps_everything(system, compose, wait_until):
    """The volumes outlive `down`, also with tasks in the queue."""
    system.add("kept", "over a stop")
    task_id = system.http.post("/run", json={"key": "kept", "delay_s": 5}).json()["task_id"]
    # `down` alone knows those of the file.
    compose("up", "--detach", "--no-recreate", "--scale", "worker=4", "worker")
    began_at = time.monotonic()
    compose("down", "--remove-orphans", "--timeout", str(STOPPED_WITHIN_S))
    # One after the other, and none had to be killed, also those that ended when Redis had gone.
    assert time.monotonic() - began_at < STOPPED_WITHIN_S
    assert [] == compose.containers()
    compose("up", "--detach")
    wait_until(system.is_ready, WITHIN_S, "readiness of the door")
    assert "over a stop" == system.http.get("/read", params={"key": "kept"}).json()["value"]
    task = system.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()
    assert ("succeeded", "OVER A STOP") == (task["state"], task["result"])
