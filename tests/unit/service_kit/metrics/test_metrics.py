"""What a process counts is right, bounded, and added up over processes."""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vestibule.service_kit.metrics import metrics as metrics_module
from vestibule.service_kit.metrics.catalogue import (
    CATALOGUE,
    FINDINGS,
    PART_UP,
    QUEUE_TASKS,
    REQUEST_DURATION,
    REQUESTS,
    TASKS,
    TASKS_REFUSED,
    MetricKind,
)
from vestibule.service_kit.metrics.metrics import Metrics, measure_disk
from vestibule.service_kit.metrics.sharing import (
    MetricsSlot,
    Publisher,
    Snapshot,
    add_up,
    clear_shared,
    read_neighbours,
    read_shared,
)

fork = multiprocessing.get_context("fork")


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return what is rendered, by name and the values of the labels but `service`, in the order of their names."""
    return {
        (sample.name, *(text for name, text in sorted(sample.labels.items()) if name != "service")): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_every_kind_is_rendered_as_prometheus_reads_it() -> None:
    """A counter adds up, a gauge holds its last value, a histogram counts what is below each bound."""
    metrics = Metrics("sample")
    metrics.count(FINDINGS, "EMAIL_ADDRESS", "block")
    metrics.count(FINDINGS, "EMAIL_ADDRESS", "block", by=2)
    metrics.set(PART_UP, 0, "database")
    metrics.count(REQUESTS, "GET", "/add", "200")
    metrics.observe(REQUEST_DURATION, 0.003, "GET", "/add")
    rendered = values(metrics)
    assert 3 == rendered["vestibule_findings_total", "block", "EMAIL_ADDRESS"]
    assert 0 == rendered["vestibule_part_up", "database"]
    assert 1 == rendered["vestibule_requests_total", "GET", "/add", "200"]
    buckets = [
        rendered["vestibule_request_duration_seconds_bucket", edge, "GET", "/add"] for edge in ("0.0025", "0.005")
    ]
    assert [0, 1] == buckets


def test_what_counts_one_series_counts_with_the_others() -> None:
    """Whoever counts the same often adds to the same sample as whoever names it each time."""
    metrics = Metrics("client")
    metrics.counter(REQUESTS, "POST", "/add", "200")()
    metrics.count(REQUESTS, "POST", "/add", "200")
    metrics.observer(REQUEST_DURATION, "POST", "/add")(0.5)
    metrics.observe(REQUEST_DURATION, 0.25, "POST", "/add")
    text = metrics.render().decode()
    labels = 'method="POST",route="/add",service="client"'
    assert f'vestibule_requests_total{{{labels},status="200"}} 2.0' in text
    assert f"vestibule_request_duration_seconds_sum{{{labels}}} 0.75" in text


def test_a_counter_is_shown_before_it_has_counted() -> None:
    """Who asks for its increase finds the zero that it started from."""
    metrics = Metrics("sample")
    metrics.expect(TASKS_REFUSED)
    assert 0 == values(metrics)["vestibule_tasks_refused_total",]


def test_a_label_that_takes_too_many_values_takes_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and the database of whoever scrapes are safe, whatever a label's values turn out to be."""
    monkeypatch.setattr(metrics_module, "MAX_SERIES", 5)
    metrics = Metrics("sample")
    for number in range(20):
        metrics.count(FINDINGS, f"KIND_{number}", "block")
    counted = {key[2]: value for key, value in values(metrics).items() if key[0] == "vestibule_findings_total"}
    assert {f"KIND_{number}": 1 for number in range(5)} | {"other": 15} == counted


def test_a_gauge_that_nobody_can_measure_is_not_shown() -> None:
    """An old value would look like a new one."""
    metrics = Metrics("sample")
    metrics.set(QUEUE_TASKS, 7, "waiting")
    metrics.forget(QUEUE_TASKS)
    assert ("vestibule_queue_tasks", "waiting") not in values(metrics)
    metrics.set(QUEUE_TASKS, 1, "waiting")
    assert 1 == values(metrics)["vestibule_queue_tasks", "waiting"]


