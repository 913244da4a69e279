"""Traces reach a real OTLP receiver, give nothing away, and never cost a request anything."""

import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from httpx import ASGITransport, AsyncClient

from vestibule.contracts.errors import KeyNotFound
from vestibule.service_kit.auth.authentication import Authenticator, GuardedRoute, allow
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.tracing import SpanKind, current_traceparent, entered, open_tracer, span
from vestibule.service_kit.wiring import ServiceWiring

MARKER = "Zq7MARKERx9"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WaitUntil = Callable[..., Any]


def attributes_of(one: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in one.attributes}


def traced_app(settings: ServiceSettings) -> FastAPI:
    """Return a small service with traces on."""
    router = APIRouter(route_class=GuardedRoute)

    @router.get("/things/{thing}", dependencies=[allow("read")])
    async def thing(thing: str, note: str = "") -> dict[str, str]:
        with span("look", kind=SpanKind.CLIENT, part="database"):
            return current_traceparent()

    @router.get("/missing/{thing}", dependencies=[allow("read")])
    async def missing(thing: str) -> None:
        with span("look"):
            raise KeyNotFound(f"There is no {thing}.")

    @router.get("/broken/{thing}", dependencies=[allow("read")])
    async def broken(thing: str) -> None:
        raise RuntimeError(f"{thing} cannot be")

    async def ignore(_token: str | None, _address: str | None) -> None:
        """Do nothing about an unknown caller."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[ServiceWiring]:
        yield ServiceWiring(Readiness({}), Authenticator(caller_token_lookups(settings), ignore))

    return create_service_app(
        "sample", "A sample.", settings, [router], lifespan, is_loggable=lambda text: "4111111111111111" not in text
    )


@asynccontextmanager
async def calling(app: FastAPI) -> Any:
    """Return a client of the running app; when it ends, the app has ended."""
    transport = ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 1))
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client,
    ):
        yield client


@pytest.fixture
def traced(settings: ServiceSettings, receiver: Any) -> FastAPI:
    """A service that sends its traces to the receiver."""
    return traced_app(settings.model_copy(update={"otlp_endpoint": receiver.url()}))


async def test_a_request_is_one_trace_that_goes_on_from_the_callers(traced: FastAPI, receiver: Any) -> None:
    """The span of the request is the child of the caller's, and the parent of what the request did."""
    async with calling(traced) as client:
        answer = await client.get(f"/things/{MARKER}?note={MARKER}", headers={"traceparent": PARENT})
    spans = receiver.spans()
    served, looked = spans["GET /things/{thing}"], spans["look"]
    trace_id, parent_id = PARENT.split("-")[1:3]
    assert (trace_id, parent_id) == (served.trace_id.hex(), served.parent_span_id.hex())
    assert (trace_id, served.span_id) == (looked.trace_id.hex(), looked.parent_span_id)
    assert f"00-{trace_id}-{looked.span_id.hex()}-01" == answer.json()["traceparent"]
    expected = {"http.request.method": "GET", "http.route": "/things/{thing}", "http.response.status_code": 200}
    assert expected.items() <= attributes_of(served).items()


async def test_nothing_that_was_sent_is_in_a_span(traced: FastAPI, receiver: Any, log_lines: Any) -> None:
    """Neither paths nor queries, nor headers, nor the texts of errors: a collector is one more place to leak from."""
    async with calling(traced) as client:
        for path in ("things", "missing", "broken", "nowhere"):
            state = {"traceparent": PARENT, "tracestate": f"a={MARKER}", "baggage": f"a={MARKER}"}
            await client.get(f"/{path}/{MARKER}?note={MARKER}", headers=state)
        await client.request(f"BREW{MARKER}", f"/things/{MARKER}")
    assert {"GET unmatched", "GET /missing/{thing}", "GET /broken/{thing}"} <= receiver.spans().keys()
    assert MARKER.encode() not in b"".join(receiver.received)


async def test_a_failure_is_marked_by_its_kind(traced: FastAPI, receiver: Any, log_lines: Any) -> None:
    """Who looks for failed requests finds them, and what kind of error it was."""
    async with calling(traced) as client:
        await client.get("/broken/one")
    broken = receiver.spans()["GET /broken/{thing}"]
    assert (2, "RuntimeError") == (broken.status.code, attributes_of(broken)["error.type"])


