"""Chooses the tracer of a process: OpenTelemetry if an endpoint is set, else none."""

from vestibule.service_kit.metrics.catalogue import SPANS_LOST
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.tracing.tracing import Tracer


def open_tracer(service: str, settings: ServiceSettings, metrics: Metrics) -> Tracer | None:
    """Return what begins the traces of `service`, or None where no endpoint is set."""
    if not settings.otlp_endpoint:
        return None
    metrics.expect(SPANS_LOST)
    # It takes a fifth of a second to load, which only who traces shall pay.
    from vestibule.service_kit.tracing.otlp_tracer import OtlpTracer  # noqa: PLC0415

    return OtlpTracer(
        service, settings.otlp_endpoint, settings.trace_sample_ratio, lambda spans: metrics.count(SPANS_LOST, by=spans)
    )
