"""Logging: one event a line, JSON in `logs/app.log`, the same on stdout (readable where that is a terminal).

An event is encoded once, where it happens; writing is the work of a thread. What our own code logs is chosen field by
field. What libraries log is not ours to choose, so only its unformatted message is kept, without the arguments, and
exceptions are shown without their texts: both may hold what a caller sent.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from vestibule.contracts.errors import VestibuleError
from vestibule.service_kit.logging.log_file import LogFile, RotationRules
from vestibule.service_kit.logging.log_line import FIRST_FIELDS, encode_line
from vestibule.service_kit.logging.log_stream import LogStream
from vestibule.service_kit.logging.log_writer import LineWriter, WriterHealth
from vestibule.service_kit.settings import ServiceSettings

ExceptionTriple = tuple[type[BaseException], BaseException, TracebackType | None]

# Loggers that would say what was sent, or say again what our own request and task lines say.
SILENCED = ("uvicorn.access", "celery.app.trace", "celery.worker.strategy", "celery.redirected", "apscheduler")
WARNINGS_ONLY = ("kombu", "celery", "aiohttp", "asyncio", "uvicorn.error")
MAX_FRAMES = 12
_DAY_S = 86_400
_URGENT = frozenset({"error", "critical"})
# How the standard library words a warning: where, which kind, and a text that is not ours to repeat.
_WARNING = re.compile(r"(?P<file>[^\n]*):(?P<line>\d+): (?P<kind>\w+): ")


def configure_logging(
    service: str, settings: ServiceSettings, stdout: TextIO | None = None, *, has_colour: bool = True
) -> None:
    """Send everything that this process logs to `logs/app.log` and to stdout, in the name of `service`.

    `has_colour` is asked where stdout is a terminal.

    Raises:
        OSError: the file cannot be opened. Once it could, nothing that becomes of it is raised.
    """
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    output = LogOutput(service, settings, LogStream(stdout or sys.stdout, has_colour=has_colour))
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, output.encode],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=output.logger,
        cache_logger_on_first_use=True,
    )
    # A log that cannot be written must not stop a request, nor print what it could not write.
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

    def __init__(self, service: str, settings: ServiceSettings, stream: LogStream) -> None:
        super().__init__()
        self._service = service
        file = LogFile(settings.log_dir / "app.log", _rotation_rules(settings))
        file.open()
        self.writers: Mapping[str, LineWriter] = {
            "file": LineWriter(file, self._gap_line),
            "stdout": LineWriter(stream, self._gap_line),
        }

    def logger(self, *_names: str) -> "LineLogger":
        """Return what structlog logs with."""
        return LineLogger(list(self.writers.values()))

    def encode(self, _logger: Any, _method: str, event: EventDict) -> bytes:
        """Return the line of an event; the last of structlog's processors."""
        return encode_line(self._in_order(render_exception(event) if "exc_info" in event else event))

    def emit(self, record: logging.LogRecord) -> None:
        """Log what a library logs."""
        try:
            event = {**structlog.contextvars.get_contextvars(), **_event_of(record)}
            line = self.encode(None, "", event)
        except Exception:  # noqa: BLE001 - a library that logs nonsense loses its line and nothing else
            return
        _put(self.writers.values(), line, is_urgent=event["level"] in _URGENT)

    def flush(self) -> None:
        """Wait until all is written."""
        for writer in self.writers.values():
            writer.flush()

    def close(self) -> None:
        """Write what is left, and stop."""
        for writer in self.writers.values():
            writer.close()
        super().close()

    def _in_order(self, event: EventDict) -> EventDict:
        if "timestamp" not in event:
            event["timestamp"] = datetime.now(UTC)
        if "service" not in event:
            event["service"] = self._service
        return {**{name: event[name] for name in FIRST_FIELDS if name in event}, **event}

    def _gap_line(self, lines: int, reason: str) -> bytes:
        event = {"level": "error", "event": "log_lines_lost", "lines": lines, "reason": reason}
        return encode_line(self._in_order(event))


class LineLogger:
    """The end of structlog's chain: takes the line of an event at the level that the method is named for."""

    def __init__(self, writers: Sequence[LineWriter]) -> None:
        self._writers = writers

    def info(self, line: bytes) -> None:
        """Have `line` written soon."""
        for writer in self._writers:
            writer.put(line)

    def error(self, line: bytes) -> None:
        """Have `line` written at once."""
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
    # Some log an exception or an object as it is; its text is no template.
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
        return  # somebody pressed Ctrl-C, or a thread ended by SystemExit
    structlog.get_logger("vestibule").critical("process_failed", exc_info=(kind, error, trace))


def _rotation_rules(settings: ServiceSettings) -> RotationRules:
    return RotationRules(
        max_bytes=settings.log_max_bytes,
        every_s=_DAY_S,
        backups=settings.log_backups,
        keep_days=settings.log_keep_days,
    )


def _put(writers: Iterable[LineWriter], line: bytes, *, is_urgent: bool) -> None:
    for writer in writers:
        writer.put(line, is_urgent=is_urgent)


def _outputs() -> list[LogOutput]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LogOutput)]
