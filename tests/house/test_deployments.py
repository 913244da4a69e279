"""The files of the deployments: what every container in them has, and what none may have; `make test-pod` runs them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from vestibule.cli.commands.deployment_secrets import PART_SECRETS, SECRET_PATTERNS

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
DOCUMENTS = list(yaml.safe_load_all((ROOT / "pod.yaml").read_text()))
POD = next(one for one in DOCUMENTS if one["kind"] == "Pod")["spec"]
SERVICES: dict[str, Any] = COMPOSE["services"]
MONITORING = yaml.safe_load((ROOT / "deploy" / "compose.monitoring.yaml").read_text())["services"]
CONTAINERS = {one["name"]: one for one in POD["containers"]}
IMAGE = "localhost/microsvc"
# Under the pod's own name, since Podman makes a volume of that name; in memory it would be one for each container.
SECRETS = "microservices-pod-secrets-"


@pytest.mark.parametrize("name", [*SERVICES, *MONITORING])
def test_every_service_of_compose_is_bounded_and_watched(name: str) -> None:
    """It starts again, has a health check and limits, and neither a root to write to nor capabilities nor root."""
    service = (SERVICES | MONITORING)[name]
    assert "unless-stopped" == service["restart"]
    assert service["healthcheck"]["test"]
    assert {"cpus", "memory"} == service["deploy"]["resources"]["limits"].keys()
    assert (True, ["ALL"], ["no-new-privileges"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )
    assert "user" in service or service["image"].endswith(f"{IMAGE}}}")


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_of_the_pod_is_bounded_and_watched(name: str) -> None:
    """It has a probe and limits, and neither a root to write to nor capabilities; the pod has a user of its own."""
    container = CONTAINERS[name]
    assert container["livenessProbe"]["exec"]["command"]
    assert {"cpu", "memory"} == container["resources"]["limits"].keys()
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert ["ALL"] == container["securityContext"]["capabilities"]["drop"]
    assert POD["securityContext"]["runAsNonRoot"]


def test_compose_has_the_replicas_that_the_documents_name() -> None:
    """Two clients, three workers with two processes each, one of everything else."""
    assert {"client": "${CLIENTS:-2}", "worker": "${WORKERS:-3}"} == {
        name: service["scale"] for name, service in SERVICES.items() if "scale" in service
    }
    assert ["--concurrency", "2"] == SERVICES["worker"]["command"][-2:]


def test_no_deployment_holds_a_secret() -> None:
    """Secrets are files that one command makes; whatever looks like one here was put in by mistake."""
    assert set(COMPOSE["secrets"]) <= set(SECRET_PATTERNS)
    mounted = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert set(COMPOSE["secrets"]) == mounted
    assert "Secret" not in {one["kind"] for one in DOCUMENTS}
    for path in (ROOT / "pod.yaml", ROOT / "deploy" / "compose.yaml"):
        assert [] == re.findall(r"[0-9a-f]{32,}|[A-Za-z0-9_-]{43,}={0,2}(?=\s|$)", path.read_text())


def test_every_part_gets_its_own_secrets_alone() -> None:
    """In the pod, in compose and in Kubernetes a part is given what it reads, and no other secret."""
    for name, container in CONTAINERS.items():
        part = "worker" if name.startswith("worker") else name
        mounted = [one for one in container["volumeMounts"] if one["name"].startswith(SECRETS)]
        assert [(f"{SECRETS}{part}", "/run/secrets/vestibule", True)] == [
            (one["name"], one["mountPath"], one["readOnly"]) for one in mounted
        ]
    (prepare,) = POD["initContainers"]
    prepared = {one["name"]: one["mountPath"] for one in prepare["volumeMounts"] if one["name"].startswith(SECRETS)}
    assert {f"{SECRETS}{part}": f"/run/secrets/vestibule/{part}" for part in PART_SECRETS} == prepared
    for part, names in PART_SECRETS.items():
        assert set(names) == set(SERVICES[part]["secrets"])
        manifests = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "base" / f"{part}.yaml").read_text())
        (workload,) = [one for one in manifests if one["kind"] in ("StatefulSet", "Deployment")]
        (volume,) = [one for one in workload["spec"]["template"]["spec"]["volumes"] if one["name"] == "secrets"]
        assert set(names) == {one["key"] for one in volume["secret"]["items"]}


def test_podman_gives_no_folder_of_the_pod_to_another() -> None:
    """Every name of a volume that Podman makes for the whole host is the pod's, and secrets are shared by two."""
    folders = {one["name"]: one["emptyDir"] for one in POD["volumes"] if "emptyDir" in one}
    assert [] == [name for name in folders if not name.startswith("microservices-pod-")]
    assert [{}] * len(PART_SECRETS) == [folder for name, folder in folders.items() if name.startswith(SECRETS)]
    used = [one["name"] for container in CONTAINERS.values() for one in container["volumeMounts"]]
    assert [] == [name for name in folders if not name.startswith(SECRETS) and used.count(name) != 1]


def test_the_balancer_says_that_nobody_answers_to_a_name() -> None:
    """It looks on, and ends when it is asked to: it may be the first process of a container."""
    with subprocess.Popen(
        ["bash", ROOT / "deploy" / "balancer" / "balance.sh"],
        env={**os.environ, "BACKEND": "nobody.invalid", "BACKEND_PORT": "8000", "TELL_AFTER_S": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as balancer:
        try:
            assert balancer.stderr is not None
            line = balancer.stderr.readline()
            assert line.startswith("balancer: no name server gives an address for nobody.invalid")
        finally:
            balancer.terminate()
        assert 0 == balancer.wait(30)


@pytest.mark.parametrize("name", ["balancer", "tls"])
def test_a_proxy_writes_nothing_about_requests(name: str) -> None:
    """Neither its log of requests nor that of errors may have the query of one."""
    configuration = (ROOT / "deploy" / name / "nginx.conf").read_text()
    assert ["off"] == re.findall(r"^\s*access_log (\S+);", configuration, re.MULTILINE)
    assert ["stderr emerg"] == re.findall(r"^\s*error_log ([^;]+);", configuration, re.MULTILINE)


def test_the_ports_of_the_pod_are_for_this_host() -> None:
    """Other hosts reach the door through TLS."""
    ports = [port for container in CONTAINERS.values() for port in container.get("ports", [])]
    assert {"127.0.0.1"} == {port["hostIP"] for port in ports}


def test_prometheus_scrapes_every_replica_of_compose() -> None:
    """Each part is asked where it listens, by the name of all of its replicas, not behind the balancer."""
    (job,) = yaml.safe_load((ROOT / "deploy/monitoring/prometheus-compose.yml").read_text())["scrape_configs"]
    scraped = {name: one["port"] for one in job["dns_sd_configs"] for name in one["names"]}
    settings = {
        name: service["environment"] for name, service in SERVICES.items() if service["image"].endswith(f"{IMAGE}}}")
    }
    listens = {
        name: int(given["VESTIBULE_METRICS_PORT" if name == "worker" else "VESTIBULE_PORT"])
        for name, given in settings.items()
    }
    assert listens == scraped
    assert "/metrics" in re.findall(
        r"location (\S+) \{\s+return 404;", (ROOT / "deploy/balancer/nginx.conf").read_text()
    )
