"""The parts of deploy/kubernetes run as its manifests say, as processes of this machine in the place of pods."""

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import yaml
from typer.testing import CliRunner

from servers import ports, processes
from servers.manifests import KUBERNETES, Object, Rendered, render
from servers.postgresql import PASSWORD, PostgresqlServer
from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.cli.main import app as program
from vestibule.cli.plan_sizing import read_figures

WITHIN_S = 150
# Of each kind of request.
LOAD = 25
PODS = ("database-0", "business-logic-0", "client-0", "client-1", "scheduler-0", "console-0", "worker-0")
SERVICES = ("client", "database", "business-logic", "scheduler", "console")
SECRETS, DATA = "/run/secrets/vestibule", "/var/lib/vestibule"


@dataclass
class Place:
    """Stands in for a cluster: names of Services lead to ports of this machine, and mounts to folders."""

    folder: Path
    rendered: Rendered
    postgresql: str
    stack: ExitStack
    token: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def here(self, text: str, pod: str = "none") -> str:
        """Return what the manifests say, for this machine."""
        text = text.replace(SECRETS, str(self.folder / "secrets")).replace(DATA, str(self.folder / pod))
        text = re.sub(r"@(pgbouncer|postgresql):5432/vestibule", lambda at: f"@{self._database(at[1])}", text)
        names = "|".join([*SERVICES, "redis"])
        return re.sub(rf"\b({names}):\d+\b", lambda at: f"127.0.0.1:{self.ports[at[1]]}", text)

    def _database(self, way: str) -> str:
        server = urlsplit(self.postgresql)
        # Only from 1.21 on does a pooler keep prepared statements.
        suffix = "?statement_cache_size=0" if "pgbouncer" in self.ports and way == "pgbouncer" else ""
        return f"127.0.0.1:{self.ports.get(way, server.port)}{server.path}{suffix}"

    def environment(self, pod: str) -> dict[str, str]:
        """Return what the container of a pod gets."""
        component, _, _ = pod.rpartition("-")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        own = {name: self.here(value, pod) for name, value in self.rendered.settings(component).items()}
        # What the image sets, and what of it only this machine has to have differently.
        image = {"VESTIBULE_DATA_DIR": str(self.folder / pod), "VESTIBULE_HOST": "127.0.0.1", "PGPASSWORD": PASSWORD}
        ports = {"VESTIBULE_PORT": self.ports.get(pod), "VESTIBULE_METRICS_PORT": self.ports.get(f"{pod}/metrics")}
        differing = {name: str(port) for name, port in ports.items() if name in own and port}
        # What is compiled from the rules is compiled once here, not once in each pod.
        own.pop("VESTIBULE_DETECTION__CACHE_DIR", None)
        return {**kept, **image, **own, **differing, "HOSTNAME": pod}

    def container(self, pod: str) -> Object:
        """Return the container of a pod."""
        container: Object = self.rendered.pod(pod.rpartition("-")[0])["spec"]["containers"][0]
        return container

    def start(self, pod: str) -> None:
        """Start the container of a pod."""
        arguments = [one.replace("$(POD_NAME)", pod) for one in self.container(pod)["args"]]
        command = [sys.executable, "-m", "vestibule", *arguments]
        (self.folder / pod).mkdir()
        with (self.folder / f"{pod}.log").open("wb") as sink:
            process = subprocess.Popen(command, env=self.environment(pod), stdout=sink, stderr=subprocess.STDOUT)
        self.stack.callback(_end, process)
        self.running[pod] = process

    def answers(self, pod: str, probe: str) -> bool:
        """Say whether a probe of the pod's container succeeds."""
        assert self.running[pod].poll() is None, (self.folder / f"{pod}.log").read_text()[-3000:]
        asked = self.container(pod)[probe]
        if "exec" in asked:
            command = [self.here(word, pod) for word in asked["exec"]["command"]]
            path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            ended = subprocess.run(command, env=self.environment(pod) | path, capture_output=True, timeout=30)
            return ended.returncode == 0
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{self.ports[pod]}{asked['httpGet']['path']}", trust_env=False, timeout=40
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgresqlServer) -> Iterator[Place]:
    """The tier of many hosts, with two of what there may be several of, and its tables made by its job."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("cluster")
        rendered = render(KUBERNETES / "overlays" / "cluster")
        place = Place(folder, rendered, postgresql_server.database_url(str(folder)), stack)
        _put_secrets(place)
        _start_redis(place)
        _start_pooler(place)
        names = [*PODS, "worker-0/metrics"]
        place.ports |= {name: ports.free_port() for name in names}
        place.ports |= {name: place.ports[f"{name}-0"] for name in SERVICES}
        _migrate(place)
        for pod in PODS:
            place.start(pod)
        yield place
        for process in place.running.values():
            process.terminate()


def _put_secrets(place: Place) -> None:
    created = CliRunner().invoke(program, ["secrets", "create", "--scope", "*"]).stdout
    kept, of_caller = yaml.safe_load_all(created)
    place.token = base64.b64decode(of_caller["data"]["token"]).decode()
    (place.folder / "secrets").mkdir()
    for name, content in {**kept["data"], "postgres_password": base64.b64encode(PASSWORD.encode())}.items():
        path = place.folder / "secrets" / name
        path.write_bytes(base64.b64decode(content))
        path.chmod(0o440)


def _start_redis(place: Place) -> None:
    place.ports["redis"] = ports.free_port()
    (place.folder / "redis").mkdir()
    text = place.here(place.rendered.one("ConfigMap", "vestibule-redis")["data"]["redis.conf"])
    text = text.replace("port 6379", f"port {place.ports['redis']}").replace("dir /data", f"dir {place.folder}/redis")
    configuration = place.folder / "redis.conf"
    configuration.write_text(text.replace("bind * -::*", "bind 127.0.0.1"))
    process = subprocess.Popen([find_redis_program(), str(configuration)], stdout=subprocess.DEVNULL)
    place.stack.callback(_end, process)


def _start_pooler(place: Place) -> None:
    """Start PgBouncer by its own configuration where there is one; else the services go straight to PostgreSQL."""
    pooler = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    if pooler is None:
        return
    server, port = urlsplit(place.postgresql), ports.free_port()
    home = place.stack.enter_context(processes.home_of_server("pgbouncer"))
    (prepare,) = place.rendered.pod("pgbouncer")["spec"]["initContainers"]
    command = [place.here(word).replace("/run/pgbouncer", str(home)) for word in prepare["command"]]
    subprocess.run(command, check=True, timeout=20)
    text = place.rendered.one("ConfigMap", "vestibule-pgbouncer")["data"]["pgbouncer.ini"]
    # Newer than what Debian has.
    text = text.replace("max_prepared_statements = 100\n", "").replace("/run/pgbouncer", str(home))
    text = text.replace("host=postgresql port=5432", f"host=127.0.0.1 port={server.port}")
    text = text.replace("dbname=vestibule", f"dbname={server.path[1:]}").replace(
        "vestibule = ", f"{server.path[1:]} = "
    )
    text = text.replace("listen_addr = *", "listen_addr = 127.0.0.1").replace("5432", str(port))
    (home / "pgbouncer.ini").write_text(text)
    for file in ("pgbouncer.ini", "userlist.txt"):
        processes.hand_over(home / file)
    process = processes.start([pooler, home / "pgbouncer.ini"], home / "output.log")
    place.stack.callback(_end, process)
    place.ports["pgbouncer"] = port


def _migrate(place: Place) -> None:
    job = place.container("migration-0")
    ended = subprocess.run(
        [sys.executable, "-m", "vestibule", *job["args"]],
        env=place.environment("migration-0"), capture_output=True, text=True, timeout=WITHIN_S,
    )  # fmt: skip
    assert (0, "The store is up to date now.\n") == (ended.returncode, ended.stdout), ended.stderr


# Six parts are started beside each other, which takes its time on a busy machine.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_parts_run_as_the_manifests_say(place: Place, wait_until: Callable[..., Any]) -> None:
    """Two clients, a database service behind a pooler, a worker: what one took in, the other knows and has done."""
    for pod in PODS:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in place.container(pod):
                wait_until(lambda p=pod, q=probe: place.answers(p, q), WITHIN_S, f"the {probe} of {pod}")
    headers = {"Authorization": f"Bearer {place.token}"}
    one, other = (
        httpx.Client(base_url=f"http://127.0.0.1:{place.ports[pod]}", headers=headers, timeout=40, trust_env=False)
        for pod in ("client-0", "client-1")
    )
    with one, other:
        assert 200 == one.post("/add", json={"key": "greeting", "value": "hello"}).status_code
        assert "hello" == other.get("/read", params={"key": "greeting"}).json()["value"]
        task_id = other.post("/run", json={"key": "greeting"}).json()["task_id"]
        task = one.get(f"/tasks/{task_id}", params={"wait": 30}).json()
        assert ("succeeded", "HELLO") == (task["state"], task["result"])
        assert "HELLO" == one.post("/messages", json={"text": "hello", "mode": "sync"}).json()["reply"]
        # An alert is in the record of the replica that raised it, and in no other.
        refused = one.post("/add", json={"key": "note", "value": "write to jane@example.org"}).json()
        assert [refused["alert_id"]] == [alert["id"] for alert in one.get("/alerts").json()["alerts"]]
        assert [] == other.get("/alerts").json()["alerts"]
        watch = f"http://127.0.0.1:{place.ports['scheduler-0']}/status"

        def watched() -> Any:
            return httpx.get(watch, headers=headers, trust_env=False, timeout=40).json()

        # It may have begun before the store was there, and works alone until it has taken the lease.
        wait_until(lambda: watched()["role"] == "active", WITHIN_S, "a scheduler with the lease")
        assert 8 == len(watched()["parts"])
    shown = httpx.get(f"http://127.0.0.1:{place.ports['worker-0/metrics']}/metrics", trust_env=False, timeout=40).text
    assert 'service="worker-0"' in shown


@pytest.mark.timeout(400)
def test_the_parts_take_the_memory_that_a_plan_counts(place: Place, wait_until: Callable[..., Any]) -> None:
    """After some load, what is a part's alone is within what `vestibule plan` gives it, and no half of it."""
    for pod in PODS:
        wait_until(lambda p=pod: place.answers(p, "startupProbe"), WITHIN_S, f"the start of {pod}")
    headers = {"Authorization": f"Bearer {place.token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{place.ports['client-0']}", headers=headers, trust_env=False) as door:
        for number in range(LOAD):
            door.post("/add", json={"key": f"load-{number}", "value": "hello"}, timeout=40)
            door.post("/messages", json={"text": "hello", "mode": "sync"}, timeout=40)

        # A busy machine may answer 503 to one or the other.
        def run_task() -> Any:
            return door.post("/run", json={"key": "load-0"}, timeout=40).json().get("task_id")

        tasks = [wait_until(run_task, WITHIN_S, "a task that is accepted") for _ in range(LOAD)]
        for task_id in tasks:
            door.get(f"/tasks/{task_id}", params={"wait": 30}, timeout=60)
    planned = read_figures().memory_mb
    used = {pod: _memory_mb(process) for pod, process in place.running.items() if pod != "client-1"}
    shares = {pod: round(used[pod] / planned[pod.rpartition("-")[0]], 2) for pod in used}
    assert {} == {pod: share for pod, share in shares.items() if not 0.5 <= share <= 1}, shares


def _memory_mb(process: "subprocess.Popen[bytes]") -> float:
    """Return what a process and those that it started have in memory, where several have a page by its share."""
    root = psutil.Process(process.pid)
    return sum(one.memory_full_info().pss for one in [root, *root.children(recursive=True)]) / 1e6
