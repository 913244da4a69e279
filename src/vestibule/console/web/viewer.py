"""Who looks at a page, and the routes that only a person who is signed in may call."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from vestibule.client.asynchronous.client import AsyncClient
from vestibule.console.session.origin import check_origin
from vestibule.console.session.sessions import UserSession
from vestibule.console.web.rendering import is_for_part, set_notice
from vestibule.console.web.wiring import ConsoleWiring
from vestibule.contracts.errors import InvalidToken, Refused, ScopeMissing, VestibuleError
from vestibule.service_kit.auth.authentication import client_address, direct_address, is_loopback
from vestibule.service_kit.fast_dispatch.strict_requests import Handler
from vestibule.service_kit.wiring import wiring_of

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD"})
_SAFE_IN_ADDRESSES = ":/%#?=@[]!$&'()*+,;"
MAX_FIELDS = 200
USER_AGENT = "vestibule-console"


class SignInNeeded(VestibuleError):
    """The page is for people who are signed in."""

    slug, title = "sign-in-needed", "Sign in first"


class ActionRefused(Refused):
    """The action does not come from a page of this session."""

    slug, title = "action-refused", "The action was refused"


@dataclass(frozen=True, slots=True)
class PagePart(Generic[T]):
    """A part of a page: what was found, or why there is nothing. One that fails leaves the rest of the page."""

    value: T | None = None
    error: VestibuleError | None = None

    @property
    def missing_scope(self) -> str | None:
        """The scope that the token lacks, if that is the reason."""
        return str(self.error.extra.get("scope", "")) if isinstance(self.error, ScopeMissing) else None


class Viewer:
    """A person who is signed in, with their request."""

    def __init__(self, request: Request, session: UserSession, wiring: ConsoleWiring) -> None:
        """Take the request of the person."""
        self.request = request
        self.session = session
        self._wiring = wiring

    @cached_property
    def client(self) -> AsyncClient:
        """The client of the API, with the person's own token, under the id of this request."""
        return client_for(self.request, self._wiring, self.session.token)

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return is_for_part(self.request)

    def may(self, scope: str) -> bool:
        """Say whether the token had a scope at sign-in; the services decide."""
        return self.session.may(scope)

    async def part(self, call: Awaitable[T]) -> PagePart[T]:
        """Return what a call finds, or its error in place of it. An unknown token ends the session."""
        try:
            return PagePart(await call)
        except InvalidToken:
            raise
        except VestibuleError as error:
            return PagePart(error=error)

    async def parts(self, **calls: Awaitable[Any]) -> dict[str, Any]:
        """Return a `PagePart` for each of several calls that are made at the same time, by name."""
        found = await asyncio.gather(*(self.part(call) for call in calls.values()))
        return dict(zip(calls, found, strict=True))

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page."""
        return self._wiring.pages.render(self.request, template, context, session=self.session, status=status)

    def text(self, template: str, **context: Any) -> str:
        """Return a part of a page for a stream of events. It has no attribute of htmx and no form."""
        return self._wiring.pages.text(template, context)

    def back(self, address: str, said: str | None = None) -> Response:
        """Return the answer to an action that was done: the page at `address`, which says it."""
        return done(self.request, address, said)

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of an action, without those that are empty; of one that is repeated the last."""
        data: FormData = self.request.state.form
        return {name: value for name, value in data.items() if isinstance(value, str) and value != ""}

    def field(self, name: str) -> str:
        """Return a field that has to be filled in. Raises: FieldMissing."""
        value = self.form.get(name, "").strip()
        if not value:
            raise FieldMissing(name)
        return value


class FieldMissing(Refused):
    """A field of a form is empty that has to be filled in."""

    slug, title = "field-missing", "A field is empty"

    def __init__(self, name: str) -> None:
        """Take the name of the field."""
        super().__init__(f"Fill in the field “{name.replace('_', ' ')}”.")


class ConsoleRoute(APIRoute):
    """A route for people who are signed in. An action has to come from a page of the same session.

    It sets `request.state.viewer`, and `request.state.form` for an action.
    """

    def get_route_handler(self) -> Handler:
        """Return the handler that opens the session, and checks where an action comes from."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            wiring = wiring_of(request, ConsoleWiring)
            session = wiring.sessions.open(request.cookies.get(wiring.cookie, ""))
            if session is None:
                raise SignInNeeded("Sign in with a token to see this page.")
            if request.method not in SAFE_METHODS:
                await _check_action(request, wiring, session)
            request.state.viewer = Viewer(request, session, wiring)
            return await handle(request)

        return guarded


async def _check_action(request: Request, wiring: ConsoleWiring, session: UserSession) -> None:
    check_origin(request)
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    given = form.get("csrf") or request.headers.get("x-csrf-token") or ""
    if not isinstance(given, str) or not wiring.sessions.is_csrf_token(session, given):
        raise ActionRefused(
            "The page is out of date, or the action does not come from it. Open it again and try once more."
        )
    request.state.form = form


async def _viewer(request: Request) -> Viewer:
    viewer: Viewer = request.state.viewer
    return viewer


ViewerPart = Annotated[Viewer, Depends(_viewer)]


def client_for(request: Request, wiring: ConsoleWiring, token: str) -> AsyncClient:
    """Return the client of the API with a token. Raises: ValueError, if that cannot be one.

    The services learn the address of a person who is not on this machine: the development token is for those alone who
    are, and failures are counted by address.
    """
    address = direct_address(request)
    seen = client_address(request)
    forwarded = None if is_loopback(address) else ", ".join(filter(None, (seen.forwarded_for, seen.host or "unknown")))
    if forwarded is not None:
        # An address is in ASCII. What else a viewer puts there could not be sent on.
        forwarded = forwarded.encode("ascii", "replace").decode()
    return wiring.client.with_options(token=token, request_id=request.state.request_id, forwarded_for=forwarded)


def done(request: Request, address: str, said: str | None = None) -> Response:
    """Return the answer to an action that was done: go to `address`. What was `said` stands on it once."""
    if is_for_part(request):
        # As a redirect has it: a header has no letter of every script, and no line break.
        response = Response(status_code=204, headers={"HX-Redirect": quote(address, safe=_SAFE_IN_ADDRESSES)})
    else:
        response = RedirectResponse(address, 303)
    if said is not None:
        set_notice(response, said)
    return response
