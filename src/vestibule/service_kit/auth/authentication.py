"""Authentication and authorization: bearer tokens of callers, the secret of the services, scopes of routes.

The check runs before the body is read: an unknown caller costs little, and learns nothing about the routes.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Annotated, NoReturn, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from fastapi import Depends, Request, Security
from fastapi.params import Security as SecurityParameter
from fastapi.security import HTTPBearer
from starlette.responses import Response

from vestibule.contracts.errors import InvalidInput, InvalidToken, ScopeMissing
from vestibule.contracts.identity import DEFAULT_TENANT, EVERYTHING, OPERATOR, SYSTEM_TENANT, Principal, Visibility
from vestibule.contracts.scopes import ALL_SCOPES, ANY_TOKEN
from vestibule.contracts.tokens import Quota
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.audit.acts import act_of, serve_act
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit, ClientAddress
from vestibule.service_kit.auth.token_uses import TokenUseLog
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastRoute
from vestibule.service_kit.fast_dispatch.strict_requests import Handler
from vestibule.service_kit.request_headers import headers_of
from vestibule.service_kit.wiring import ServiceWiring, wiring_of

_scheme = HTTPBearer(auto_error=False, description="`Authorization: Bearer TOKEN`")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the id and name of its token (never the token), its scopes and its tenant.

    `expires_at` is when this token is no longer accepted, None for never; `quota` is that of the token.
    """

    token_id: str
    name: str
    scopes: frozenset[str]
    tenant: str = DEFAULT_TENANT
    is_service: bool = False
    expires_at: datetime | None = None
    quota: Quota | None = None

    @property
    def principal(self) -> Principal:
        """On whose behalf other services are called for it."""
        return Principal(self.tenant, self.token_id)

    def may(self, scope: str) -> bool:
        """Say whether the token has `scope`. `*` is every scope but `operator`, which has to be given by name."""
        return scope in self.scopes or (ALL_SCOPES in self.scopes and scope != OPERATOR)


