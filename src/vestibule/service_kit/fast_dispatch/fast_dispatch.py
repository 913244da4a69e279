"""Serves plain requests before the framework's router and parameter machinery, which cost most of a small route.

The framework still describes the routes, and serves every request that is not plain. A request is plain if a plan
covers its route, and its path, query and body are well-formed. Every other request goes on to the framework with its
body, as if nothing had been read. Both ways render named errors by the same handlers.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.contracts.errors import VestibuleError
from vestibule.service_kit.fast_dispatch.dispatch_plan import IS_FAST, NeedsFramework, Plan
from vestibule.service_kit.fast_dispatch.strict_requests import Handler, strict

RouteTable = tuple[APIRoute, Handler]
# At most one parameter, at the end.
_PLAIN_PATH = re.compile(r"[^{}]*(?:/\{\w+\})?")


class FastRoute(APIRoute):
    """A route whose plain requests can be served by a plan; what subclasses do first happens on both ways."""

    is_covered = False
    # Whether unknown parameters and bodies of other media types are refused.
    is_strict = True

    def get_route_handler(self) -> Handler:
        """Return the handler that serves a request by the plan if `FastDispatch` has marked it."""
        handle = super().get_route_handler()
        if self.is_strict:
            handle = strict(self, handle)
        try:
            plan = Plan(self, handle)
        except NeedsFramework:
            return handle
        self.is_covered = True
        return plan.serve


class FastDispatch:
    """Stands directly before a service's application, inside all other middleware."""

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        self._app = app
        # None leaves a path to the framework: another route would take it for a parameter.
        self._route_tables: dict[tuple[str, str], RouteTable | None] = {}
        for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
            is_covered = isinstance(route, FastRoute) and route.is_covered and _PLAIN_PATH.fullmatch(route.path)
            table = (route, route.get_route_handler()) if is_covered else None
            start = route.path.partition("{")[0] if is_covered else route.path
            for method in route.methods or ():
                self._route_tables.setdefault((method, start), table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass it to the framework."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        table = self._route_tables.get((scope["method"], scope["path"]))
        parameters: dict[str, str] = {}
        if table is None:
            table, parameters = self._find_parameter(scope["method"], scope["path"])
        elif table[0].path != scope["path"]:
            table = None  # the parameter at the end is missing
        if table is None:
            await self._app(scope, receive, send)
            return
        scope.update({IS_FAST: True, "route": table[0], "path_params": parameters})
        request = Request(scope, receive)
        try:
            response = await table[1](request)
        except (VestibuleError, RequestValidationError, HTTPException) as error:
            response = await self._render(request, error)
        except NeedsFramework:
            for name in (IS_FAST, "route", "path_params"):
                del scope[name]
            await self._app(scope, _again(request, receive), send)
            return
        await response(scope, receive, send)

    def _find_parameter(self, method: str, path: str) -> tuple[RouteTable | None, dict[str, str]]:
        start, _, last = path.rpartition("/")
        table = self._route_tables.get((method, f"{start}/")) if last else None
        if table is None or (method, path) in self._route_tables:
            return None, {}
        return table, dict.fromkeys(table[0].param_convertors, last)

    @staticmethod
    async def _render(request: Request, error: Exception) -> Response:
        handlers: Any = request.app.exception_handlers
        render: Callable[[Request, Exception], Awaitable[Response]] = next(
            handlers[kind] for kind in type(error).__mro__ if kind in handlers
        )
        return await render(request, error)


def _again(request: Request, receive: Receive) -> Receive:
    """Return a channel that gives the body of `request` once more."""
    content: bytes | None = getattr(request, "_body", None)

    async def read() -> Message:
        nonlocal content
        if content is None:
            return await receive()
        message = {"type": "http.request", "body": content, "more_body": False}
        content = None
        return message

    return read
