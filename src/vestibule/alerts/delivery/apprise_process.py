"""The separate process of apprise, which can send only the requests that the guard allows.

apprise brings its own way out, so it runs where that can be closed: a hook of the interpreter, which no code can take
out again, refuses every connection to an address that the guard has not resolved, every name that it has not been asked
for, every file to write and every program to start. It reads lines of JSON and answers each with one.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from vestibule.egress.guard import DeliveryFailed, EgressGuard

FORBIDDEN = frozenset(
    {
        "socket.bind",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.spawn",
        "os.system",
        "pty.spawn",
    }
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class _GuardState:
    """The names and addresses that the guard has allowed so far, and the last refusal."""

    names: set[str] = field(default_factory=set)
    addresses: set[tuple[str, int]] = field(default_factory=set)
    pinned: dict[tuple[str, int], str] = field(default_factory=dict)
    refusal: str | None = None


def main() -> None:
    """Answer every line of standard input until it ends; the first says what the guard allows."""
    # What a plugin prints is no answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    guard = guard_of(json.loads(sys.stdin.readline()))
    state = _GuardState()
    apprise = _prepare(guard, state)
    _write_reply(answers, "")
    for line in sys.stdin:
        _write_reply(answers, _send(apprise, state, json.loads(line)))


def guard_of(settings: dict[str, Any]) -> EgressGuard:
    """Return the guard that the first line describes."""
    return EgressGuard(
        frozenset(settings["schemes"]),
        frozenset(settings["hosts"]),
        settings["is_private_allowed"],
        settings["timeout_s"],
        is_operators=True,
    )


def _write_reply(answers: IO[str], reason: str) -> None:
    answers.write(json.dumps({"reason": reason}) + "\n")
    answers.flush()


def _send(apprise: Any, state: _GuardState, message: dict[str, str]) -> str:
    state.refusal = None
    try:
        asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, async_mode=False)
        service = apprise.Apprise.instantiate(message["url"], asset=asset)
        if service is None:
            return "apprise cannot read the address"
        if not _speaks_http(service):
            return "the service is not called over HTTP, so it cannot be guarded"
        is_taken = service.notify(body=message["body"], title=message["title"], notify_type=message["type"])
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; the words may hold the address
        return state.refusal or type(error).__name__
    return "" if is_taken else state.refusal or "the service did not take it"


def _speaks_http(service: Any) -> bool:
    return any(hasattr(sys.modules.get(kind.__module__), "requests") for kind in type(service).__mro__)


def _prepare(guard: EgressGuard, state: _GuardState) -> Any:
    # Everything that is needed is loaded before the hook stands.
    import apprise  # noqa: PLC0415
    import requests  # noqa: PLC0415
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415
    from urllib3.util import connection  # noqa: PLC0415

    manager: Any = NotificationManager
    manager().load_modules()
    _send_by_guard(requests, guard, state)
    connection.create_connection = _pinning(connection.create_connection, state)
    sys.addaudithook(_hook_for(state))
    return apprise


def _send_by_guard(requests: Any, guard: EgressGuard, state: _GuardState) -> None:
    send = requests.Session.send

    def guarded(self: Any, request: Any, **options: Any) -> Any:
        try:
            _allow(request.url, guard, state)
        except DeliveryFailed as error:
            state.refusal = str(error)
            raise requests.ConnectionError(state.refusal) from None
        options |= {"allow_redirects": False, "proxies": {}, "timeout": guard.timeout_s}
        answer = send(self, request, **options)
        if answer.status_code >= 300:
            state.refusal = f"the answer was {answer.status_code}"
        return answer

    requests.Session.send = guarded


def _allow(url: str, guard: EgressGuard, state: _GuardState) -> None:
    origin = guard.check_address(url)
    state.names.add(origin.host)
    address = guard.connect_address(origin)
    state.names.add(address)
    state.addresses.add((address, origin.port))
    state.pinned[origin.host, origin.port] = address


def _pinning(connect: Callable[..., Any], state: _GuardState) -> Callable[..., Any]:
    def connect_pinned(address: tuple[str, int], *others: Any, **options: Any) -> Any:
        host = address[0].strip("[]")
        return connect((state.pinned.get((host, address[1]), host), address[1]), *others, **options)

    return connect_pinned


def _hook_for(state: _GuardState) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, details: tuple[Any, ...]) -> None:
        if (
            event in FORBIDDEN
            or (event == "socket.connect" and tuple(details[1][:2]) not in state.addresses)
            or (event == "socket.getaddrinfo" and details[0] not in state.names)
            or (event == "open" and isinstance(details[2], int) and details[2] & WRITING and details[0] != os.devnull)
        ):
            raise PermissionError(f"{event} is not allowed here")

    return hook


if __name__ == "__main__":
    main()
