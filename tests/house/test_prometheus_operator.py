"""What deploy/kubernetes gives the Prometheus Operator is valid, and the same as what Prometheus gets without it."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from servers.manifests import COMPONENT, KUBERNETES, PARTS, Rendered, render_with

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("P*.json")}


@pytest.fixture
def with_operator(tmp_path: Path) -> Rendered:
    """The tier of replicas under the Prometheus Operator."""
    return render_with(tmp_path, "replicas", "prometheus-operator")


def test_the_objects_of_the_prometheus_operator_are_valid(with_operator: Rendered) -> None:
    """Each has the fields that its definition knows, and no other: the API server would drop them without a word."""
    found = with_operator.of(*SCHEMAS)
    assert ["PodMonitor", "PrometheusRule", "PrometheusRule"] == sorted(one["kind"] for one in found)
    for one in found:
        jsonschema.validate(one, SCHEMAS[one["kind"]])
    (policy,) = [one for one in with_operator.of("NetworkPolicy") if one["metadata"]["name"] == "scraped"]
    kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)


def test_the_prometheus_operator_gets_the_same_rules(with_operator: Rendered) -> None:
    """`make operator-rules` copies them."""
    for name in ("recording", "alerts"):
        rules = KUBERNETES.parent / "monitoring" / "rules" / f"{name}.yml"
        copied = with_operator.one("PrometheusRule", f"vestibule-{name}")["spec"]
        assert yaml.safe_load(rules.read_text()) == copied, "run make operator-rules"


def test_the_prometheus_operator_scrapes_every_part(with_operator: Rendered) -> None:
    """Every pod is selected and shows itself at one of the ports, under the labels that the alerts ask for."""
    spec = with_operator.one("PodMonitor", "vestibule")["spec"]
    (selected,) = spec["selector"]["matchExpressions"]
    assert (COMPONENT, "In", set(PARTS)) == (selected["key"], selected["operator"], set(selected["values"]))
    asked = {one["port"] for one in spec["podMetricsEndpoints"]}
    for part in PARTS:
        assert 1 == len(asked & {port["name"] for port in with_operator.pod(part)["spec"]["containers"][0]["ports"]}), (
            part
        )
    for endpoint in spec["podMetricsEndpoints"]:
        assert {"job", "instance", "scraped"} == {one["targetLabel"] for one in endpoint["relabelings"]}
        assert {"targetLabel": "job", "replacement": "vestibule"} in endpoint["relabelings"]
