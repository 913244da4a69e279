"""What deploy/kubernetes gives the Prometheus Operator is valid, and the same as what Prometheus gets without it."""

import os
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from servers.manifests import COMPONENT, KUBERNETES, PARTS, Object, Rendered, render

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _strict(required: str, **properties: Object) -> Object:
    """Return the schema of an object that has what is required, and nothing that is not named."""
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


TEXT, DURATION = {"type": "string"}, {"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"}
RELABELING = _strict(
    "targetLabel",
    **dict.fromkeys(("targetLabel", "replacement", "regex"), TEXT),
    sourceLabels={"type": "array", "items": TEXT},
)
ENDPOINT = _strict("port", port=TEXT, path=TEXT, interval=DURATION, relabelings={"type": "array", "items": RELABELING})
ALERT = _strict("alert expr labels", alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION})
RULES = {"type": "array", "items": {"oneOf": [ALERT, _strict("record expr", record=TEXT, expr=TEXT)]}}
# What of the Prometheus Operator's objects is used here, as its definitions of version 0.82 have it.
OPERATOR = {
    "PodMonitor": _strict(
        "selector podMetricsEndpoints",
        selector=_strict("matchExpressions", matchExpressions={"type": "array"}),
        podMetricsEndpoints={"type": "array", "items": ENDPOINT},
    ),
    "PrometheusRule": _strict(
        "groups", groups={"type": "array", "items": _strict("name rules", name=TEXT, rules=RULES)}
    ),
}


@pytest.fixture
def with_operator(tmp_path: Path) -> Rendered:
    """The tier of replicas under the Prometheus Operator."""
    parts = {"resources": "overlays/replicas", "components": "components/prometheus-operator"}
    lists = {kind: [os.path.relpath(KUBERNETES / path, tmp_path)] for kind, path in parts.items()}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({**lists, "namespace": "vestibule"}))
    return render(tmp_path)


def test_the_objects_of_the_prometheus_operator_are_valid(with_operator: Rendered) -> None:
    """Each has the fields that its definition knows, and no other: the API server would drop them without a word."""
    found = with_operator.of(*OPERATOR)
    assert ["PodMonitor", "PrometheusRule", "PrometheusRule"] == sorted(one["kind"] for one in found)
    for one in found:
        assert "monitoring.coreos.com/v1" == one["apiVersion"]
        jsonschema.validate(one["spec"], OPERATOR[one["kind"]])
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
