"""What deploy/kubernetes asks a cluster for is valid, restricted, and fits the program."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from servers.manifests import COMPONENT, KUBERNETES, PARTS, Object, Rendered, containers, render
from vestibule.cli.main import app as program

OVERLAYS = {path.name: path for path in (*sorted((KUBERNETES / "overlays").iterdir()), KUBERNETES / "logging")}
TIERS = [name for name in OVERLAYS if name != "logging"]
CLUSTERS = ("cluster", "cluster-plain")
OLDEST, NEWEST = "1.29", kubernetes_validate.latest_version()
# What other programs define, reduced to what is used of it (schemas/reduce.py).
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}
VALID: set[str] = set()
every_overlay = pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)
every_tier = pytest.mark.parametrize("rendered", TIERS, indirect=True)
only_cluster = pytest.mark.parametrize("rendered", ["cluster"], indirect=True)
every_cluster = pytest.mark.parametrize("rendered", CLUSTERS, indirect=True)


@pytest.fixture
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """The objects of an overlay."""
    return render(OVERLAYS[request.param])


@every_overlay
def test_every_object_is_valid(rendered: Rendered) -> None:
    """Kubernetes, or what else defines it, knows each field of each object, in an old version and in the newest."""
    for one in rendered.of(*SCHEMAS):
        jsonschema.validate(one, SCHEMAS[one["kind"]])
    own = {json.dumps(one): one for one in rendered.objects if one["kind"] not in SCHEMAS}
    assert own
    # Most objects are the same in each overlay.
    for text in own.keys() - VALID:
        one = own[text]
        VALID.add(text)
        for version in (OLDEST, NEWEST):
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("kind", ["EnvoyProxy", "Gateway", "GatewayClass", "HTTPRoute", "ScaledObject"])
def test_an_unknown_member_is_an_error(kind: str) -> None:
    """The API server would drop it without a word; the schemas of other programs' objects do not."""
    (one,) = render(OVERLAYS["cluster"]).of(kind)
    with pytest.raises(jsonschema.ValidationError, match="mispelt"):
        jsonschema.validate({**one, "spec": {**one["spec"], "mispelt": True}}, SCHEMAS[kind])


def test_what_is_applied_by_itself_is_valid() -> None:
    """The Job that restores a backup and the configuration of the ingress controller are in no overlay."""
    job, configuration = (
        yaml.safe_load((KUBERNETES / "components" / path).read_text())
        for path in ("backup/restore.yaml", "ingress/nginx-config.yaml")
    )
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(job, version, strict=True)
        kubernetes_validate.validate(configuration, version, strict=True)
    backup = render(OVERLAYS["cluster"]).pod("backup")
    restore = job["spec"]["template"]
    same = ("securityContext", "volumes", "restartPolicy", "automountServiceAccountToken", "enableServiceLinks")
    assert {name: backup["spec"][name] for name in same} == {name: restore["spec"][name] for name in same}
    # The policies know it by its label, and the server by its version.
    assert backup["metadata"]["labels"][COMPONENT] == restore["metadata"]["labels"][COMPONENT]
    assert [one["image"] for one in containers(backup)] == [one["image"] for one in containers(restore)]


@every_overlay
def test_no_object_is_there_twice(rendered: Rendered) -> None:
    """Each kind and name stands for one object."""
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in rendered.objects]
    assert sorted(set(names), key=str) == sorted(names, key=str)


