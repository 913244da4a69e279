"""The monitoring that comes along works: its rules, and a Vestibule under a real Prometheus and Alertmanager."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import ports
from vestibule.service_kit.metrics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
MARKER = "Zq7MARKERx9"
WaitUntil = Callable[..., Any]


def tool(name: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (make monitoring-tools)")
    return path


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=MONITORING, capture_output=True, text=True, timeout=100, check=False)


def test_the_rules_fire_when_they_should() -> None:
    """Every alert fires on what it is for, and a quiet system fires none."""
    ended = run(tool("promtool"), "test", "rules", "rules/alerts.test.yml")
    assert 0 == ended.returncode, ended.stdout + ended.stderr


def test_the_configurations_are_valid() -> None:
    """Prometheus and Alertmanager take the files as they are."""
    for name in ("prometheus.yml", "prometheus-compose.yml"):
        ended = run(tool("promtool"), "check", "config", name)
        assert 0 == ended.returncode, ended.stdout + ended.stderr
    ended = run(tool("amtool"), "check-config", "alertmanager.yml")
    assert 0 == ended.returncode, ended.stdout + ended.stderr


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    """Run a program meanwhile."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Watched:
    """A Vestibule, the Prometheus that scrapes it, and the Alertmanager that both tell."""

    system: Any
    prometheus: httpx.Client
    alertmanager: httpx.Client

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus says."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return found


def configuration(folder: Path, base_port: int, alertmanager_port: int) -> Path:
    """Return the configuration that comes along, for these ports and in a hurry."""
    shutil.copytree(MONITORING / "rules", folder / "rules")
    text = (MONITORING / "prometheus.yml").read_text().replace("15s", "1s")
    text = re.sub(r"127\.0\.0\.1:800(\d)", lambda port: f"127.0.0.1:{base_port + int(port[1])}", text)
    path = folder / "prometheus.yml"
    path.write_text(text.replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager_port}"))
    return path


@pytest.fixture(scope="module")
def alertmanager_port() -> int:
    """Where the Alertmanager is going to listen."""
    return ports.free_port()


@pytest.fixture(scope="module")
def observed(start_for_module: Any, module_receiver: Any, alertmanager_port: int) -> Any:
    """A Vestibule that sends its alerts to the Alertmanager and its traces to the receiver."""
    return start_for_module(
        VESTIBULE_CONSOLE="on",
        VESTIBULE_ALERT_CHANNELS='["report_file", "alertmanager"]',
        VESTIBULE_ALERT_ALERTMANAGER_URL=f"http://127.0.0.1:{alertmanager_port}",
        VESTIBULE_ALERT_EGRESS_SCHEMES='["http"]',
        VESTIBULE_ALERT_EGRESS_PRIVATE="1",
        VESTIBULE_ALERT_GROUP_WAIT_S="0",
        VESTIBULE_OTLP_ENDPOINT=module_receiver.url(),
        VESTIBULE_PROBE_INTERVAL_S="1",
    )


