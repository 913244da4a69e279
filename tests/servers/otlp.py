"""A collector of traces over OTLP/HTTP."""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from servers.receivers import HttpReceiver


class OtlpReceiver(HttpReceiver):
    """Keeps what it is sent, and decodes it."""

    @property
    def received(self) -> list[bytes]:
        return [posted.body for posted in list(self.posted) if posted.path == "/v1/traces"]

    def all_spans(self) -> list[Any]:
        """Return every span that was received."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.received]
        scopes = [scope for request in requests for one in request.resource_spans for scope in one.scope_spans]
        return [one for scope in scopes for one in scope.spans]

    def spans(self, trace_id: str = "") -> dict[str, Any]:
        """Return the spans of a trace, or of all, by name, the last of each."""
        return {one.name: one for one in self.all_spans() if trace_id in ("", one.trace_id.hex())}
