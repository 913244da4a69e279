"""Serves plain requests ahead of the framework's router and parameter machinery, which cost most of a small route.

The framework stays the frame: it describes the routes, and serves whatever is not plain. A request is plain where a
plan covers its route and its path, query and body are well-formed; one that is not goes on with its body, as if
nothing had been read. Named errors are rendered by the same handlers on both ways.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.contracts.errors import VestibuleError
from vestibule.service_kit.fast_dispatch.dispatch_plan import NeedsFramework, Plan

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]
RouteTable = tuple[APIRoute, Handler]
# One parameter at most, and that at the end.
_ROUTE_TABLE = re.compile(r"[^{}]*(?:/\{\w+\})?")
_IS_FAST = "vestibule.is_fast"


class FastRoute(APIRoute):
    """A route whose plain requests can be served by a plan; what subclasses do before it runs on both ways."""

    is_covered = False

    def get_route_handler(self) -> Handler:
        """Return the handler that serves a request by the plan where `FastDispatch` has marked it."""
        handle = super().get_route_handler()
        try:
            plan = Plan(self)
        except NeedsFramework:
            return handle
        self.is_covered = True

        async def serve(request: Request) -> Response:
            return await (plan.serve(request) if _IS_FAST in request.scope else handle(request))

        return serve


class FastDispatch:
    """Stands before a service's application, inside all that frames it."""

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        self._app = app
        # None where the framework has to decide: a path that another route would take for a parameter.
        self._route_tables: dict[tuple[str, str], RouteTable | None] = {}
        for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
            route_table = _route_table_of(route)
            start = route.path if route_table is None else route.path.partition("{")[0]
            for method in route.methods or ():
                self._route_tables.setdefault((method, start), route_table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or hand it on."""
        found = self._find(scope) if scope["type"] == "http" and not scope.get("root_path") else None
        if found is None:
            await self._app(scope, receive, send)
            return
        (route, handle), parameters = found
        scope.update({_IS_FAST: True, "route": route, "path_params": parameters})
        request = Request(scope, receive)
        try:
            response = await self._answer(request, handle)
        except NeedsFramework:
            for name in (_IS_FAST, "route", "path_params"):
                del scope[name]
            await self._app(scope, _again(request, receive), send)
            return
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[RouteTable, dict[str, str]] | None:
        method, path = scope["method"], scope["path"]
        if (method, path) in self._route_tables:
            route_table = self._route_tables[method, path]
            return (route_table, {}) if route_table is not None and route_table[0].path == path else None
        start, _, last = path.rpartition("/")
        if last and (route_table := self._route_tables.get((method, f"{start}/"))) is not None:
            return route_table, dict.fromkeys(route_table[0].param_convertors, last)
        return None

    @staticmethod
    async def _answer(request: Request, handle: Handler) -> Response:
        try:
            return await handle(request)
        except (VestibuleError, RequestValidationError, HTTPException) as error:
            app: FastAPI = request.app
            kind = next(kind for kind in type(error).__mro__ if kind in app.exception_handlers)
            render: ErrorHandler = app.exception_handlers[kind]  # type: ignore[assignment]
            return await render(request, error)


def _route_table_of(route: APIRoute) -> RouteTable | None:
    is_covered = isinstance(route, FastRoute) and route.is_covered and _ROUTE_TABLE.fullmatch(route.path)
    return (route, route.get_route_handler()) if is_covered else None


def _again(request: Request, receive: Receive) -> Receive:
    """Return what gives the body of `request` to whoever reads it next."""
    content: bytes | None = getattr(request, "_body", None)

    async def read() -> Message:
        nonlocal content
        if content is None:
            return await receive()
        message = {"type": "http.request", "body": content, "more_body": False}
        content = None
        return message

    return read
