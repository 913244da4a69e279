"""The parts of embedded mode: command, environment, readiness check and stop stage of each."""

import enum
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.readiness import FileReadiness, HttpReadiness, PartReadiness, RedisSocketReadiness
from vestibule.cli.embedded.redis_server import RedisServer
from vestibule.runtime import parent_death

_LOOPBACK = "127.0.0.1"
WORKER = "worker"
# More share the work of one database service, which ends first.
_MOST_CLIENT_PROCESSES = 4
_PROGRAM = (sys.executable, "-m", "vestibule")
_NOTIFYING = frozenset({"client", "database", "business-logic", "scheduler"})
# What the drivers of PostgreSQL and DynamoDB read themselves, such as `PGPASSWORD` and `AWS_SECRET_ACCESS_KEY`.
_OF_STORES = ("PG", "AWS_")
# The settings that can hold a secret, and the parts that use each; no other part gets it.
SECRET_SETTINGS: Mapping[str, frozenset[str]] = {
    "VESTIBULE_ALERT_ALERTMANAGER_URL": _NOTIFYING,
    "VESTIBULE_ALERT_APPRISE_URLS": _NOTIFYING,
    "VESTIBULE_ALERT_EMAIL_PASSWORD": _NOTIFYING,
    "VESTIBULE_ALERT_WEBHOOK_SECRET": _NOTIFYING,
    "VESTIBULE_ALERT_WEBHOOK_URL": _NOTIFYING,
    "VESTIBULE_BROKER_URL": frozenset({"client", WORKER}),
    "VESTIBULE_CALLBACK_SECRET": frozenset({"client"}),
    "VESTIBULE_DATABASE_URL": frozenset({"database"}),
    "VESTIBULE_DETECTION__FINGERPRINT_KEY": frozenset({"client", "business-logic", "scheduler", WORKER}),
    "VESTIBULE_DEV_TOKEN": frozenset({"client", "business-logic", "scheduler"}),
    "VESTIBULE_FORWARD_SECRET": frozenset({"business-logic", WORKER}),
    # Every part that is traced; the address may have a password.
    "VESTIBULE_OTLP_ENDPOINT": _NOTIFYING | {"console", WORKER},
    "VESTIBULE_REDIS_URL": frozenset({"client", "scheduler", WORKER}),
    # The token of a caller, for the commands that call a running system.
    "VESTIBULE_TOKEN": frozenset(),
}


@dataclass(frozen=True)
class Address:
    """The host and port that a part listens on."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        """Return the host to connect to from this machine, which a wildcard address is not."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = f"[{self.reachable_host}]" if ":" in self.reachable_host else self.reachable_host
        return f"http://{host}:{self.port}"


class StopStage(enum.Enum):
    """The stages of a shutdown, in order; the value is the second of the shutdown at which a part is killed."""

    PUBLIC = 2.5
    WORK = 7.0
    SERVICES = 8.5
    QUEUE = 9.5


@dataclass(frozen=True)
class Part:
    """One process to supervise; its output goes to `log`, or else to the terminal.

    `arguments` are those of the program `vestibule`, if the part is one of its commands: it can be forked then.
    `repair` is called when the process has ended by itself; it returns what it did for the log, or None.
    """

    name: str
    command: tuple[str, ...]
    readiness: PartReadiness
    stop_stage: StopStage
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    log: Path | None = None
    repair: Callable[[], str | None] | None = None
    arguments: tuple[str, ...] = ()

    @property
    def log_name(self) -> str:
        """Return the name of the part in log lines."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Layout:
    """The options of one instance."""

    directory: DataDirectory
    host: str
    base_port: int
    worker_count: int
    concurrency: int
    has_business_logic: bool
    redis_url: str
    has_console: bool = True
    is_forking: bool = True
    client_processes: int = 1

    # Only the client service listens on `host`; the other services stay on loopback.
    @property
    def client(self) -> Address:
        return Address(self.host, self.base_port)

    @property
    def database(self) -> Address:
        return Address(_LOOPBACK, self.base_port + 1)

    @property
    def business_logic(self) -> Address:
        return Address(_LOOPBACK, self.base_port + 2)

    @property
    def scheduler(self) -> Address:
        return Address(_LOOPBACK, self.base_port + 3)

    @property
    def console(self) -> Address:
        return Address(_LOOPBACK, self.base_port + 4)

    @property
    def services(self) -> dict[str, Address]:
        """Return every service that runs, by its name in `vestibule serve`."""
        services = {"client": self.client, "database": self.database}
        if self.has_business_logic:
            services["business-logic"] = self.business_logic
        services["scheduler"] = self.scheduler
        if self.has_console:
            services["console"] = self.console
        return services


def list_parts(layout: Layout, user_environment: Mapping[str, str]) -> list[Part]:
    """Return every part but Redis, each with the user's settings except those that the layout determines.

    Of settings that can hold a secret, each part gets those that it uses.
    """
    environment = {**user_environment, **shared_environment(layout)}
    environment.setdefault("VESTIBULE_SERVICE_SECRET_FILE", str(layout.directory.service_secret_file))
    if layout.has_console:
        environment.setdefault("VESTIBULE_CONSOLE_URL", layout.console.url)
    # There is no load balancer that must notice a shutdown first.
    environment.setdefault("VESTIBULE_SHUTDOWN_DRAIN_S", "0")
    services = [_plan_service(name, address, environment) for name, address in layout.services.items()]
    workers = [_plan_worker(f"worker{n}", layout, environment) for n in range(1, layout.worker_count + 1)]
    return services + workers


def usual_client_processes() -> int:
    """Return the number of processes of the client service where none is chosen."""
    # On macOS a process that has loaded the system's libraries may crash after a fork.
    if sys.platform != "linux":
        return 1
    # The database service, the workers and Redis need the other half: on two cores a second process gained nothing.
    return max(1, min(len(os.sched_getaffinity(0)) // 2, _MOST_CLIENT_PROCESSES))


def fork_server_environment(user_environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the fork server: that of the user without what can hold a secret."""
    return {name: value for name, value in user_environment.items() if not _may_hold_secret(name.upper())}


