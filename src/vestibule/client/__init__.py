"""The client library: `Client` and `AsyncClient` speak to a running Vestibule; see `docs/client.md`.

    from vestibule.client import Client

    with Client("http://127.0.0.1:8000", token="...") as vestibule:
        vestibule.entries.add("test1", "hello")
        task = vestibule.tasks.run("test1")
        print(vestibule.tasks.wait(task.task_id, timeout_s=10).result)

Importing this package loads nothing else: each part is loaded when it is used first.
"""

# Type checkers take it for true; importing it from `typing` would cost as much as all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from vestibule.client.asynchronous.client import AsyncClient as AsyncClient
    from vestibule.client.errors import NoAnswer as NoAnswer
    from vestibule.client.errors import TimedOut as TimedOut
    from vestibule.client.errors import UnexpectedAnswer as UnexpectedAnswer
    from vestibule.client.errors import Unreachable as Unreachable
    from vestibule.client.errors import WaitTimedOut as WaitTimedOut
    from vestibule.client.retry import Retry as Retry
    from vestibule.client.synchronous.client import Client as Client
    from vestibule.contracts.errors import VestibuleError as VestibuleError

_MODULES = {
    "AsyncClient": "vestibule.client.asynchronous.client",
    "Client": "vestibule.client.synchronous.client",
    "NoAnswer": "vestibule.client.errors",
    "Retry": "vestibule.client.retry",
    "TimedOut": "vestibule.client.errors",
    "UnexpectedAnswer": "vestibule.client.errors",
    "Unreachable": "vestibule.client.errors",
    "VestibuleError": "vestibule.contracts.errors",
    "WaitTimedOut": "vestibule.client.errors",
}
__all__ = [
    "AsyncClient",
    "Client",
    "NoAnswer",
    "Retry",
    "TimedOut",
    "UnexpectedAnswer",
    "Unreachable",
    "VestibuleError",
    "WaitTimedOut",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