@contextmanager
def monitors(config: Path, alertmanager_port: int) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Run Prometheus and Alertmanager, and yield a client of each."""
    prometheus, alertmanager = tool("prometheus"), tool("prometheus-alertmanager")
    folder, scraped, told = config.parent, f"127.0.0.1:{ports.free_port()}", f"127.0.0.1:{alertmanager_port}"
    telling = [f"--storage.path={folder}/alerts", f"--web.listen-address={told}", "--cluster.listen-address="]
    scraping = [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={scraped}"]
    # What fires before Prometheus has found Alertmanager is told again after a minute by default.
    scraping.append("--rules.alert.resend-delay=1s")
    with (
        running(folder / "alerts.log", alertmanager, f"--config.file={MONITORING}/alertmanager.yml", *telling),
        running(folder / "prometheus.log", prometheus, f"--config.file={config}", *scraping),
        httpx.Client(base_url=f"http://{scraped}", timeout=20, trust_env=False) as asked,
        httpx.Client(base_url=f"http://{told}", timeout=20, trust_env=False) as manager,
    ):
        yield asked, manager


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, alertmanager_port: int, request: Any) -> Iterator[Watched]:
    """The same under a Prometheus and an Alertmanager that run."""
    tool("prometheus")
    system = request.getfixturevalue("observed")
    config = configuration(tmp_path_factory.mktemp("monitoring"), system.base_port, alertmanager_port)
    with monitors(config, alertmanager_port) as (prometheus, alertmanager):
        yield Watched(system, prometheus, alertmanager)


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


def test_prometheus_sees_what_happened(watched: Watched, wait_until: WaitUntil) -> None:
    """One leak, one clean pair and one task later, a real Prometheus knows of each, over all processes."""
    http = watched.system.http
    assert 200 == watched.system.add("greeting", "hello").status_code
    assert 422 == watched.system.add(f"{MARKER}-key", f"write to {MARKER.lower()}.muster@example.com").status_code
    task = http.post("/run", json={"key": "greeting"}).json()
    assert "succeeded" == http.get(f"/tasks/{task['task_id']}", params={"wait": 30}).json()["state"]
    http.get(f"/{MARKER}", params={MARKER: MARKER})
    wait_until(lambda: is_up(watched.prometheus), 60, "Prometheus")
    expected = {
        'up{job="vestibule"} == 1': 4,
        'vestibule_requests_total{route="/add",status="422"} == 1': 1,
        'vestibule_requests_total{service="client",route="unmatched",status="404"} == 1': 1,
        'vestibule_findings_total{entity="EMAIL_ADDRESS",action="block"} == 1': 1,
        'vestibule_decisions_total{action="none"} == 1': 1,
        'vestibule_alerts_total{type="PersonalData"} == 1': 1,
        'vestibule_tasks_accepted_total == 1': 1,
        'sum(vestibule_tasks_total{service=~"worker.*",state="succeeded"}) == 1': 1,
        'sum(vestibule_task_duration_seconds_count) == 1': 1,
        'vestibule_store_operation_duration_seconds_count{operation="write",outcome="ok"} > 0': 1,
        'vestibule_store_commit_changes_count > 0': 1,
        'vestibule_queue_oldest_age_seconds == 0': 1,
        'vestibule_workers_alive == 2': 1,
        'vestibule_ledger_tasks == 0': 4,
        'vestibule_part_up == 1': 5,
        'vestibule_log_lines_lost_total{output="file"} == 0': 6,
        'count(vestibule_build_info)': 1,
    }  # fmt: skip
    for expression, series in expected.items():
        wait_until(lambda e=expression, n=series: len(watched.ask(e)) >= n, 60, expression)


def test_the_rules_are_evaluated_and_quiet(watched: Watched, wait_until: WaitUntil) -> None:
    """Against real metrics no rule fails, and no alert fires of a system that is well."""

    def rules() -> list[dict[str, Any]]:
        groups = watched.prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: is_up(watched.prometheus), 60, "Prometheus")
    wait_until(lambda: {rule["health"] for rule in rules()} == {"ok"}, 60, "every rule to be evaluated")
    wait_until(lambda: [rule for rule in rules() if rule.get("state") == "firing"], 60, "the watchdog")
    assert ["VestibuleWatchdog"] == [rule["name"] for rule in rules() if rule.get("state") == "firing"]
    told = {"filter": 'alertname="VestibuleWatchdog"'}
    (arrived,) = wait_until(lambda: watched.alertmanager.get("/api/v2/alerts", params=told).json(), 60, "its alert")
    assert ["watchdog"] == [receiver["name"] for receiver in arrived["receivers"]]


def selectors() -> set[str]:
    """Return what the rules and the dashboard select, each once."""
    board = json.loads((MONITORING / "grafana" / "vestibule.json").read_text())
    texts = [file.read_text() for file in (MONITORING / "rules" / "alerts.yml", MONITORING / "rules" / "recording.yml")]
    texts += [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return {one for text in texts for one in re.findall(r"\b(?:vestibule|process)_[a-z_0-9]+(?:\{[^}]*\})?", text)}


def test_every_selector_selects_something(watched: Watched, wait_until: WaitUntil) -> None:
    """After a pair, a finding and a task nothing that the rules and the dashboard ask for is without a series."""
    watched.system.add("selected", "hello")
    watched.system.add("contact", "write to erika.muster@example.com")
    task = watched.system.http.post("/run", json={"key": "selected"}).json()
    assert "succeeded" == watched.system.http.get(f"/tasks/{task['task_id']}", params={"wait": 30}).json()["state"]
    wait_until(lambda: is_up(watched.prometheus), 60, "Prometheus")
    # Nothing has failed here.
    asked = {one for one in selectors() if 'status=~"5.."' not in one}
    assert len(asked) > 40
    for selector in sorted(asked):
        wait_until(lambda s=selector: watched.ask(s), 30, selector)


def test_where_nothing_answers_the_causes_are_told_and_not_what_follows(tmp_path: Path, wait_until: WaitUntil) -> None:
    """A real Alertmanager tells that the door and each service is down, and keeps to itself that each replica is."""
    alertmanager_port = ports.free_port()
    config = configuration(tmp_path, ports.free_row(5)[0], alertmanager_port)
    rules = tmp_path / "rules" / "alerts.yml"
    rules.write_text(re.sub(r"for: \d+m", "for: 1s", rules.read_text()))

    def told() -> Counter[tuple[str, str]]:
        alerts = alertmanager.get("/api/v2/alerts").json() if is_up(alertmanager) else []
        return Counter(
            (one["labels"]["alertname"], f"{one['labels']['severity']} {one['status']['state']}") for one in alerts
        )

    expected = {
        ("VestibuleDoorDown", "critical active"): 1,
        ("VestibuleServiceGone", "critical active"): 3,
        ("VestibuleTargetDown", "warning suppressed"): 4,
        # People can do without the console for a while.
        ("VestibuleTargetDown", "warning active"): 1,
        ("VestibuleWatchdog", "none active"): 1,
    }
    with monitors(config, alertmanager_port) as (_, alertmanager):
        wait_until(lambda: told() == expected, 60, "the alerts")


def test_vestibules_own_alert_reaches_the_alertmanager(watched: Watched, wait_until: WaitUntil) -> None:
    """The channel that comes along is understood by a real Alertmanager, and routed by its group."""
    refused = watched.system.add("contact", "write to erika.muster@example.com")
    assert 422 == refused.status_code
    arrived = wait_until(
        lambda: watched.alertmanager.get(
            "/api/v2/alerts", params={"filter": 'alertname="VestibulePersonalData"'}
        ).json(),
        60,
        "the alert",
    )
    labels = arrived[0]["labels"]
    assert ("PersonalData", "client", "people") == (
        labels["type"],
        labels["service"],
        arrived[0]["receivers"][0]["name"],
    )
    assert labels["group_id"]
    wait_until(
        lambda: watched.ask('vestibule_alert_deliveries_total{channel="alertmanager",outcome="delivered"} > 0'),
        60,
        "the delivery to be counted",
    )


def test_a_trace_goes_from_the_door_to_the_worker(observed: Any, module_receiver: Any, wait_until: WaitUntil) -> None:
    """Each step is the child of the one before, over two walls and the queue, in the trace that the caller began."""
    walks = {
        "0af7651916cd43dd8448eb211c80319c": ["POST /add", "POST database", "POST /write", "store write"],
        "0af7651916cd43dd8448eb211c80319d": ["POST /run", "run vestibule.process_data"],
    }
    parent_id = "b7ad6b7169203331"
    bodies = ({"key": "traced", "value": "hello"}, {"key": "traced"})
    for (trace_id, walk), body in zip(walks.items(), bodies, strict=True):
        headers = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
        answer = observed.http.post(walk[0].removeprefix("POST "), json=body, headers=headers)
        assert answer.status_code in {200, 202}
    for trace_id, walk in walks.items():
        wait_until(lambda t=trace_id, w=walk: {*w} <= module_receiver.spans(t).keys(), 60, f"the trace of {walk[0]}")
        spans = module_receiver.spans(trace_id)
        parents = [parent_id, *(spans[name].span_id.hex() for name in walk[:-1])]
        assert parents == [spans[name].parent_span_id.hex() for name in walk]


def test_nothing_that_was_sent_is_in_metrics_and_traces(
    observed: Any, module_receiver: Any, wait_until: WaitUntil
) -> None:
    """Keys, values, paths, queries and methods that callers make up are in no label and in no span of any part."""
    observed.add(f"{MARKER}-key", f"hello {MARKER}")
    for path in ("/read", "/nowhere", f"/tasks/{MARKER}", f"/{MARKER}"):
        observed.http.get(path, params={"key": MARKER, MARKER: MARKER}, headers={"X-Request-ID": "the-id"})
    observed.http.request(MARKER.upper(), "/add")
    observed.http.post("/run", json={"key": f"{MARKER}-key", "processor": MARKER})
    task = observed.http.post("/messages", json={"text": f"hello {MARKER}", "mode": "async"}).json()
    observed.http.get(f"/tasks/{task['task_id']}", params={"wait": 30})
    wait_until(lambda: task["task_id"].encode() in b"".join(module_receiver.received), 60, "the trace of the task")
    shown = [httpx.get(f"{observed.part_url(part)}/metrics", trust_env=False, timeout=40).text for part in range(4)]
    assert all("vestibule_requests_total" in text for text in shown)
    assert MARKER.lower() not in "".join(shown).lower()
    assert MARKER.lower().encode() not in b"".join(module_receiver.received).lower()


def test_a_running_system_shows_every_metric(observed: Any, wait_until: WaitUntil) -> None:
    """After a pair, a finding and a task each metric of the catalogue has a series, at one of the four services."""
    observed.add("shown", "hello")
    observed.add("contact", "write to erika.muster@example.com")
    task = observed.http.post("/run", json={"key": "shown"}).json()
    assert "succeeded" == observed.http.get(f"/tasks/{task['task_id']}", params={"wait": 30}).json()["state"]

    def missing() -> set[str]:
        pages = [httpx.get(f"{observed.part_url(part)}/metrics", trust_env=False, timeout=40).text for part in range(4)]
        series = {line.partition("{")[0] for page in pages for line in page.splitlines()}
        return {metric.name for metric in CATALOGUE if not {metric.name, f"{metric.name}_count"} & series}

    wait_until(lambda: not missing(), 40, f"a series of each of {missing()}")