def test_a_counter_follows_what_others_count() -> None:
    """What is counted elsewhere is shown as it stands there, and never falls."""
    metrics, totals = Metrics("sample"), {("file",): 3.0}
    lost = next(metric for metric in CATALOGUE if metric.name == "vestibule_log_lines_lost_total")
    metrics.follow(lost, lambda: totals)
    assert 3 == values(metrics)["vestibule_log_lines_lost_total", "file"]
    totals["file",] = 5.0
    assert [5, 5] == [values(metrics)["vestibule_log_lines_lost_total", "file"] for _ in range(2)]


async def test_a_source_that_fails_does_not_hurt_the_others() -> None:
    """Metrics are answered whatever is away."""
    metrics = Metrics("sample")

    async def fail(_metrics: Metrics) -> None:
        raise OSError("away")

    async def answer(asked: Metrics) -> None:
        asked.set(QUEUE_TASKS, 1, "waiting")

    metrics.ask(fail)
    metrics.ask(answer)
    await metrics.refresh()
    assert 1 == values(metrics)["vestibule_queue_tasks", "waiting"]


def test_the_catalogue_names_each_metric_once_and_by_the_rules() -> None:
    """Counters end in `_total`, histograms of time in `_seconds`, and each says what it means."""
    names = [metric.name for metric in CATALOGUE]
    assert sorted(set(names)) == sorted(names)
    prefixes = ("vestibule_", "process_")
    assert [] == [metric.name for metric in CATALOGUE if not metric.meaning or not metric.name.startswith(prefixes)]
    assert all(metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER) for metric in CATALOGUE)
    assert all(bool(metric.buckets) == (metric.kind is MetricKind.HISTOGRAM) for metric in CATALOGUE)


def test_the_system_says_what_the_process_uses(tmp_path: Path) -> None:
    """CPU, memory, files and start have the names that every client of Prometheus gives them."""
    metrics = Metrics("sample")
    before = values(metrics)["process_cpu_seconds_total",]
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    with (tmp_path / "open").open("w"):
        rendered = values(metrics)
    # The kernel counts in ticks of a hundredth.
    assert 0.03 <= rendered["process_cpu_seconds_total",] - before < 5
    assert 1_000_000 < rendered["process_resident_memory_bytes",] < 10**10
    assert 3 < rendered["process_open_fds",] <= rendered["process_max_fds",]
    assert 0 < time.time() - rendered["process_start_time_seconds",] < 86_400


async def test_the_disk_of_a_folder_is_measured(tmp_path: Path) -> None:
    """What is free is what others than root may use; of a folder that is gone nothing is shown."""
    metrics = Metrics("sample")
    folder = tmp_path / "data"
    folder.mkdir()
    measure_disk(metrics, folder)
    await metrics.refresh()
    shown = values(metrics)
    assert 0 < shown["vestibule_disk_free_bytes",] <= shown["vestibule_disk_size_bytes",]
    folder.rmdir()
    await metrics.refresh()
    assert not {("vestibule_disk_free_bytes",), ("vestibule_disk_size_bytes",)} & values(metrics).keys()


def test_a_snapshot_survives_being_written_and_read() -> None:
    """What one process wrote is what another reads."""
    metrics = Metrics("sample")
    metrics.observe(REQUEST_DURATION, 0.2, "GET", "/add")
    snapshot = metrics.snapshot()
    assert snapshot.dump() == Snapshot.read(snapshot.dump()).dump()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": ["counter"]}', b"\xff"])
def test_what_is_no_snapshot_is_refused(content: bytes) -> None:
    """A file that was torn is not added up."""
    with pytest.raises(ValueError, match=r".+"):
        Snapshot.read(content)