@pytest.mark.parametrize("given", ["", "rubbish", "00-" + "0" * 32 + "-b7ad6b7169203331-01", f"{PARENT}x{MARKER}"])
async def test_a_malformed_parent_counts_as_none(traced: FastAPI, receiver: Any, given: str) -> None:
    """A caller can neither break a trace nor write into it."""
    async with calling(traced) as client:
        assert 200 == (await client.get("/things/one", headers={"traceparent": given})).status_code
    assert b"" == receiver.spans()["GET /things/{thing}"].parent_span_id


async def test_a_parent_that_gives_something_away_counts_as_none(traced: FastAPI, receiver: Any) -> None:
    """A caller chooses the digits of a trace's id, and they may be a card's."""
    async with calling(traced) as client:
        await client.get("/things/one", headers={"traceparent": f"00-{'4111111111111111' * 2}-b7ad6b7169203331-01"})
    assert not receiver.spans()["GET /things/{thing}"].trace_id.hex().startswith("4111")


async def test_probes_are_not_traced(traced: FastAPI, receiver: Any) -> None:
    """What is asked every few seconds is the same every time."""
    async with calling(traced) as client:
        for path in ("/health", "/readyz", "/metrics"):
            assert 200 == (await client.get(path)).status_code
    assert {} == receiver.spans()


async def test_the_line_of_a_request_names_its_trace(settings: ServiceSettings, receiver: Any, log_lines: Any) -> None:
    """Who has the line finds the trace, and the other way round."""
    app = traced_app(settings.model_copy(update={"otlp_endpoint": receiver.url()}))
    async with calling(app) as client:
        await client.get("/things/one")
    (line,) = [line for line in log_lines() if line["event"] == "request"]
    assert receiver.spans()["GET /things/{thing}"].trace_id.hex() == line["trace_id"]


async def test_only_a_share_of_requests_is_traced(settings: ServiceSettings, receiver: Any) -> None:
    """A share of zero sends nothing, and the services behind are told so."""
    app = traced_app(settings.model_copy(update={"otlp_endpoint": receiver.url(), "trace_sample_ratio": 0.0}))
    async with calling(app) as client:
        assert (await client.get("/things/one")).json()["traceparent"][
            -1
        ] in "02468ace"  # the bit that says that it is recorded
    assert {} == receiver.spans()


async def test_a_collector_that_is_away_costs_no_request_anything(settings: ServiceSettings, free_port: int) -> None:
    """Requests are answered, the stop is not held up, and what was lost is counted."""
    app = traced_app(settings.model_copy(update={"otlp_endpoint": f"http://127.0.0.1:{free_port}"}))
    async with calling(app) as client:
        answers = [await client.get("/things/one") for _ in range(50)]
        began = time.monotonic()
    assert {200} == {answer.status_code for answer in answers}
    assert time.monotonic() - began < 30  # the exporter alone would try again for longer


def test_spans_that_were_not_taken_are_counted(
    settings: ServiceSettings, free_port: int, wait_until: WaitUntil
) -> None:
    """A gap in the traces has its place in the metrics."""
    metrics = Metrics("sample")
    away = settings.model_copy(update={"otlp_endpoint": f"http://127.0.0.1:{free_port}"})
    tracer = open_tracer("sample", away, metrics)
    assert tracer is not None
    with entered(tracer, tracer.begin("one", SpanKind.SERVER, None, {})):
        pass
    wait_until(lambda: re.search(rb"spans_lost_total{[^}]*} 1\.0", metrics.render()), 60, "the loss")
    tracer.close()


async def test_the_frameworks_own_telemetry_is_off(
    settings: ServiceSettings, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would send paths and query strings, wherever somebody set the variables that switch it on."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url())
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    app = traced_app(settings)
    async with calling(app) as client:
        assert 200 == (await client.get(f"/things/{MARKER}?note={MARKER}")).status_code
    assert not app._native_telemetry.enabled()
    assert [] == receiver.received


def test_without_an_endpoint_nothing_is_loaded(tmp_path: Path) -> None:
    """Who does not trace pays neither time nor memory for it."""
    program = f"""
import sys
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.tracing import open_tracer
from vestibule.service_kit.http import app
from vestibule.worker import worker
assert open_tracer("sample", ServiceSettings(data_dir={str(tmp_path)!r}), Metrics("sample")) is None
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert "[]" == ended.stdout.strip(), ended.stderr


def test_without_a_trace_a_span_does_nothing() -> None:
    """The parts say what they do whether or not anybody listens."""
    with span("one") as begun:
        assert (None, {}) == (begun, current_traceparent())