@every_tier
def test_every_pod_is_restricted(rendered: Rendered) -> None:
    """The namespace demands the strictest standard for pods, and each pod keeps more than it demands."""
    namespace = rendered.one("Namespace", "vestibule")["metadata"]["labels"]
    assert "restricted" == namespace["pod-security.kubernetes.io/enforce"]
    for workload in rendered.workloads():
        pod = workload["spec"]["template"]
        name, spec = workload["metadata"]["name"], pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"], name
        assert (name == "prometheus") == spec["automountServiceAccountToken"], name
        assert not spec["enableServiceLinks"], name
        assert {"emptyDir", "secret", "configMap", "projected", "persistentVolumeClaim"} >= {
            kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"
        }, name
        for container in containers(pod):
            strict = {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert strict == container["securityContext"], name
            assert {"cpu", "memory"} == container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


@every_tier
def test_only_what_speaks_to_a_store_has_its_credentials(rendered: Rendered) -> None:
    """What the drivers read themselves is in the environment of the database service, its migration and the server."""
    holders = {
        workload["metadata"]["name"]
        for workload in rendered.workloads()
        for container in containers(workload["spec"]["template"])
        for variable in container.get("env", [])
        if variable["name"].startswith(("PG", "AWS_"))
    }
    assert holders <= {"database", "migration", "postgresql", "backup"}, holders
    settings = [one for one in rendered.objects if one["kind"] == "ConfigMap"]
    assert [] == [name for one in settings for name in one.get("data", {}) if name.startswith(("PG", "AWS_"))]


@every_tier
def test_every_running_container_is_probed(rendered: Rendered) -> None:
    """A part that hangs is started again, and one that is not ready gets nothing."""
    workloads = rendered.of("Deployment", "StatefulSet")
    assert workloads
    for workload in workloads:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            assert "livenessProbe" in container, container["name"]
            assert {"startupProbe", "readinessProbe"} & container.keys(), container["name"]


@every_tier
def test_every_option_is_known_and_accepted(rendered: Rendered) -> None:
    """Each variable is an option that `vestibule config` lists, and its part takes the value."""
    listed = CliRunner().invoke(program, ["config", "--json"])
    known = {option["variable"] for option in json.loads(listed.stdout)}
    kinds = _settings_kinds()
    for part in PARTS:
        found = rendered.settings(part)
        assert set() == {name for name in found if name.startswith("VESTIBULE_")} - known, part
        with pytest.MonkeyPatch.context() as environment:
            for name, value in found.items():
                environment.setenv(name, value)
            # Its file is there in the pod alone.
            environment.delenv("VESTIBULE_REDIS_PASSWORD_FILE", raising=False)
            settings = kinds[part]()
        if part == "console":
            assert "/run/secrets/vestibule/console_secret" == str(settings.cookie_secret_file)
        else:
            assert "/run/secrets/vestibule/keyring.json" == str(settings.key_ring_path)


def _settings_kinds() -> dict[str, Any]:
    from vestibule.business_logic_service.settings import BusinessLogicSettings
    from vestibule.client_service.settings import ClientSettings, WorkerSettings
    from vestibule.console.settings import ConsoleSettings
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.scheduler_service.settings import SchedulerSettings

    kinds = (
        *(ClientSettings, DatabaseSettings, BusinessLogicSettings, SchedulerSettings),
        *(ConsoleSettings, WorkerSettings),
    )
    return dict(zip(PARTS, kinds, strict=True))


@pytest.fixture(scope="module")
def made_secrets() -> set[str]:
    """The entries of the Secret that `vestibule secrets create` makes."""
    created = CliRunner().invoke(program, ["secrets", "create"]).stdout
    return set(next(yaml.safe_load_all(created))["data"])


@every_tier
def test_every_secret_is_made_by_the_documented_command(rendered: Rendered, made_secrets: set[str]) -> None:
    """No pod waits for an entry that nobody makes, and none gets one that it does not name."""
    assert not rendered.of("Secret")
    for workload in rendered.workloads():
        pod = workload["spec"]["template"]
        mounted = {item["key"] for volume in _secret_volumes(pod) for item in volume["secret"]["items"]}
        variables = [one for container in containers(pod) for one in container.get("env", [])]
        referred = {one["valueFrom"]["secretKeyRef"]["key"] for one in variables if "secretKeyRef" in str(one)}
        assert set() == (mounted | referred) - made_secrets
        text = json.dumps([pod, rendered.of("ConfigMap")])
        assert set() == {key for key in mounted if f"/run/secrets/vestibule/{key}" not in text}


def _secret_volumes(pod: Object) -> list[Object]:
    return [volume for volume in pod["spec"].get("volumes", []) if "secret" in volume]


@every_tier
def test_everything_that_is_referred_to_exists(rendered: Rendered) -> None:
    """Volumes, ports of Services, claims and the targets of budgets and scalers are there."""
    assert rendered.workloads()
    for workload in rendered.workloads():
        spec = workload["spec"]["template"]["spec"]
        claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | claims
        for container in containers(workload["spec"]["template"]):
            assert set() == {mount["name"] for mount in container.get("volumeMounts", [])} - volumes
        for volume in spec.get("volumes", []):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                if "configMap" in source:
                    rendered.one("ConfigMap", source["configMap"]["name"])
                if "persistentVolumeClaim" in source:
                    rendered.one("PersistentVolumeClaim", source["persistentVolumeClaim"]["claimName"])
    for service in rendered.of("Service"):
        ports = _ports(rendered.pod(service["spec"]["selector"][COMPONENT]))
        assert set() == {port["targetPort"] for port in service["spec"]["ports"]} - ports.keys()
    for budget in rendered.of("PodDisruptionBudget"):
        rendered.pod(budget["spec"]["selector"]["matchLabels"][COMPONENT])
    for scaler in rendered.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        # Applied again, a number here would undo what the scaler has chosen.
        assert "replicas" not in rendered.one(target["kind"], target["name"])["spec"]


def _ports(pod: Object) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for one in containers(pod) for port in one.get("ports", [])}


