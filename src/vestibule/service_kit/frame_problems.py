"""The form of a problem type, and those of what the frame of a service refuses, which have no error class."""

from dataclasses import dataclass

from vestibule.contracts import errors

PATH = "/problems"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem: its name and status, why it happens, what to do; `detail` where it is always the same."""

    name: str
    title: str
    status: int
    cause: str
    remedy: str
    detail: str = ""

    @property
    def uri(self) -> str:
        """The `type` of its problem documents: a URI reference, relative to the base URL of the service."""
        return f"{PATH}/{self.name}"


MALFORMED_REQUEST = ProblemType(
    "malformed-request",
    "Malformed request",
    400,
    "The bytes on the connection are not an HTTP/1.1 request. The service closes the connection.",
    "Send HTTP/1.1 without TLS, or TLS to the proxy that terminates it. Check the client or proxy in between.",
    "The request is not valid HTTP.",
)
ROUTE_NOT_FOUND = ProblemType(
    "route-not-found",
    "Route not found",
    404,
    "No route of this service has that path.",
    "Compare the path with the API reference at `/docs`. Check the port, and remove a trailing slash.",
    "The service has no such route.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    "Method not allowed",
    405,
    "The path exists, and not with that HTTP method.",
    "Use one of the methods in the header `Allow`.",
    "The route does not support this HTTP method.",
)
REQUEST_TIMEOUT = ProblemType(
    "request-timeout",
    "Request timeout",
    408,
    "The headers or the body of the request did not arrive in time. The service closes the connection.",
    "Check the network, send smaller bodies, or raise `VESTIBULE_REQUEST_TIMEOUT_S`.",
    "The request did not arrive in time.",
)
TOO_MANY_UPLOADS = ProblemType(
    "too-many-uploads",
    "Too many incomplete requests",
    429,
    "More than 64 request bodies of one token are incomplete for longer than a second. The service closes the slowest.",
    "Send fewer bodies at the same time, each without pauses. Retry after the seconds in `Retry-After`.",
    "Too many request bodies with this token are incomplete. Nothing was done; retry later.",
)
REQUEST_HEADERS_TOO_LARGE = ProblemType(
    "request-headers-too-large",
    "Request headers too large",
    431,
    "Path, query and headers together exceed 64 KiB. The service closes the connection.",
    "Send long values in a JSON body instead of the query string, and remove headers that are not needed.",
    "Path, query and headers together exceed the size limit.",
)
INTERNAL_ERROR = ProblemType(
    errors.VestibuleError.slug,
    errors.VestibuleError.title,
    500,
    "The service failed in a way that it does not expect. The response does not reveal the cause.",
    "Search the log for the request id in `instance` (`vestibule logs --request ID`) and report the error.",
    "The service failed. The log has the cause under this request id.",
)
OVERLOADED = ProblemType(
    "overloaded",
    "Service overloaded",
    503,
    "Many requests are in progress for longer than `VESTIBULE_LOAD_SHED_AFTER_S`, so the service rejects new ones.",
    "Retry after the seconds in `Retry-After`, with exponential backoff and jitter. If it persists, add replicas.",
    "More requests are in progress than the service can answer in time. Nothing was done; retry later.",
)
