"""The catalogue of all metrics: name, kind, meaning and labels. `docs/monitoring.md` shows this table.

No label holds what a caller sent. Each takes few values: templates of routes, kinds from closed vocabularies, names of
parts and channels. The label `service`, which every metric has first, is the part that counts.
"""

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STORE_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
TASK_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COMMIT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric; counters end in `_total`, and units are part of the name."""

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"vestibule_{name}_total", MetricKind.COUNTER, meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"vestibule_{name}", MetricKind.GAUGE, meaning, labels)


def _histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(f"vestibule_{name}", MetricKind.HISTOGRAM, meaning, labels, buckets)


BUILD_INFO = _gauge("build_info", "Always 1; the labels say which version runs", "version", "python")
REQUESTS = _counter("requests", "Requests answered", "method", "route", "status")
REQUEST_DURATION = _histogram(
    "request_duration_seconds",
    "Time from the first byte of a request to the last of its answer",
    *("method", "route"),
    buckets=REQUEST_BUCKETS_S,
)
FINDINGS = _counter("findings", "Findings in requests and results, by entity and action", "entity", "action")
DECISIONS = _counter(
    "decisions",
    "Screened requests, and results with findings, by the strictest action; `none` if nothing was found",
    "action",
)
ALERTS = _counter("alerts", "Alerts raised", "type", "severity")
ALERT_DELIVERIES = _counter(
    "alert_deliveries", "Attempts to deliver a notification: `delivered`, `failed` or `given_up`", "channel", "outcome"
)
LOG_LINES_LOST = _counter("log_lines_lost", "Log lines that could not be written, to `file` or `stdout`", "output")
STORE_DURATION = _histogram(
    "store_operation_duration_seconds",
    "Time that the store took, by operation and by how it ended: `ok`, `refused` or `failed`",
    *("operation", "outcome"),
    buckets=STORE_BUCKETS_S,
)
STORE_COMMIT_CHANGES = _histogram(
    "store_commit_changes", "Changes that shared one commit; the count is the number of commits", buckets=COMMIT_BUCKETS
)
DISK_FREE_BYTES = _gauge("disk_free_bytes", "Bytes that are free where the data directory is")
DISK_SIZE_BYTES = _gauge("disk_size_bytes", "Bytes that fit where the data directory is")
SQLITE_LOG_BYTES = _gauge("sqlite_log_bytes", "Size of the write-ahead log of a SQLite file", "file")
TASKS_ACCEPTED = _counter("tasks_accepted", "Tasks that were accepted for the background", "processor")
TASKS_REFUSED = _counter("tasks_refused", "Tasks that could not be accepted for certain, so their callers got 503")
CALLBACKS = _counter(
    "callbacks", "Attempts to deliver webhooks about finished tasks: `delivered`, `failed`, `given_up`", "outcome"
)
TASKS = _counter(
    "tasks", "Attempts at tasks, by how they ended: `succeeded`, `failed`, `retried`", "processor", "state"
)
TASKS_REDELIVERED = _counter("tasks_redelivered", "Attempts at tasks that another worker had taken and lost")
TASK_DURATION = _histogram(
    "task_duration_seconds", "Time that one attempt at a task took in a worker", "processor", buckets=TASK_BUCKETS_S
)
TASK_WAIT = _histogram(
    "task_wait_seconds", "Time from the sending of a task to the start of an attempt", buckets=TASK_BUCKETS_S
)
WORKER_PROCESSES_REPLACED = _counter(
    "worker_processes_replaced", "Processes of a worker's pool that took a dead one's place"
)
LEDGER_TASKS = _gauge(
    "ledger_tasks",
    "Tasks that are recorded and not done: `queued`, `running`, `retrying`, `dead`",
    "state",
)
QUEUE_TASKS = _gauge("queue_tasks", "Tasks in Redis: `waiting`, or `reserved` by a worker", "state")
QUEUE_PAUSED = _gauge(
    "queue_paused", "1 where the tasks of a processor are paused, else 0; `*` is the whole queue", "processor"
)
QUEUE_OLDEST_AGE = _gauge("queue_oldest_age_seconds", "Age of the task that has waited longest; 0 where none waits")
REDIS_MEMORY_BYTES = _gauge("redis_memory_bytes", "Memory that Redis uses")
REDIS_MAX_MEMORY_BYTES = _gauge("redis_max_memory_bytes", "Memory that Redis may use; 0 where it has no limit")
WORKERS_ALIVE = _gauge("workers_alive", "Workers whose heartbeat is fresh")
PROBES = _counter("probes", "Probes of the parts: `answered` or `missed`", "part", "outcome")
PROBE_DURATION = _gauge("probe_duration_seconds", "How long the last probe of a part took", "part")
PART_UP = _gauge("part_up", "1 where a part is up, 0 where it is down; absent where that is not known", "part")
SPANS_LOST = _counter("spans_lost", "Spans of traces that the collector did not take")
TOKEN_EXPIRY = _gauge(
    "token_expiry_timestamp_seconds", "When the next token of a caller expires; `+Inf` where none does"
)

# The names and meanings that the clients of Prometheus in all languages give these.
PROCESS_CPU = Metric("process_cpu_seconds_total", MetricKind.COUNTER, "CPU time that the processes of a part took")
PROCESS_MEMORY = Metric("process_resident_memory_bytes", MetricKind.GAUGE, "Memory of a part's largest process")
PROCESS_OPEN_FDS = Metric("process_open_fds", MetricKind.GAUGE, "Open files of the process of a part that has most")
PROCESS_MAX_FDS = Metric("process_max_fds", MetricKind.GAUGE, "Files that a process may open")
PROCESS_START = Metric("process_start_time_seconds", MetricKind.GAUGE, "When a part's newest process started")

CATALOGUE = tuple(metric for metric in list(globals().values()) if isinstance(metric, Metric))