@dataclass(slots=True)
class Credentials:
    """The credentials of a request: the token, whether it came directly from this machine, and from which address.

    The address is empty for a request that came through a proxy, or from a foreign web page. `digest` is the SHA-256 of
    the token, by which lookups know it. A token has 256 random bits, so a fast hash is as safe as a slow one.
    """

    token: str
    is_local: bool
    direct_address: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256(self.token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenLookup(Protocol):
    """A source of known tokens."""

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the caller of the token, or None if this source does not know it."""
        ...

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants of the callers that this source knows."""
        ...


class NewTokenLookup(TokenLookup, Protocol):
    """A source of known tokens that can look for those created a moment ago."""

    async def find_new(self, credentials: Credentials) -> Caller | None:
        """Return the caller of a token that no source knows, if it has become known."""
        ...


class Quotas(Protocol):
    """Refuses requests over a quota; `client_service/quotas` has the implementation."""

    @property
    def tenants(self) -> Container[str]:
        """The tenants that have a quota."""
        ...

    def admit(self, caller: Caller) -> None:
        """Count a request. Raises: QuotaExceeded."""
        ...


AuthFailureHandler = Callable[[str | None, str | None], Awaitable[None]]


class Authenticator:
    """Authenticates callers against all token lookups; reports unknown tokens to `on_auth_failure`, with the address.

    With a `limit`, an address with too many failures is refused without a report; without one, addresses are unknown.
    `new_tokens` is asked before a token counts as unknown, `uses` notes who was served, and `quotas` refuses who does
    too much.
    """

    def __init__(
        self,
        token_lookups: list[TokenLookup],
        on_auth_failure: AuthFailureHandler,
        limit: AuthRateLimit | None = None,
        *,
        new_tokens: NewTokenLookup | None = None,
        uses: TokenUseLog | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self._new_tokens = new_tokens
        self._uses = uses
        self._quotas = quotas
        self._token_lookups = token_lookups
        self._on_auth_failure = on_auth_failure
        self._limit = limit

    async def authenticate(self, request: Request, scope: str, credentials: Credentials | None = None) -> None:
        """Set `request.state.caller` to the caller that `credentials` name, or else the request's bearer token.

        The request of another service goes on under the id that it has there.

        Raises:
            InvalidToken: no token, or an unknown one.
            TooManyAuthFailures: too many of those came from there.
            ScopeMissing: a known token without the scope.
            QuotaExceeded: the token or its tenant sends too many requests.
        """
        caller, credentials = None, credentials or credentials_of(request)
        if credentials is not None:
            for token_lookup in self._token_lookups:
                caller = token_lookup.find(credentials)
                if caller is not None:
                    break
            else:
                caller = None if self._new_tokens is None else await self._new_tokens.find_new(credentials)
        if caller is None:
            address = None if self._limit is None else await self._limit.count(client_address(request))
            await self._on_auth_failure(credentials.token if credentials else None, address)
            raise InvalidToken("Send a valid token in the header `Authorization: Bearer TOKEN`.")
        state = request.scope["state"]
        if caller.is_service and "offered_id" in state:
            state["request_id"] = state["offered_id"]
        bind_log_fields(
            request_id=state["request_id"], token_id=caller.token_id, token_name=caller.name, tenant=caller.tenant
        )
        if self._uses is not None and not caller.is_service:
            self._uses.last_used[caller.token_id] = self._uses.now_s()
        if scope not in caller.scopes and ALL_SCOPES not in caller.scopes and scope != ANY_TOKEN:
            await self._deny(caller, scope)
        quotas = self._quotas
        if quotas is not None and (caller.quota is not None or caller.tenant in quotas.tenants):
            quotas.admit(caller)
        state["caller"] = caller

    async def require(self, caller: Caller, scope: str) -> None:
        """Check a scope that a part of a request needs beside that of its route.

        Raises:
            ScopeMissing: the caller's token does not have it.
        """
        if not caller.may(scope):
            await self._deny(caller, scope)

    def visibility_of(self, caller: Caller | None) -> Visibility:
        """Return what a caller sees beside its own data; None is anybody, for pages that are public.

        While no token of another tenant exists, the default tenant is all there is: it sees also what belongs to no
        tenant, and so does anybody on a public page.
        """
        if caller is not None and OPERATOR in caller.scopes:
            return EVERYTHING
        tenant = DEFAULT_TENANT if caller is None else caller.tenant
        if tenant == DEFAULT_TENANT and all(one.tenants <= {DEFAULT_TENANT} for one in self._token_lookups):
            return Visibility(frozenset({DEFAULT_TENANT, SYSTEM_TENANT}), SYSTEM_TENANT)
        return Visibility(frozenset() if caller is None else frozenset({tenant}), tenant)

    async def _deny(self, caller: Caller, scope: str) -> NoReturn:
        if self._uses is not None:
            self._uses.refuse(caller.token_id)
        if self._limit is not None:
            await self._limit.count_denied(caller.token_id)
        raise ScopeMissing(f"The token needs the scope `{scope}`.", scope=scope)


class SingleToken:
    """A token lookup of a single token: the secret between services, or the development token."""

    def __init__(self, token: str, caller: Caller, *, is_local_only: bool = False) -> None:
        self._digest = digest_of(token)
        self._caller = caller
        self._is_local_only = is_local_only

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the caller if it is the token, compared in constant time."""
        is_it = hmac.compare_digest(self._digest, credentials.digest)
        is_allowed = credentials.is_local or not self._is_local_only
        return self._caller if is_it and is_allowed else None

    @property
    def tenants(self) -> frozenset[str]:
        """The tenant of the caller."""
        return frozenset({self._caller.tenant})


def digest_of(token: str) -> str:
    """Return the digest of a token, the only form of it that is kept."""
    return Credentials(token, is_local=False).digest


def allow(scope: str) -> SecurityParameter:
    """Return the dependency that a guarded route declares: callers need `scope`."""
    parameter: SecurityParameter = Security(_scheme, scopes=[scope])
    return parameter


class GuardedRoute(FastRoute):
    """A route that authenticates the caller before it reads the body.

    Raises:
        TypeError: when it is declared without `dependencies=[allow(SCOPE)]`; no route is open by oversight.
    """

    # Whether `admit` is asked before the token.
    admits_without_token = False
    # The header of requests that go to `serve_once`.
    once_header: str | None = None
    # Returns the credentials of a request that has others than a bearer token.
    credentials: Callable[[Request], Credentials | None] | None = None

    def get_route_handler(self) -> Handler:
        """Return the handler that authenticates the caller, then serves the request."""
        handle = super().get_route_handler()
        if (act := act_of(self.endpoint)) is not None:
            plain = handle

            async def handle(request: Request) -> Response:
                return await serve_act(request, act, wiring_of(request, ServiceWiring).audit, plain)

        scope, once_header = self._scope(), self.once_header
        admit = self.admit if self.admits_without_token else None
        own = self.credentials
        once_name = None if once_header is None else once_header.lower().encode()

        async def guarded(request: Request) -> Response:
            if admit is None or not admit(request):
                authenticator = wiring_of(request, ServiceWiring).authenticator
                await authenticator.authenticate(request, scope, None if own is None else own(request))
            query = request.scope["query_string"]
            if b"%" in query or not query.isascii():
                _check_utf8(query)
            if once_name is not None and once_name in headers_of(request.scope):
                return await self.serve_once(request, handle)
            return await handle(request)

        return guarded

    def admit(self, request: Request) -> bool:
        """Set the caller of a request that needs no token, and say whether it is one."""
        raise NotImplementedError

    async def serve_once(self, request: Request, handle: Handler) -> Response:
        """Serve a request that has `once_header`; `handle` serves it as any other."""
        raise NotImplementedError

    def _scope(self) -> str:
        for dependency in self.dependencies:
            if isinstance(dependency, SecurityParameter) and dependency.scopes:
                return str(dependency.scopes[0])
        raise TypeError(f"the route {self.path} does not say which scope it needs")


async def _visibility(request: Request) -> Visibility:
    # A public page has no caller.
    caller: Caller | None = getattr(request.state, "caller", None)
    return wiring_of(request, ServiceWiring).authenticator.visibility_of(caller)


VisibilityPart = Annotated[Visibility, Depends(_visibility)]


def credentials_of(request: Request) -> Credentials | None:
    """Return the credentials of `request`, or None if it has no bearer token."""
    scheme, _, token = headers_of(request.scope).get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    address = direct_address(request)
    return Credentials(token, is_loopback(address), address)


def client_address(request: Request) -> ClientAddress:
    """Return where a request came from."""
    host = request.client.host if request.client is not None else ""
    return ClientAddress(host, ",".join(request.headers.getlist("x-forwarded-for")))


# What proxies and content delivery networks add. One that adds nothing and names this address as `Host` cannot be told
# from a program on this machine (docs/operations.md).
_PROXY_HEADERS = frozenset(
    {
        *(b"forwarded", b"forwarded-for", b"via", b"cdn-loop", b"client-ip", b"proxy-connection"),
        *(b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-originating-ip", b"x-remote-ip", b"x-remote-addr"),
        *(b"true-client-ip", b"cf-connecting-ip", b"cf-connecting-ipv6", b"cf-ray", b"fastly-client-ip"),
        *(b"x-amzn-trace-id", b"x-amz-cf-id", b"x-azure-clientip", b"x-envoy-external-address", b"x-original-host"),
    }
)
_FORWARDED_PREFIX = b"x-forwarded"
# Where a request says that it goes, and which page it comes from.
_PLACES = (b"host", b"origin")


def direct_address(request: Request) -> str:
    """Return the address of a caller who is on this machine if the address is; empty for any other request.

    It came through no proxy and from no foreign web page. A page whose name an attacker points to 127.0.0.1 (DNS
    rebinding) sends its own name as `Host`; any other page sends an `Origin` that is not this address.
    """
    client = request.scope.get("client")
    # Behind a proxy on this machine every caller seems local, so a forwarded request is never local. nginx speaks
    # HTTP/1.0 unless it is told otherwise.
    if client is None or request.scope.get("http_version") == "1.0":
        return ""
    headers = request.scope["headers"]
    by_name = headers_of(request.scope)
    if not _PROXY_HEADERS.isdisjoint(by_name) or any(name[:11] == _FORWARDED_PREFIX for name in by_name):
        return ""
    if len(by_name) == len(headers):
        hosts, origins = by_name.get(b"host"), by_name.get(b"origin")
        is_own = _are_own_addresses(() if hosts is None else (hosts,), () if origins is None else (origins,))
    else:
        is_own = _are_own_addresses(*(tuple(value for name, value in headers if name == one) for one in _PLACES))
    return str(client[0]) if is_own else ""


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Say whether `host` is a loopback address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A socket that takes both families shows an IPv4 address so.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@lru_cache(1024)
def _are_own_addresses(hosts: tuple[bytes, ...], origins: tuple[bytes, ...]) -> bool:
    # Every browser sends one `Host`; a program that omits it is no page, so it has no origin either.
    if len(hosts) > 1 or len(origins) > 1:
        return False
    host = hosts[0] if hosts else b""
    if not host:
        return not origins
    return _is_own_address(host) and all(origin.partition(b"://")[2] == host for origin in origins)


def _is_own_address(host: bytes) -> bool:
    try:
        name = urlsplit(b"//" + host).hostname or b""
    except ValueError:
        return False
    return b"@" not in host and (name.removesuffix(b".") == b"localhost" or is_loopback(name.decode("latin-1")))


_MISTAKE = {"where": "query", "kind": "encoding", "expected": "percent-encoded UTF-8"}


def _check_utf8(query: bytes) -> None:
    # The framework would put U+FFFD in place of invalid bytes, and different keys would become the same one.
    try:
        unquote_to_bytes(query).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("The request is not valid. Check: query.", errors=[_MISTAKE]) from None
