"""Checks of what runs: ports, services, their versions and clocks, workers, and alert channels."""

import asyncio
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vestibule.cli.doctor.examination import SERVICES, Diagnosis, ExaminedSystem, check, error, ok, warning
from vestibule.cli.version import installed_version

TIMEOUT_S = 3.0
MOST_SKEW_S = 5.0
OPTIONAL = frozenset({"business-logic", "console"})


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service answered: the status and the document, and by how many seconds its clock differs."""

    status: int
    document: Mapping[str, Any]
    skew_s: float


@check("ports")
def check_ports(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look who listens on the ports of `vestibule up`."""
    from vestibule.cli.embedded.parts import Address
    from vestibule.cli.embedded.start_checks import first_taken

    free = []
    for name, (offset, variable) in SERVICES.items():
        if installation.environment.get(variable):
            continue  # it runs elsewhere
        address = Address("127.0.0.1", installation.base_port + offset)
        if first_taken([address]) is None:
            free.append(str(address.port))
            continue
        answer = ask(address.url, "/health")
        if answer is not None and answer.document.get("service") == name.replace("-", "_"):
            yield ok(f"port {address.port} is that of the {name} service")
        else:
            holder = holder_of(address.port) or "another program"
            yield error(
                f"port {address.port} of the {name} service is taken by {holder}", "Choose others: --base-port."
            )
    if free:
        yield ok(f"free ports: {', '.join(free)}")


@check("services")
def check_services(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Ask each service whether it is ready, which version it has and what time it is."""
    answers = {name: ask(url, "/readyz") for name, url in installation.urls.items()}
    if not any(answers.values()):
        yield ok("no service answers: nothing is running")
        return
    for name, answer in answers.items():
        if answer is None:
            level = warning if name in OPTIONAL else error
            yield level(
                f"the {name} service does not answer", f"Start it; `vestibule logs --service {name}` says why not."
            )
            continue
        yield from _judge(name, answer)


def _judge(name: str, answer: ServiceAnswer) -> Iterator[Diagnosis]:
    if answer.status != http.client.OK:
        said = answer.document.get("detail", f"it answers {answer.status}")
        yield error(f"the {name} service is not ready: {said}", "Look at the part that is named.")
    else:
        version, own = str(answer.document.get("version")), installed_version()
        if version != own:
            yield error(f"the {name} service has version {version}, this program {own}", "Restart it.")
        else:
            yield ok(f"the {name} service is ready (version {version})")
    for note in answer.document.get("notes", ()):
        yield warning(f"the {name} service is degraded: {note}", "See docs/operations.md.")
    if abs(answer.skew_s) > MOST_SKEW_S:
        remedy = "Synchronize both hosts (chrony, systemd-timesyncd)."
        yield warning(f"the clock of the {name} service differs by {answer.skew_s:+.0f} s", remedy)


@check("workers")
def check_workers(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look which workers have reported to Redis lately."""
    from redis.asyncio import Redis

    from vestibule.cli.embedded.redis_server import redis_url_of
    from vestibule.client_service.queue.workers import WorkerRegistry
    from vestibule.contracts.errors import Unavailable
    from vestibule.service_kit.redis_settings import RedisSettings

    given = installation.setting("REDIS_URL")
    url = RedisSettings(redis_url=given).redis_url if given else redis_url_of(installation.data_dir)
    if url is None or url.startswith("sentinel://"):
        return

    async def read() -> list[Any]:
        async with Redis.from_url(url, socket_connect_timeout=TIMEOUT_S) as redis:
            return list(await WorkerRegistry(redis).read())

    try:
        known = asyncio.run(read())
    except Unavailable:
        return  # the check of Redis says so
    alive = [one.name for one in known if one.is_alive]
    if alive:
        yield ok(f"{len(alive)} workers are alive: {', '.join(alive)}")
    elif any(ask(url, "/health") for url in installation.urls.values()):
        yield error("no worker is alive, so no task is done", "Start one: `vestibule worker`.")
    if dead := [one.name for one in known if not one.is_alive]:
        yield warning(
            f"these workers have gone silent within a day: {', '.join(dead)}", "Restart them if you miss them."
        )


@check("alert channels")
def check_channels(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Build every channel, which refuses what it lacks. Nothing is sent."""
    from vestibule.alerts import AlertSettings
    from vestibule.alerts.builder import build_channels
    from vestibule.alerts.channel import Timing

    settings = AlertSettings(data_dir=installation.data_dir)
    try:
        for timing in Timing:
            build_channels(settings, timing)
    except ValueError as failure:
        yield error(str(failure), "Correct it; docs/alerts.md lists the settings of each channel.")
        return
    names = ", ".join(settings.alert_channels)
    if set(settings.alert_channels) <= {"report_file", "report_lines", "log"}:
        yield warning(
            f"alerts go to files of this machine alone ({names})", "Name a channel that people read: docs/alerts.md."
        )
    else:
        yield ok(f"alerts go to {names}; `vestibule channel test NAME` sends a test")


def ask(url: str, path: str) -> ServiceAnswer | None:
    """Return what a service answers; None if nothing does."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read(1_000_000)
        document = json.loads(content)
        moment = parsedate_to_datetime(answer.getheader("date", "")).timestamp()
        is_object = isinstance(document, dict)
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None
    finally:
        connection.close()
    return ServiceAnswer(answer.status, document if is_object else {}, moment - time.time())


def holder_of(port: int) -> str | None:
    """Return the process that listens on a port of this machine, where the system shows it (Linux)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        cells = [row.split() for row in rows]
        # Columns of proc(5): the local address, the state (0A listens), and the inode of the socket.
        inodes |= {cell[9] for cell in cells if cell[3] == "0A" and int(cell[1].rpartition(":")[2], 16) == port}
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        if any(link in sockets for link in _open_files(process)):
            with suppress(OSError):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return None


def _open_files(process: Path) -> Iterator[str]:
    # Other users' are not shown, and some are closed meanwhile.
    with suppress(OSError):
        for one in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(one.readlink())