def plan_redis(server: RedisServer, repair: Callable[[], str | None] | None = None) -> Part:
    """Return the Redis server as a part that ends with this process."""
    launcher = (sys.executable, "-I", "-S", str(parent_death.__file__), str(os.getpid()))
    return Part(
        name="redis",
        command=(*launcher, str(server.program), str(server.configuration)),
        readiness=RedisSocketReadiness(server.socket),
        stop_stage=StopStage.QUEUE,
        log=server.log,
        repair=repair,
    )


def shared_environment(layout: Layout) -> dict[str, str]:
    return {
        "VESTIBULE_EMBEDDED": "1",
        parent_death.PARENT_PID_VARIABLE: str(os.getpid()),
        "VESTIBULE_DATA_DIR": str(layout.directory.path),
        "VESTIBULE_CLIENT_SERVICE_URL": layout.client.url,
        "VESTIBULE_DATABASE_SERVICE_URL": layout.database.url,
        "VESTIBULE_SCHEDULER_URL": layout.scheduler.url,
        "VESTIBULE_BUSINESS_LOGIC_URL": layout.business_logic.url if layout.has_business_logic else "",
        "VESTIBULE_CONSOLE_SERVICE_URL": layout.console.url if layout.has_console else "",
        "VESTIBULE_REDIS_URL": layout.redis_url,
        "VESTIBULE_CLIENT_PROCESSES": str(layout.client_processes),
    }


def _may_hold_secret(name: str) -> bool:
    return name.startswith(_OF_STORES) or any(
        name in (setting, setting.partition("__")[0]) for setting in SECRET_SETTINGS
    )


def _own_environment(part: str, environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _is_for(part, name.upper())}


def _is_for(part: str, name: str) -> bool:
    if name.startswith(_OF_STORES):
        return part == "database"
    # Settings are read without regard to case, and those of a group also as one JSON object under its name.
    users = [found for setting, found in SECRET_SETTINGS.items() if name in (setting, setting.partition("__")[0])]
    return all(part in found for found in users)


def _plan_service(name: str, address: Address, environment: Mapping[str, str]) -> Part:
    arguments = ("serve", name)
    return Part(
        name=name,
        command=(*_PROGRAM, *arguments),
        arguments=arguments,
        environment={
            **_own_environment(name, environment),
            "VESTIBULE_HOST": address.host,
            "VESTIBULE_PORT": str(address.port),
        },
        readiness=HttpReadiness(address.reachable_host, address.port),
        stop_stage=StopStage.PUBLIC if name in {"client", "scheduler", "console"} else StopStage.SERVICES,
    )


def _plan_worker(name: str, layout: Layout, environment: Mapping[str, str]) -> Part:
    arguments = ("worker", "--name", name, "--concurrency", str(layout.concurrency))
    return Part(
        name=name,
        command=(*_PROGRAM, *arguments),
        arguments=arguments,
        environment=_own_environment(WORKER, environment),
        readiness=FileReadiness(layout.directory.ready_file(name)),
        stop_stage=StopStage.WORK,
    )
