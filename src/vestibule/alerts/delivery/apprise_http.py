"""apprise behind the egress guard: every HTTP request of its plugins goes to an address that the guard has checked.

The plugins call `requests.post` and its like through the name `requests` of their modules. The modules of apprise get
`GuardedRequests` under that name; the rest of the process keeps the library.

See docs/adr/0032-apprise-in-the-service.md.
"""

import io
import logging
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import requests
from apprise import Apprise, AppriseAsset, NotifyBase, PersistentStoreMode
from apprise.manager_plugins import NotificationManager
from apprise.utils.http import HTTPPolicy, HTTPPolicySession
from urllib3.exceptions import HTTPError

from vestibule.egress.guard import DeliveryFailed, EgressGuard

MAX_RESPONSE_BYTES = 1 << 20
METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
# The names of the library that plugins use besides; none of them sends.
HARMLESS = frozenset({"RequestException", "TooManyRedirects", "auth", "codes", "exceptions"})
# They call HTTP, but not only.
UNGUARDED = ("apprise.plugins.nostr",)


class _GuardPolicy(HTTPPolicy):
    """Connects only to the address that the guard has checked, and can end its connections."""

    def __init__(self, guard: EgressGuard) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._guard = guard
        self._sockets: list[socket.socket] = []
        self.refusal = ""

    def resolve(self, host: str, port: int) -> list[Any]:
        try:
            address = self._guard.resolve(host, port)
        except DeliveryFailed as error:
            self.refusal = str(error)
            raise
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    def create_connection(self, *address: Any, **options: Any) -> socket.socket:
        connected: socket.socket = super().create_connection(*address, **options)  # type: ignore[no-untyped-call]
        # TLS takes over the socket itself.
        self._sockets.append(connected.dup())
        return connected

    def end_late_connections(self) -> None:
        self.refusal = "no answer in time"
        for one in self._sockets:
            with suppress(OSError):  # it has ended by itself
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


class GuardedRequests:
    """The library `requests` as plugins see it. One notification is sent at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guard: EgressGuard | None = None
        self._refusal = ""

    def run(self, guard: EgressGuard, call: Callable[[], bool]) -> str:
        """Return why the service did not accept what `call` sends, empty if it did."""
        with self._lock:
            self._guard, self._refusal = guard, ""
            try:
                return "" if call() else self._refusal or "the service did not accept it"
            except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; the text may contain the address
                return self._refusal or type(error).__name__
            finally:
                self._guard = None

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send one request, without redirects, proxies and `.netrc`, and return the response with its body.

        Raises:
            requests.RequestException: the guard does not allow it, or there is no response in time.
        """
        guard = self._guard
        if guard is None:
            raise requests.ConnectionError("no notification is being sent")
        policy = _GuardPolicy(guard)
        timer = threading.Timer(guard.timeout_s, policy.end_late_connections)
        timer.daemon = True
        timer.start()
        try:
            guard.check_address(url)
            options |= {"allow_redirects": False, "stream": True, "timeout": guard.timeout_s}
            with HTTPPolicySession(policy) as session:
                response = session.request(method, url, **options)
                body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
        except (OSError, HTTPError) as error:  # each error of `requests` is an OSError
            self._refusal = policy.refusal or (str(error) if isinstance(error, DeliveryFailed) else "")
            raise requests.ConnectionError(self._refusal or type(error).__name__) from None
        finally:
            timer.cancel()
            policy.close()
        if len(body) > MAX_RESPONSE_BYTES:
            self._refusal = "the response is too large"
            raise requests.ConnectionError(self._refusal)
        if response.status_code >= 300:
            self._refusal = f"the answer was {response.status_code}"
        response.raw = io.BytesIO(body)
        return response

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return partial(self.request, name.upper())
        if name in HARMLESS:
            return getattr(requests, name)
        raise AttributeError(f"requests.{name} is not guarded")


def guard_plugins() -> GuardedRequests:
    """Load all plugins, and return the guard in front of them."""
    # It logs parts of addresses, which hold secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    NotificationManager().load_modules()
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.") and getattr(module, "requests", None) is requests:
            module.__dict__["requests"] = GUARDED
    return GUARDED


GUARDED = GuardedRequests()


def open_service(url: str) -> NotifyBase | None:
    """Return the service that an address of apprise names, None if apprise cannot read it."""
    asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY, async_mode=False)
    service = Apprise.instantiate(url, asset=asset)
    return service if isinstance(service, NotifyBase) else None


def is_guarded(kind: type[NotifyBase]) -> bool:
    """Say whether a service is called over HTTP alone, through the guard."""
    modules = [module for one in kind.__mro__ if (module := sys.modules.get(one.__module__)) is not None]
    return any(getattr(module, "requests", None) is GUARDED for module in modules) and not kind.__module__.startswith(
        UNGUARDED
    )
