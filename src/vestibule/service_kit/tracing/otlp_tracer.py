"""Traces over OTLP/HTTP by the OpenTelemetry SDK. Loaded only where an endpoint is set.

Spans wait in a bounded queue and a thread of their own sends them: a collector that is away costs spans, not requests.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import vestibule
from vestibule.service_kit.tracing.tracing import TRACEPARENT, Attributes, Span, SpanKind

EXPORT_TIMEOUT_S = 2.0
EXPORT_EVERY_MS = 1000
MAX_WAITING_SPANS = 8192
CLOSED_WITHIN_S = 1.5

_KINDS = {kind: trace.SpanKind[kind.name] for kind in SpanKind}


class OtlpTracer:
    """Begins spans that are sent to a collector."""

    def __init__(
        self, service: str, endpoint: str, share: float, on_loss: Callable[[int], None] = lambda _spans: None
    ) -> None:
        """Take the collector's base address; `share` is the part of new traces that is recorded, from 0 to 1."""
        # Where the collector is away it would say so every second, and for each span that finds no place.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": f"vestibule-{service}", "service.version": vestibule.__version__})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _CountingExporter(exporter, on_loss),
                max_queue_size=MAX_WAITING_SPANS,
                schedule_delay_millis=EXPORT_EVERY_MS,
            )
        )
        self._tracer = self._provider.get_tracer("vestibule", vestibule.__version__)

    def begin(self, name: str, kind: SpanKind, parent: str | None, attributes: Attributes) -> Span:
        """Return a span; one without a valid parent begins a trace of its own."""
        # What others say beside the parent (tracestate, baggage) is free text, and is not taken along.
        context = TraceContextTextMapPropagator().extract({TRACEPARENT: parent} if parent else {})
        return _OtlpSpan(self._tracer, self._tracer.start_span(name, context, _KINDS[kind], dict(attributes)))

    def close(self) -> None:
        """Send the remaining spans, for a short time at most: shutdown must not wait for an unavailable collector."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-closer", daemon=True)
        closing.start()
        closing.join(CLOSED_WITHIN_S)


class _OtlpSpan:
    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def begin_child(self, name: str, kind: SpanKind, attributes: Attributes) -> "_OtlpSpan":
        context = trace.set_span_in_context(self._span)
        return _OtlpSpan(self._tracer, self._tracer.start_span(name, context, _KINDS[kind], dict(attributes)))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        # Never record_exception: the text of an error may repeat what was sent.
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


class _CountingExporter(SpanExporter):
    def __init__(self, exporter: SpanExporter, on_loss: Callable[[int], None]) -> None:
        self._exporter = exporter
        self._on_loss = on_loss

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._on_loss(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
