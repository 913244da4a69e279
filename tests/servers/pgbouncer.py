"""A PgBouncer in transaction mode, in front of the PostgreSQL of the tests, where one is installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from servers import ports, processes
from servers.postgresql import PASSWORD, START_TIMEOUT_S

# Fewer connections than callers, so that one connection of a caller meets many of the server.
POOL_SIZE = 3


@contextmanager
def pgbouncer_before(url: str) -> Iterator[str]:
    """Give the URL that leads to the database of `url` through a PgBouncer."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("needs pgbouncer (apt-get install pgbouncer)")
    server = urlsplit(url)
    port = ports.free_port()
    with processes.home_of_server("pgbouncer") as home:
        users = home / "users.txt"
        users.write_text(f'"vestibule" "{PASSWORD}"\n')
        settings = home / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {users}\n"
            f"pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\n"
        )
        for file in (users, settings):
            processes.hand_over(file)
        process = processes.start([program, settings], home / "output.log")
        try:
            processes.wait_for_port(port, START_TIMEOUT_S, process)
            netloc = f"vestibule:{PASSWORD}@127.0.0.1:{port}"
            yield server._replace(netloc=netloc).geturl()
        finally:
            process.terminate()
            process.wait(20)
