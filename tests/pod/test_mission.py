"""The commands of the mission as they are typed, in order, with one line more that makes secrets for a first try."""

import json
import os
import shlex
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from containers.pod import METRICS_PORTS, POD, PORTS, is_well, remove_all
from containers.podman import BUILD_TIMEOUT_S, ROOT, Podman

BEFORE = (
    "podman build -t localhost/microsvc -f Dockerfile .",
    "podman build -t localhost/scheduler -f scheduler_service/Dockerfile scheduler_service/",
)
SECRETS = "podman run --rm localhost/microsvc secrets create --demo | podman play kube -"
# There is no pod to remove the first time, and that is well.
REMOVED = f"podman pod rm -f {POD}"
STARTED = "podman play kube pod.yaml"
CALLS = (
    'curl -X POST "http://localhost:8000/add?key=test1&value=hello" -H "Authorization: Bearer SECRET_TOKEN"',
    'curl -X POST "http://localhost:8000/run?key=test1" -H "Authorization: Bearer SECRET_TOKEN"',
)
WITHIN_S = 180
# Of `pod rm`, one part after the other: seven seconds where nothing else runs. One that is killed takes forty.
REMOVED_WITHIN_S = 20
Until = Callable[..., Any]
Typed = Callable[..., str]


@pytest.fixture(scope="module")
def typed(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Runs a command line as a person types it, in a shell in this tree, and returns what it prints."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "podman").write_text(f'#!/bin/sh\nexec {shlex.quote(str(podman.program))} "$@"\n')
    (folder / "podman").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(line: str, *, may_fail: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
        )
        assert may_fail or 0 == done.returncode, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="module", autouse=True)
def _started(podman: Podman, typed: Typed, wait_until: Until) -> Iterator[None]:
    for line in (*BEFORE, SECRETS):
        typed(line)
    typed(REMOVED, may_fail=True)
    try:
        typed(STARTED)
        wait_until(lambda: is_well(podman), WITHIN_S, "the health of every container")
        yield
    finally:
        remove_all(podman)
        podman.call("rmi", "localhost/scheduler")


def test_the_documents_have_these_commands():
    """What is tried here is what the README says."""
    readme = (ROOT / "README.md").read_text()
    assert [] == [line for line in (*BEFORE, SECRETS, REMOVED, STARTED, *CALLS) if line not in readme]


def test_the_calls_are_answered_and_done(typed, wait_until):
    """The value is written, and its task ends."""
    added, run = (json.loads(typed(line)) for line in CALLS)
    assert ("written", "test1") == (added["status"], added["key"])
    asked = CALLS[1].replace("-X POST ", "").replace("/run?key=test1", f"{run['status_url']}?wait=30")
    done = json.loads(typed(asked))
    assert ("succeeded", "HELLO") == (done["state"], done["result"])


@pytest.mark.parametrize(("part", "event"), [("client", "request"), ("worker1", "ready"), ("worker2", "ready")])
def test_what_happens_is_shown_and_followed(typed, wait_until, part, event):
    """`podman logs -f` prints what was, and goes on until it is stopped."""
    followed = f"timeout 2 podman logs -f {POD}-{part} 2>&1"
    wait_until(lambda: f'{event}"' in typed(followed, may_fail=True), WITHIN_S, f"a line of {part}")


def test_the_token_is_for_this_host_alone(podman):
    """Whoever comes through a proxy, from another container or under a foreign name is refused; the day is limited."""
    url = "http://127.0.0.1:8000/read?key=test1"
    token = {"Authorization": "Bearer SECRET_TOKEN"}
    with httpx.Client(headers=token, trust_env=False) as http:
        assert 401 != http.get(url).status_code
        assert 401 == http.get(url, headers={"X-Forwarded-For": "192.0.2.1"}).status_code
        assert 401 == http.get(url, headers={"Host": "vestibule.example.org"}).status_code
    inside = podman("exec", f"{POD}-client", "hostname", "-i").split()[0]
    ask = (
        "import urllib.request as u, urllib.error as e\n"
        f"r = u.Request('http://{inside}:8000/read?key=test1', headers={{'Host': 'localhost', **{token}}})\n"
        "try: print(u.urlopen(r).status)\n"
        "except e.HTTPError as error: print(error.code)"
    )
    network = podman.inspect(f"{POD}-client", "{{.Pod}}")
    network = podman("pod", "inspect", "--format", '{{join .InfraConfig.Networks ","}}', network)
    other = ("run", "--rm", f"--network={network}", "--entrypoint=python", "localhost/microsvc", "-c", ask)
    assert "401" == podman(*other)
    (record,) = json.loads(podman("exec", f"{POD}-client", "cat", "/run/secrets/vestibule/tokens.json"))
    assert record["expires_at"]


def test_no_port_is_open_to_others(podman):
    """All are published on loopback, the door too."""
    published = json.loads(podman("pod", "inspect", "--format", "{{json .InfraConfig.PortBindings}}", POD))
    assert {(str(port), "127.0.0.1") for port in (*PORTS, *METRICS_PORTS.values())} == {
        (one["HostPort"], one["HostIp"]) for bound in published.values() for one in bound
    }


def documented(start: str) -> str:
    """Return the command of `docs/deployment.md` that begins so, with its continued lines."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    begun = text[text.index(f"\n{start}") + 1 :]
    lines = begun.splitlines()
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    return "\n".join(lines[: last + 1])


@pytest.fixture
def certificate(podman: Podman, typed: Typed) -> Iterator[Path]:
    """TLS in front of the door, with a certificate of its own; returns the certificate."""
    folder = ROOT / "deploy" / "tls" / "certificates"
    assert not folder.exists(), "not tested, since there are certificates of somebody's"
    try:
        typed(documented("mkdir -p deploy/tls/certificates"))
        typed(documented("(umask 077; openssl req"))
        typed(documented("podman run -d --name vestibule-tls"))
        yield folder / "tls.crt"
    finally:
        podman.call("rm", "--force", "--time", "2", "vestibule-tls")
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_tls_in_front_as_it_is_documented(podman, certificate, wait_until):
    """Callers with a real token are served, whose text is in no log; that of the demo does not pass a proxy."""
    real = podman("exec", f"{POD}-client", "vestibule", "token", "create", "--name", "tls", "--scope", "add,read")
    marker = "quetzalcoatlus-through-tls"
    context = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url="https://localhost:8443", verify=context, trust_env=False) as http:

        def is_served() -> bool:
            try:
                return http.get("/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(is_served, WITHIN_S, "TLS in front of the door")
        own = {"Authorization": f"Bearer {real}"}
        assert 200 == http.post("/add", params={"key": marker, "value": marker}, headers=own).status_code
        assert marker == http.get("/read", params={"key": marker}, headers=own).json()["value"]
        assert 401 == http.get("/read?key=test1", headers={"Authorization": "Bearer SECRET_TOKEN"}).status_code
        assert 404 == http.get("/metrics").status_code
    told = podman.call("logs", "vestibule-tls")
    assert marker not in told.stdout + told.stderr
    assert 0o600 == (certificate.parent / "tls.key").stat().st_mode & 0o777


def test_it_is_removed_without_a_kill(podman, typed):
    """Every part ends by itself while its neighbours end too."""
    timed = typed(f"TIMEFORMAT=%R; {{ time {REMOVED} >/dev/null; }} 2>&1")
    assert float(timed) < REMOVED_WITHIN_S
