"""The frame of a service: from settings, routes and a lifespan to an application that behaves like the others."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn, cast

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

import vestibule
from vestibule.contracts.errors import InvalidInput, TooLarge, VestibuleError
from vestibule.runtime.starts import StartRefused
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastDispatch
from vestibule.service_kit.http import health
from vestibule.service_kit.http.cross_origin import CrossOrigin
from vestibule.service_kit.http.foreign_errors import ForeignErrors
from vestibule.service_kit.http.middleware import BodyLimit, IsLoggable, IsPeer, LoadShedder, RequestFrame, TraceFrame
from vestibule.service_kit.logging.logging_config import flush_log, show_lost_lines
from vestibule.service_kit.metrics.metrics import Metrics, measure_disk
from vestibule.service_kit.openapi import api_reference, problem_pages
from vestibule.service_kit.openapi.descriptions import complete_description
from vestibule.service_kit.problems import refusal_of, render_error, render_http_exception
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.tracing import Tracer, open_tracer
from vestibule.service_kit.wiring import BaseWiring, ServiceFrame, attach_frame

# The framework's own telemetry would put paths and query strings into spans; `TraceFrame` does not.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

# Builds what the service's routes call, and closes it when the service ends.
Lifespan = Callable[[], AbstractAsyncContextManager[BaseWiring]]
InvalidInputHandler = Callable[[InvalidInput], Awaitable[None]]


class _Application(FastAPI):
    """The framework's application without the frames that it puts around all middleware.

    They answer errors that no middleware of ours lets through, and do what is switched off here: telemetry, and a limit
    of bodies (`BodyLimit`).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the outermost middleware of ours."""
        stack: Any = super().build_middleware_stack()
        outermost: Any = self.user_middleware[0].cls
        while not isinstance(stack, outermost):
            stack = stack.app
        return cast("ASGIApp", stack)


async def _ignore(_error: InvalidInput) -> None:
    """Do nothing about invalid input; for services that only peers call."""


def create_service_app(
    service: str,
    description: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    *,
    on_invalid_input: InvalidInputHandler = _ignore,
    is_loggable: IsLoggable | None = None,
    is_peer: IsPeer = lambda _scope: False,
    metrics: Metrics | None = None,
    cross_origin: CrossOrigin | None = None,
    foreign_prefix: str | None = None,
    has_api: bool = True,
) -> FastAPI:
    """Return the application of a service.

    The lifespan yields the wiring of the service. `on_invalid_input` is called for every malformed request;
    `is_loggable` checks request ids and traces that callers choose; without it, only those of services are taken, which
    `is_peer` knows by the head of a request.
    `metrics` are what the service's other parts count with. Pages of other origins may use what is `cross_origin`.
    Under `foreign_prefix` are routes whose clients read errors in another form (`foreign_errors.py`).
    Without `has_api` it has no description of its routes and no pages of problem types.
    """
    metrics = metrics or Metrics(service)
    show_lost_lines(metrics)
    measure_disk(metrics, settings.data_dir)
    tracer = open_tracer(service, settings, metrics)
    frame = ServiceFrame(service, metrics)
    app = _Application(
        title=f"Vestibule {service.replace('_', ' ')} service",
        description=description,
        version=vestibule.__version__,
        lifespan=_running(lifespan, frame, tracer),
        # `api_reference.py` serves both.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect for a trailing slash would repeat the query string.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        telemetry=_NO_TELEMETRY,
    )
    attach_frame(app, frame)
    references = (api_reference.router, problem_pages.router) if has_api else ()
    for router in (*routers, health.router, *references):
        app.include_router(router)
    _render_errors(app, on_invalid_input, settings.max_body_bytes)
    complete_description(app, service)
    app.add_middleware(FastDispatch, routers=routers)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    if tracer:
        app.add_middleware(TraceFrame, tracer=tracer, is_loggable=is_loggable, is_peer=is_peer)
    app.add_middleware(RequestFrame, metrics=metrics, is_loggable=is_loggable, cross_origin=cross_origin)
    after_s = settings.load_shed_after_s
    app.add_middleware(LoadShedder, after_s=after_s, metrics=metrics, cross_origin=cross_origin)
    if foreign_prefix is not None:
        app.add_middleware(ForeignErrors, prefix=foreign_prefix)
    return app


def _operation_id(route: APIRoute) -> str:
    """Return the name of the route's function, so that it is what a generated client calls its method."""
    return route.name


def _running(
    lifespan: Lifespan, frame: ServiceFrame, tracer: Tracer | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        try:
            async with lifespan() as frame.wiring:
                yield
        except StartRefused as refusal:
            frame.refusal = refusal
            _log_refusal(refusal)
            raise
        if tracer is not None:
            # Last, so that the last requests are traced too.
            await asyncio.to_thread(tracer.close)

    return running


def exit_refused(refusal: StartRefused) -> NoReturn:
    """End the process where it turns out after the start that it must not serve: what it answered is on disk."""
    _log_refusal(refusal)
    flush_log()
    print(f"vestibule: cannot start: {refusal}", file=sys.stderr, flush=True)
    os._exit(os.EX_CONFIG)


def _log_refusal(refusal: StartRefused) -> None:
    structlog.get_logger("vestibule.service").error("start_refused", reason=str(refusal))


def _render_errors(app: FastAPI, on_invalid_input: InvalidInputHandler, max_body_bytes: int) -> None:
    @app.exception_handler(VestibuleError)
    async def named(request: Request, error: VestibuleError) -> Response:
        if isinstance(error, InvalidInput):
            await on_invalid_input(error)
        return render_error(error, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        _let_go(error)
        return await named(request, refusal_of(error, request))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        _let_go(error)
        if error.status_code == 413:
            return await named(request, TooLarge(f"The body may have at most {max_body_bytes:,} bytes."))
        if error.status_code == 400:
            return await named(request, InvalidInput("The body is not readable as JSON."))
        if error.status_code == 405:
            error.headers = {"Allow": ", ".join(_methods_of(request))}
        return render_http_exception(error, request.state.request_id)


def _let_go(error: BaseException) -> None:
    # The framework's frames refer to the error, and by its traceback the error to them and to the body. Such a cycle
    # would keep the body until the next collection, which is rare.
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__


def _methods_of(request: Request) -> list[str]:
    # The framework lists the methods of the first route of that path only.
    routes = request.app.router.routes
    allowed = {
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    if "GET" in allowed:
        allowed.add("HEAD")
    return [method for method in METHODS if method in allowed]