# Who speaks to whom in the tier of several hosts; nobody else may.
PAGES_OF = {
    ("client", "database", 8001), ("client", "business-logic", 8002), ("client", "redis", 6379),
    ("scheduler", "client", 8000), ("scheduler", "database", 8001), ("scheduler", "business-logic", 8002),
    ("scheduler", "console", 8004), ("console", "client", 8000), ("console", "scheduler", 8003),
    ("scheduler", "redis", 6379), ("worker", "redis", 6379), ("worker", "database", 8001),
    ("database", "pgbouncer", 5432), ("pgbouncer", "postgresql", 5432), ("migration", "postgresql", 5432),
    ("backup", "postgresql", 5432), ("alertmanager", "alertmanager", 9094),
    *((part, "alertmanager", 9093) for part in ("client", "database", "business-logic", "scheduler", "prometheus")),
    *(("prometheus", part, port) for part, port in
      {"client": 8000, "database": 8001, "business-logic": 8002, "scheduler": 8003, "console": 8004,
       "worker": 9100}.items()),
}  # fmt: skip


@every_cluster
def test_parts_reach_whom_they_need_and_nobody_else(rendered: Rendered) -> None:
    """The policies allow exactly the walks of the house, on both of their ends."""
    policies = [policy["spec"] for policy in rendered.of("NetworkPolicy")]
    pods = {str(one["spec"]["template"]["metadata"]["labels"][COMPONENT]): one for one in rendered.workloads()}
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in pods.items()}
    ports = {name: _ports(one["spec"]["template"]) for name, one in pods.items()}
    allowed = {
        (source, target, number)
        for source in pods
        for target in pods
        for name, number in ports[target].items()
        if _lets_pass(policies, "egress", labels[source], labels[target], {name, number})
        and _lets_pass(policies, "ingress", labels[target], labels[source], {name, number})
    }
    assert PAGES_OF == allowed


def _lets_pass(policies: list[Object], way: str, own: Object, other: Object, port: set[Any]) -> bool:
    end = {"egress": "to", "ingress": "from"}[way]
    rules = [rule for one in policies if _selects(one["podSelector"], own) for rule in one.get(way, [])]
    return any(_is_open(rule, port) and _names(rule.get(end), other) for rule in rules)


def _is_open(rule: Object, port: set[Any]) -> bool:
    return "ports" not in rule or bool(port & {one["port"] for one in rule["ports"]})


def _names(peers: list[Object] | None, labels: Object) -> bool:
    # Without peers a rule is about what no selector knows, which is outside of the cluster here.
    return any("podSelector" in peer and _selects(peer["podSelector"], labels) for peer in peers or [])


def _selects(selector: Object, labels: Object) -> bool:
    assert {"matchLabels", "matchExpressions"} >= selector.keys()
    expressions = selector.get("matchExpressions", [])
    assert all("In" == one["operator"] for one in expressions)
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= labels.items() and all(labels.get(one["key"]) in one["values"] for one in expressions)


@every_cluster
def test_the_numbers_of_the_tier_of_many_hosts(rendered: Rendered) -> None:
    """3 to 5 clients by CPU, two of what may not be missed."""
    clients = rendered.one("HorizontalPodAutoscaler", "client")["spec"]
    assert (3, 5) == (clients["minReplicas"], clients["maxReplicas"])
    names = ("database", "scheduler", "business-logic", "console", "pgbouncer", "alertmanager")
    found = {one["metadata"]["name"]: one["spec"].get("replicas") for one in rendered.workloads()}
    assert dict.fromkeys(names, 2) == {name: found[name] for name in names}


