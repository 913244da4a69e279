"""What the monitoring asks for is what the code counts, and what the document says it does."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from vestibule.service_kit.http.middleware import LENIENT, PROBES
from vestibule.service_kit.metrics import catalogue
from vestibule.service_kit.metrics.catalogue import CATALOGUE, MetricKind
from vestibule.service_kit.metrics.metrics import Metrics

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RECORDING = (MONITORING / "rules" / "recording.yml").read_text()
ALERTS = (MONITORING / "rules" / "alerts.yml").read_text()
DASHBOARD = json.loads((MONITORING / "grafana" / "vestibule.json").read_text())
SUFFIXES = {MetricKind.HISTOGRAM: ("_bucket", "_sum", "_count"), MetricKind.COUNTER: ("",), MetricKind.GAUGE: ("",)}
EMITTING = {"count", "observe", "set", "follow", "counter", "observer"}
SERIES = {metric.name + suffix: metric for metric in CATALOGUE for suffix in SUFFIXES[metric.kind]}


def expressions_of_dashboard() -> list[str]:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


TEXTS = {"recording": RECORDING, "alerts": ALERTS, "dashboard": "\n".join(expressions_of_dashboard())}
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


@every_text
def test_every_metric_that_is_asked_for_exists(text: str) -> None:
    """A name that nobody counts is a panel that stays empty and an alert that never fires."""
    asked = set(re.findall(r"\b(?:vestibule|process)_[a-z_0-9]+", text))
    assert asked
    assert set() == asked - SERIES.keys()


@every_text
def test_every_recorded_series_that_is_asked_for_is_recorded(text: str) -> None:
    """The same for what a rule computes."""
    recorded = set(re.findall(r"record: (\S+)", RECORDING))
    assert set() == set(re.findall(r"\bvestibule:[a-z_:0-9]+", text)) - recorded


@every_text
def test_every_label_that_is_asked_for_exists(text: str) -> None:
    """A selector by a label that a metric does not have selects nothing."""
    selectors = re.findall(r"\b((?:vestibule|process)_[a-z_0-9]+)\{([^}]*)\}", text)
    # Prometheus adds the last two.
    known = {name: {"service", "le", "job", "scraped", *SERIES[name].labels} for name, _ in selectors}
    asked_for = [(name, label) for name, one in selectors for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", one)]
    assert [] == [(name, label) for name, label in asked_for if label not in known[name]]


def test_every_metric_is_used() -> None:
    """Nothing is counted that nobody looks at."""
    texts = "\n".join(TEXTS.values())
    assert [] == [metric.name for metric in CATALOGUE if not re.search(rf"\b{metric.name}", texts)]


def _emitted(tree: ast.Module) -> Iterator[str]:
    """Yield the names in the arguments of calls that emit a metric, or that bind one to the method that emits it."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        if EMITTING & {getattr(part, "attr", "") for part in (call.func, *arguments)}:
            yield from (part.id for part in arguments if isinstance(part, ast.Name))


def test_every_metric_is_emitted() -> None:
    """The code counts, observes or sets each metric of the catalogue; to expect it only would show zero for ever."""
    constants = {name for name, one in vars(catalogue).items() if isinstance(one, catalogue.Metric)}
    sources = [ast.parse(path.read_text()) for path in (ROOT / "src").rglob("*.py")]
    assert len(CATALOGUE) == len(constants)
    assert set() == constants - {name for tree in sources for name in _emitted(tree)}


def test_the_document_and_the_code_agree() -> None:
    """The table has every metric with its kind, its labels and its meaning, and no other."""
    document = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `((?:vestibule|process)_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", document, re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows}
    counted = {metric.name: (metric.kind.value, metric.labels, metric.meaning) for metric in CATALOGUE}
    assert counted == documented


def test_what_is_declared_is_what_is_rendered() -> None:
    """The name and the labels of the catalogue are those that Prometheus reads."""
    metrics = Metrics("sample")
    for metric in CATALOGUE:
        metrics.expect(metric, *("x" for _ in metric.labels))
    rendered: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            rendered.setdefault(sample.name, set()).update(sample.labels)
    expected = {
        name: {"service", *metric.labels, *(["le"] if name.endswith("_bucket") else [])}
        for name, metric in SERIES.items()
    }
    assert expected == rendered


def test_every_alert_is_tested() -> None:
    """Each alert of the rules is one that the rules' tests expect to fire."""
    tests = (MONITORING / "rules" / "alerts.test.yml").read_text()
    assert [] == [
        name
        for name in re.findall(r"alert: (\w+)", ALERTS)
        if f'"{name}"' not in tests and f"alertname: {name}" not in tests
    ]


def test_every_alert_is_tried_on_what_is_just_well() -> None:
    """The test of a quiet system has a series of each metric that an alert asks for."""
    first = yaml.safe_load((MONITORING / "rules" / "alerts.test.yml").read_text())["tests"][0]
    assert "a quiet system wakes nobody" == first["name"]
    given = {one["series"].partition("{")[0] for one in first["input_series"]}
    asked = set(re.findall(r"\b(?:vestibule|process|probe)_[a-z_0-9]+(?=[{ \[)])", ALERTS))
    assert asked
    assert set() == asked - given


def test_latencies_leave_out_what_waits_on_purpose() -> None:
    """A watcher or a probe is not a slow request; the load shedder knows the same routes."""
    left_out = re.findall(r'route!~"([^"]+)"', RECORDING)
    assert 2 == len(left_out)
    for pattern in left_out:
        assert [] == [path for path in (*PROBES, *LENIENT) if not re.fullmatch(pattern, path)]
        assert not re.fullmatch(pattern, "/add")


def test_an_alert_hides_only_what_it_causes() -> None:
    """What is hidden is of the same service, queue or disk."""
    rules = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())["inhibit_rules"]
    causes = {
        ("VestibuleDoorDown|VestibuleServiceGone", "VestibuleTargetDown", ("scraped",)),
        ("VestibuleDiskFull", "VestibuleDiskFills", ("instance", "service")),
        ("VestibuleNoWorkers", "VestibuleQueueOld", ()),
    }
    assert causes == {
        (
            *(re.findall(r'"(.+)"', one[side][0])[0] for side in ("source_matchers", "target_matchers")),
            tuple(one.get("equal", ())),
        )
        for one in rules
    }


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """Every panel asks the data source that is chosen, has a place of its own, and says what it shows."""
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert ["datasource"] == [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert sorted({panel["id"] for panel in panels}) == sorted(panel["id"] for panel in panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    graphs = [panel for panel in panels if panel["type"] != "row"]
    assert {"${datasource}"} == {panel["datasource"]["uid"] for panel in graphs}
    assert all(panel["title"] and panel["targets"] for panel in graphs)
