"""Redis as people run it: on a socket, with users and TLS, or behind a Sentinel."""

import asyncio
import datetime
import ipaddress
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import RedisError

from servers import ports, processes
from vestibule.cli.embedded.redis_server import find_redis_program

START_TIMEOUT_S = 20
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class LocalRedis:
    """A server of one test, or of a few, which may freeze or kill it."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "r.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


@contextmanager
def redis_on_socket(*options: str) -> Iterator[LocalRedis]:
    """Run a server meanwhile that listens on a socket alone."""
    # The folders of pytest have paths that are too long for a socket.
    with tempfile.TemporaryDirectory(prefix="vst-") as folder:
        command = [find_redis_program(), "--port", "0", "--unixsocket", f"{folder}/r.sock", "--dir", folder]
        process = subprocess.Popen([*command, "--save", "", *options], stdout=subprocess.DEVNULL)
        server = LocalRedis(process, Path(folder))
        try:
            _wait_for_answer(server)
            yield server
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(60)


def _wait_for_answer(server: LocalRedis) -> None:
    while server.process.poll() is None:
        with suppress(RedisError), Redis(unix_socket_path=str(server.socket)) as client:
            client.ping()
            return
        time.sleep(0.01)
    raise RuntimeError("the Redis server ended at its start")


@contextmanager
def redis_server(folder: Path, port: int, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server meanwhile."""
    folder.mkdir(exist_ok=True)
    command = [find_redis_program(), "--port", str(port), "--bind", LOOPBACK, "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        processes.wait_for_port(port, START_TIMEOUT_S, process)
        yield process
    finally:
        process.kill()
        process.wait(10)


@dataclass
class Guarded:
    """A Redis that wants TLS and a login: where it is, and what it is to be checked by."""

    url: str
    ca_file: Path
    password_file: Path


@contextmanager
def guarded_redis(folder: Path, rules: str) -> Iterator[Guarded]:
    """Run a server with one user, who may do what `rules` say, behind TLS."""
    folder.mkdir(exist_ok=True)
    password = "w0rd-of-the-tests"
    (folder / "users.acl").write_text(f"user default off\nuser vestibule on >{password} {rules}\n")
    (folder / "password").write_text(password)
    plain, tls = ports.free_port(), ports.free_port()
    with redis_server(folder, plain, "--aclfile", str(folder / "users.acl")), _tls_before(plain, tls, folder):
        yield Guarded(f"rediss://vestibule@localhost:{tls}/0", folder / "ca.pem", folder / "password")


@dataclass
class Watched:
    """Two servers and the Sentinel that knows which of them is the master."""

    url: str
    master: "subprocess.Popen[bytes]"


@contextmanager
def watched_redis(folder: Path) -> Iterator[Watched]:
    """Run a master with a replica, and a Sentinel that puts the replica in its place a second after it is gone."""
    folder.mkdir(exist_ok=True)
    first, second, sentinel = (ports.free_port() for _ in range(3))
    replica = ("--replicaof", f"{LOOPBACK} {first}", "--repl-diskless-sync-delay", "0")
    with redis_server(folder / "first", first) as master, redis_server(folder / "second", second, *replica):
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"port {sentinel}\nbind {LOOPBACK}\ndir {folder}\nsentinel monitor vestibule {LOOPBACK} {first} 1\n"
            "sentinel down-after-milliseconds vestibule 1000\nsentinel failover-timeout vestibule 5000\n"
        )
        process = subprocess.Popen([find_redis_program(), settings, "--sentinel"], stdout=subprocess.DEVNULL)
        try:
            processes.wait_for_port(sentinel, START_TIMEOUT_S, process)
            yield Watched(f"sentinel://{LOOPBACK}:{sentinel}/0?master=vestibule", master)
        finally:
            process.kill()
            process.wait(10)


@contextmanager
def _tls_before(plain: int, tls: int, folder: Path) -> Iterator[None]:
    """Take TLS off before a server that was built without it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*_certificate(folder))
    loop = asyncio.new_event_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, plain)
        await asyncio.gather(pass_on(reader, server_writer), pass_on(server_reader, writer))

    async def serve() -> None:
        await asyncio.start_server(connect, LOOPBACK, tls, ssl=context)

    loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make an authority of the test's own and a certificate by it; return the files of the latter and of its key."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _sign("an authority of the tests", authority_key, authority_key, None)
    certificate = _sign("localhost", key, authority_key, authority)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.key").write_bytes(key.private_bytes(*form))
    return folder / "server.pem", folder / "server.key"


def _sign(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .sign(by, hashes.SHA256())
    )
