"""Logging: one event a line, JSON in `logs/app.log`, the same on stdout (readable where that is a terminal).

An event is encoded once, where it happens; a thread writes it. Of what libraries log only the unformatted message is
kept, without its arguments, and exceptions are shown without their texts: both may hold what a caller sent.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from vestibule.contracts.errors import VestibuleError
from vestibule.runtime.background import in_background, repeat
from vestibule.runtime.log_context import log_fields
from vestibule.service_kit.logging.log_line import encode_line
from vestibule.service_kit.logging.log_sinks import LogFile, LogStream, RotationRules
from vestibule.service_kit.logging.log_writer import LineWriter, WriterHealth
from vestibule.service_kit.metrics.catalogue import LOG_LINES_LOST
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings

ExceptionTriple = tuple[type[BaseException], BaseException, TracebackType | None]

# Loggers that would repeat what was sent, or what our own request and task lines say.
SILENCED = (
    *("uvicorn.access", "celery.app.trace", "celery.worker.strategy", "celery.redirected", "apscheduler"),
    "python_multipart",
)
WARNINGS_ONLY = ("kombu", "celery", "aiohttp", "asyncio", "httpx", "uvicorn.error")
MAX_FRAMES = 12
_DAY_S = 86_400
# Of structlog's methods, by how they are named in the end.
_LEVELS = {name: name for name in ("debug", "info", "warning", "error", "critical")} | {
    "warn": "warning",
    "exception": "error",
    "fatal": "critical",
}
# How the standard library words a warning: where, which kind, and a text that is not ours to repeat.
_WARNING = re.compile(r"(?P<file>[^\n]*):(?P<line>\d+): (?P<kind>\w+): ")


def configure_logging(
    service: str,
    settings: ServiceSettings,
    stdout: TextIO | None = None,
    *,
    has_colour: bool = True,
    least_level: str = "",
    process: int | None = None,
) -> None:
    """Send everything that this process logs to `logs/app.log` and to stdout, in the name of `service`.

    `has_colour` is asked where stdout is a terminal, which gets lines of `least_level` and above. `process` is its
    number among the processes of the service, None if it is the only one.

    Raises:
        OSError: the file cannot be opened. Later failures are not raised.
    """
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    stream = LogStream(stdout or sys.stdout, has_colour=has_colour, least_level=least_level)
    output = LogOutput(service, settings, stream, process)
    structlog.configure(
        processors=[output.encode],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=output.logger,
        cache_logger_on_first_use=True,
    )
    # A failed write must neither stop a request nor print the line.
    logging.raiseExceptions = False
    root.addHandler(output)
    root.setLevel(settings.log_level.upper())
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in WARNINGS_ONLY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def flush_log() -> None:
    """Wait until the log of this process is written, two seconds at most."""
    for output in _outputs():
        output.flush()


def log_health() -> Mapping[str, WriterHealth]:
    """Return the lost lines and the current error of this process, for `file` and `stdout`."""
    return {name: writer.health for output in _outputs() for name, writer in output.writers.items()}


class LogOutput(logging.Handler):
    """Encodes the events of a process and passes each line to its writers.

    It is the one handler of the standard library's root logger as well, which closes it when the process ends.
    """

    def __init__(self, service: str, settings: ServiceSettings, stream: LogStream, process: int | None = None) -> None:
        super().__init__()
        self._service = service
        # Replicas have the same name, and their lines come together; where all runs on one host there are none.
        self._origin: EventDict = {} if settings.embedded else {"replica": gethostname()}
        if self._origin and process is not None:
            self._origin["process"] = process
        file = LogFile(settings.log_dir / "app.log", _rotation_rules(settings))
        file.open()
        self.writers: Mapping[str, LineWriter] = {
            "file": LineWriter(file, self._gap_line),
            "stdout": LineWriter(stream, self._gap_line),
        }

    def logger(self, *_names: str) -> "LineLogger":
        """Return what structlog logs with."""
        return LineLogger(list(self.writers.values()))

    def encode(self, _logger: Any, method: str, event: EventDict) -> bytes:
        """Return the line of an event that was logged by `method`; the only one of structlog's processors."""
        if "exc_info" in event:
            event = render_exception(event)
        bound = log_fields()
        # What is replaced below stays in its place.
        ordered: EventDict = {
            "timestamp": None,
            "level": _LEVELS.get(method, "info"),
            "service": self._service,
            "event": "",
            **self._origin,
        }
        if "request_id" in bound or "request_id" in event:
            ordered["request_id"] = None
        ordered.update(bound)
        ordered.update(event)
        if ordered["timestamp"] is None:
            ordered["timestamp"] = datetime.now(UTC)
        return encode_line(ordered)

    def emit(self, record: logging.LogRecord) -> None:
        """Log what a library logs."""
        try:
            line = self.encode(None, "", _event_of(record))
        except Exception:  # noqa: BLE001 - an invalid event of a library loses its line only
            return
        for writer in self.writers.values():
            writer.put(line, is_urgent=record.levelno >= logging.ERROR)

    def flush(self) -> None:
        """Wait until all lines are written."""
        for writer in self.writers.values():
            writer.flush()

    def close(self) -> None:
        """Write the remaining lines, and stop."""
        for writer in self.writers.values():
            writer.close()
        super().close()

    def _gap_line(self, lines: int, reason: str) -> bytes:
        return self.encode(None, "", {"level": "error", "event": "log_lines_lost", "lines": lines, "reason": reason})


