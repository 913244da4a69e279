"""Traces over OpenTelemetry: how long each part took for one request, from the client service to store and worker.

Tracing is off unless an endpoint is set. Then the SDK is not loaded, and a span costs one look at the context, 0.3 us
(`benchmarks/metrics.py`); a no-op span of the API costs 4 to 5 us, 2% of an `/add`. A span holds names of routes, parts
and operations, and never a value, a key, a query or the text of an error.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import vestibule
from vestibule.service_kit.metrics.catalogue import SPANS_LOST
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

__all__ = ["Span", "SpanKind"]
EXPORT_TIMEOUT_S = 2.0
EXPORT_EVERY_MS = 1000
MAX_WAITING_SPANS = 8192
CLOSED_WITHIN_S = 1.5
TRACEPARENT = "traceparent"  # Source: W3C Trace Context
Attributes = Mapping[str, str | int | float | bool]


_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = context.create_key("vestibule-tracer")
_NO_SPAN: nullcontext[None] = nullcontext()


class Tracer:
    """Begins spans, which a thread exports over OTLP/HTTP.

    Spans wait in a bounded queue: an unavailable collector costs spans, not requests.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("vestibule", vestibule.__version__)

    def begin(self, name: str, kind: SpanKind, parent: str | None, attributes: Attributes) -> Span:
        """Return a span: a child of the traceparent `parent`, else of the current span, else the first of a trace."""
        # The other headers of trace context (tracestate, baggage) are free text and are ignored.
        start = _PROPAGATOR.extract({TRACEPARENT: parent}) if parent else None
        return self._tracer.start_span(name, start, kind, attributes)

    def close(self) -> None:
        """Export the remaining spans, within a time limit: shutdown must not wait for an unavailable collector."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-closer", daemon=True)
        closing.start()
        closing.join(CLOSED_WITHIN_S)


def open_tracer(service: str, settings: ServiceSettings, metrics: Metrics) -> Tracer | None:
    """Return the tracer of `service`, or None if no endpoint is set."""
    if not settings.otlp_endpoint:
        return None
    metrics.expect(SPANS_LOST)
    # The SDK takes a fifth of a second to load.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    class CountingExporter(OTLPSpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            result = super().export(spans)
            if result is not SpanExportResult.SUCCESS:
                metrics.count(SPANS_LOST, by=len(spans))
            return result

    # If the collector is unavailable, the SDK logs that every second, and for each span that it drops.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"vestibule-{service}", "service.version": vestibule.__version__}),
        sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
        shutdown_on_exit=False,
    )
    exporter = CountingExporter(f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=MAX_WAITING_SPANS, schedule_delay_millis=EXPORT_EVERY_MS)
    )
    return Tracer(provider)


@contextmanager
def entered(tracer: Tracer, span: Span) -> Iterator[Span]:
    """Make a span the current one, and end it at the end of the block."""
    token = context.attach(context.set_value(_TRACER, tracer, trace.set_span_in_context(span)))
    try:
        yield span
    except BaseException as error:
        mark_failed(span, type(error).__name__)
        raise
    finally:
        context.detach(token)
        span.end()


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> AbstractContextManager[Span | None]:
    """Trace a block as a child of the current span; do nothing if there is none."""
    tracer: Any = context.get_value(_TRACER)
    return _NO_SPAN if tracer is None else entered(tracer, tracer.begin(name, kind, None, attributes))


def mark_failed(span: Span, kind: str) -> None:
    """Mark a span as failed; `kind` is the name of the error's class.

    Never `record_exception`: the text of an error may repeat what a caller sent.
    """
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


def trace_id_of(span: Span) -> str:
    """Return the id of the trace of a span: 32 hexadecimal digits."""
    return trace.format_trace_id(span.get_span_context().trace_id)


def current_traceparent() -> dict[str, str]:
    """Return the header that propagates the current span to another process, if there is one."""
    header: dict[str, str] = {}
    if context.get_value(_TRACER) is not None:
        _PROPAGATOR.inject(header)
    return header