def test_workers_are_scaled_with_keda_and_without() -> None:
    """5 to 10 workers: by the age of the queue, or by their CPU where nobody knows that age."""
    rendered, plain = (render(OVERLAYS[name]) for name in CLUSTERS)
    hpa = plain.one("HorizontalPodAutoscaler", "worker")["spec"]
    assert (5, 10, "worker") == (hpa["minReplicas"], hpa["maxReplicas"], hpa["scaleTargetRef"]["name"])
    assert not plain.of(*SCHEMAS), "needs what a plain cluster does not have"
    workers = rendered.one("ScaledObject", "worker")
    assert "keda.sh/v1alpha1" == workers["apiVersion"]
    assert (5, 10) == (workers["spec"]["minReplicaCount"], workers["spec"]["maxReplicaCount"])
    (trigger,) = workers["spec"]["triggers"]
    assert "prometheus" == trigger["type"]
    # It takes nothing but strings.
    assert {str} == {type(value) for value in trigger["metadata"].values()}
    assert "max(vestibule_queue_oldest_age_seconds)" == trigger["metadata"]["query"]


@every_cluster
def test_replicas_spread_and_may_not_all_be_taken_at_once(rendered: Rendered) -> None:
    """A drained host or a lost zone leaves some of each part."""
    budgets = {one["metadata"]["name"] for one in rendered.of("PodDisruptionBudget")}
    for part in PARTS:
        spread = rendered.pod(part)["spec"]["topologySpreadConstraints"]
        keys = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        assert keys == [one["topologyKey"] for one in spread]
        labels = rendered.pod(part)["metadata"]["labels"]
        assert all(_selects(one["labelSelector"], labels) for one in spread)
        assert part in budgets


@every_tier
def test_a_rollout_can_be_undone(rendered: Rendered) -> None:
    """Pods of a StatefulSet in order would wait for ever for the one that does not become ready."""
    assert rendered.of("StatefulSet")
    for one in rendered.of("StatefulSet"):
        assert "Parallel" == one["spec"]["podManagementPolicy"], one["metadata"]["name"]
        assert one["spec"].get("updateStrategy", {"type": "RollingUpdate"})["type"] == "RollingUpdate"


@every_tier
def test_a_pod_has_the_time_that_its_end_takes(rendered: Rendered) -> None:
    """The pause before the signal and the requests under way fit into the time before the kill."""
    for part in PARTS[:-1]:
        spec = rendered.pod(part)["spec"]
        pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
        grace = int(rendered.settings(part).get("VESTIBULE_SHUTDOWN_GRACE_S", "5"))
        assert pause + grace < spec["terminationGracePeriodSeconds"], part


@only_cluster
def test_prometheus_takes_its_configuration(rendered: Rendered, tmp_path: Path) -> None:
    """The configuration for a cluster is valid, and knows the parts by the labels that the alerts ask for."""
    content = rendered.one("ConfigMap", "vestibule-prometheus")["data"]["prometheus.yml"]
    (job,) = yaml.safe_load(content)["scrape_configs"]
    keep = next(one["regex"] for one in job["relabel_configs"] if one.get("action") == "keep")
    for part in PARTS:
        pod = rendered.pod(part)
        assert any(re.fullmatch(keep, f"{pod['metadata']['labels'][COMPONENT]};{port}") for port in _ports(pod)), part
    checker = shutil.which("promtool")
    if checker is None:
        pytest.skip("needs promtool (make monitoring-tools)")
    (tmp_path / "rules").mkdir()
    for name, rules in rendered.one("ConfigMap", "vestibule-rules")["data"].items():
        (tmp_path / "rules" / name).write_text(rules)
    # Some builds, such as Debian's, know no cluster: how pods are found is left out there.
    of_pods = "kubernetes_sd_configs:\n      - role: pod\n        namespaces: {own_namespace: true}"
    assert of_pods in content
    (tmp_path / "prometheus.yml").write_text(content.replace(of_pods, "static_configs: []"))
    ended = subprocess.run(
        [checker, "check", "config", "--syntax-only", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert 0 == ended.returncode, ended.stderr