class LineLogger:
    """The last step of structlog: takes the line of an event at the level that the method is named for."""

    def __init__(self, writers: Sequence[LineWriter]) -> None:
        self._writers = writers

    def info(self, line: bytes) -> None:
        """Write `line` soon."""
        for writer in self._writers:
            writer.put(line)

    def error(self, line: bytes) -> None:
        """Write `line` at once."""
        for writer in self._writers:
            writer.put(line, is_urgent=True)

    debug = warning = info
    critical = error


def render_exception(event: EventDict) -> EventDict:
    """Turn `exc_info` into the exception's type and frames; its text only where the exception is one of ours."""
    triple = _exception_of(event.pop("exc_info", None))
    if triple is None:
        return event
    kind, error, trace = triple
    event["exception"] = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, VestibuleError):
        event["exception_detail"] = error.detail
    frames = traceback.extract_tb(trace)[-MAX_FRAMES:]
    event["frames"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _event_of(record: logging.LogRecord) -> EventDict:
    level = record.levelname.lower()
    if record.name == "py.warnings":
        return {"level": level, "event": "library_warning", **_warning_of(record)}
    # Some libraries log an exception or an object itself; its text is not a template.
    template = record.msg.strip()[:200] if isinstance(record.msg, str) else type(record.msg).__qualname__
    event: EventDict = {"level": level, "event": "library_message", "logger": record.name, "message": template}
    return {**event, "exc_info": record.exc_info} if record.exc_info else event


def _warning_of(record: logging.LogRecord) -> dict[str, str]:
    found = _WARNING.match(record.getMessage())
    if found is None:
        return {}
    return {"warning": found["kind"], "place": f"{Path(found['file']).name}:{found['line']}"}


def _exception_of(exc_info: Any) -> ExceptionTriple | None:
    if isinstance(exc_info, BaseException):
        return type(exc_info), exc_info, exc_info.__traceback__
    if isinstance(exc_info, tuple) and exc_info[0] is not None:
        return exc_info
    if exc_info:
        kind, error, trace = sys.exc_info()
        if kind is not None and error is not None:
            return kind, error, trace
    return None


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, Exception):
        return  # Ctrl-C, or a thread that ended by SystemExit
    structlog.get_logger("vestibule").critical("process_failed", exc_info=(kind, error, trace))


def _rotation_rules(settings: ServiceSettings) -> RotationRules:
    return RotationRules(
        max_bytes=settings.log_max_bytes,
        every_s=_DAY_S,
        backups=settings.log_backups,
        keep_days=settings.log_keep_days,
    )


def _outputs() -> list[LogOutput]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LogOutput)]


CHECK_EVERY_S = 1.0
# Gets the name of the system's error, or None when lines can be written again.
LogFailureHandler = Callable[[str | None], Awaitable[None]]


@asynccontextmanager
async def reporting_log_failures(on_change: LogFailureHandler) -> AsyncIterator[None]:
    """Call `on_change` at each change while the context is open."""
    log = structlog.get_logger("vestibule.log")
    reported: str | None = None

    async def check() -> float:
        nonlocal reported
        health = log_health().get("file")
        failure = health.failure if health else None
        if bool(failure) != bool(reported):
            if failure:
                # The file does not take this line; stdout may.
                log.error("log_not_written", reason=failure)
            reported = failure
            await on_change(failure)
        return CHECK_EVERY_S

    def log_error(error: Exception) -> None:
        log.error("log_alert_failed", exc_info=error)

    loop = repeat(check, on_error=log_error, first_pause_s=CHECK_EVERY_S, error_pause_s=CHECK_EVERY_S)
    async with in_background(loop):
        yield


def show_lost_lines(metrics: Metrics) -> None:
    """Have `metrics` follow what the log of this process counts."""
    metrics.follow(LOG_LINES_LOST, lambda: {(name,): health.lost_lines for name, health in log_health().items()})