def test_counters_add_up_and_gauges_do_not() -> None:
    """Ten processes that each say that a part is up do not make ten parts."""
    first, second = Metrics("sample"), Metrics("sample")
    for metrics, number in ((first, 2), (second, 3)):
        metrics.count(TASKS, "uppercase", "succeeded", by=number)
        metrics.set(PART_UP, 1, "database")
    total = Metrics("total")
    total.join(lambda: [add_up([first.snapshot(), second.snapshot()])])
    rendered = values(total)
    assert (5, 1) == (
        rendered["vestibule_tasks_total", "uppercase", "succeeded"],
        rendered["vestibule_part_up", "database"],
    )


def count_and_publish(folder: Path, tasks: int, is_killed: Any) -> None:
    """Do what a process of a pool does; run in a process of its own."""
    metrics = Metrics("worker1")
    publisher = Publisher(folder, metrics.snapshot)
    publisher.start()
    for _ in range(tasks):
        metrics.count(TASKS, "uppercase", "succeeded")
        metrics.count(REQUESTS, "GET", "/add", "200")
        metrics.observe(REQUEST_DURATION, 0.01, "GET", "/add")
    if is_killed is None:
        publisher.close()
    else:
        is_killed.wait()


def test_processes_that_share_a_folder_are_shown_as_one(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """What several processes count at once adds up, also when one of them is killed, and no count ever falls."""
    folder, never = tmp_path / "worker1", fork.Event()
    processes = [fork.Process(target=count_and_publish, args=(folder, 1000, never)) for _ in range(3)]
    for process in processes:
        process.start()
    shown = Metrics("worker1")
    shown.join(lambda: read_shared(folder))
    key = ("vestibule_tasks_total", "uppercase", "succeeded")
    wait_until(lambda: values(shown).get(key) == 3000, 60, "the sum of three processes")
    for process in processes:
        process.kill()
        process.join()
    assert 3000 == values(shown)[key]
    # The next takes the place of one that is gone, and goes on from what that had counted.
    successor = fork.Process(target=count_and_publish, args=(folder, 500, None))
    successor.start()
    successor.join(60)
    assert (3500, 3500) == (values(shown)[key], values(shown)["vestibule_requests_total", "GET", "/add", "200"])
    assert 3 == len(list(folder.glob("*.json")))


def test_a_process_knows_that_it_takes_the_place_of_one_that_is_gone(tmp_path: Path) -> None:
    """The first at a desk is nobody's successor; who comes after it is, unless the folder was cleared."""
    first = MetricsSlot.take(tmp_path)
    second = MetricsSlot.take(tmp_path)
    assert [False, False] == [first.is_taken_over, second.is_taken_over]
    first.leave()
    assert MetricsSlot.take(tmp_path).is_taken_over
    clear_shared(tmp_path)
    assert not MetricsSlot.take(tmp_path).is_taken_over


def test_a_folder_that_cannot_be_written_costs_only_the_view(tmp_path: Path) -> None:
    """Counting goes on, and nothing is raised where nobody could catch it."""
    (tmp_path / "file").write_text("in the way")
    metrics = Metrics("sample")
    publisher = Publisher(tmp_path / "file" / "below", metrics.snapshot)
    publisher.start()
    metrics.count(TASKS_REFUSED)
    publisher.close()
    assert 1 == values(metrics)["vestibule_tasks_refused_total",]


def test_a_part_whose_processes_are_all_gone_is_not_shown(tmp_path: Path) -> None:
    """A worker that was removed leaves no series behind; its gauges go before its counts."""
    count_and_publish(tmp_path / "worker1", 10, None)
    assert 1 == len(list(read_neighbours(tmp_path)))
    an_hour_ago = time.time() - 3600
    for file in (tmp_path / "worker1").glob("*.json"):
        os.utime(file, (an_hour_ago, an_hour_ago))
    assert [] == list(read_neighbours(tmp_path))
    (left,) = read_shared(tmp_path / "worker1")
    assert ["counter", "histogram"] == sorted({family.type for family in left.families()})
