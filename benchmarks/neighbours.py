"""What one token can do to another: the neighbour's `POST /add` alone, and beside each attack of the other token.

    python -m benchmarks.neighbours [--seconds 6] [--attacks bodies,watches,...] [--times 3]

Ends with 1 where the neighbour was refused, or its p99 was over `--times` that without the attack. All is on loopback,
and each attack is bounded: its connections, its requests a second and its time.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from benchmarks.systems import ROOT, free_port, vestibule

TEXT = "the quick brown fox jumps over the lazy dog and on"
RATE_PER_S = 50
# The attack stands before the neighbour is measured.
STANDS_AFTER_S = 3.0
# What an attack has left behind is worked off before the next: the neighbour's p99 is this many times the first again.
CALM_TIMES, CALM_WITHIN_S = 1.5, 60
# Keys that have ended are removed every ten seconds, so the neighbour is watched for longer.
LONG_S = {"ended": 24.0}
BODIES, WATCHES, CALLBACKS, HARD_TEXTS = 300, 1_000, 96, 6
ATTACKERS = 16
IS_JSON = {"Content-Type": "application/json"}
# Texts just under the size from which a text is scanned in a thread, and entries that have to be searched.
MANY_TEXTS, MANY_CHARS, ENTRIES = 190, 19_990, 300
KEYS_THAT_END = 40_000
HARD_TEXT = "write to jane.doe@example or call +44 20 7946 095 about DE8937040044053201300 " * 1_500


@dataclass
class Seen:
    """How long the neighbour's requests took, and how many were refused."""

    took_s: list[float] = field(default_factory=list)
    refused: int = 0
    refusals: set[bytes] = field(default_factory=set)

    def ms(self, share: float) -> float:
        """Return the time in which a share of the requests was answered."""
        return sorted(self.took_s)[int(len(self.took_s) * share)] * 1000 if self.took_s else 0.0


class Attacker:
    """The greedy token: its address, and the receiver of its callbacks, which never answers."""

    def __init__(self, port: int, token: str, receiver: int) -> None:
        self.url, self.port, self.receiver, self.token = f"http://127.0.0.1:{port}", port, receiver, token
        self._headers = {"Authorization": f"Bearer {token}"}

    def session(self) -> aiohttp.ClientSession:
        """Return a client without a bound of connections."""
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(self.url, headers=self._headers, connector=connector)

    async def bodies(self) -> None:
        """Hold connections with the beginning of a body, and open others where they are closed."""
        head = f"POST /add HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\nContent-Length: 100000\r\n\r\n"

        async def hold() -> None:
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(head.encode() + b'{"key": ')
                with suppress(OSError):
                    await reader.read()
                writer.close()
                await asyncio.sleep(1)

        await asyncio.gather(*(hold() for _ in range(BODIES)))

    async def watches(self) -> None:
        """Watch keys that never change."""
        async with self.session() as session:

            async def watch(number: int) -> None:
                while True:
                    async with session.get("/watch", params={"prefix": f"idle{number % 10}"}, timeout=None) as answer:
                        async for _ in answer.content.iter_any():
                            pass
                    await asyncio.sleep(5)

            await asyncio.gather(*(watch(number) for number in range(WATCHES)))

    async def malformed(self) -> None:
        """Send what is no pair."""
        await self._post("/add", {"key": 1}, ATTACKERS)

    async def denied(self) -> None:
        """Ask for what the token may not do."""
        await self._post("/reveal", {"token": "x"}, ATTACKERS)

    async def texts(self) -> None:
        """Send long texts that take much scanning."""
        await self._post("/scan", {"text": HARD_TEXT}, HARD_TEXTS)

    async def callbacks(self) -> None:
        """Name a receiver that never answers as the callback of many tasks."""

        async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(3600)

        async with await asyncio.start_server(hang, "127.0.0.1", self.receiver), self.session() as session:
            for number in range(CALLBACKS):
                message = {"text": "x", "callback": f"http://127.0.0.1:{self.receiver}/{number}"}
                async with session.post("/messages", json=message) as answer:
                    await answer.read()
            await asyncio.sleep(3600)

    async def callers(self) -> None:
        """Send long texts over many connections."""
        await self._post("/scan", {"text": HARD_TEXT}, ATTACKERS)

    async def lists(self) -> None:
        """Scan lists of texts that are just short enough for the event loop."""
        await self._post("/scan", {"texts": [HARD_TEXT[:MANY_CHARS]] * MANY_TEXTS}, HARD_TEXTS)

    async def deep(self) -> None:
        """Send JSON that is nested deeply."""
        await self._post("/add", b'{"key": "k", "value": ' + b'{"a":' * 150_000, ATTACKERS)

    async def wide(self) -> None:
        """Send JSON of many small parts, none of which belongs there."""
        await self._post("/add", {"key": "k", "value": [[]] * 250_000}, ATTACKERS)

    async def light(self) -> None:
        """Add small pairs as fast as they are answered."""
        await self._post("/add", {"key": "k", "value": TEXT}, 4 * ATTACKERS)

    async def erasures(self) -> None:
        """Erase values that no entry contains, beside entries that have to be searched."""
        async with self.session() as session:
            pairs = [{"key": f"e{number}", "value": TEXT * 100} for number in range(ENTRIES)]
            async with session.post("/add/batch", json={"pairs": pairs}) as answer:
                await answer.read()
        await self._post("/subjects", {"value": "nobody@example.org"}, ATTACKERS, method="DELETE")

    async def ended(self) -> None:
        """Add many keys that end at once, and nothing while they are removed."""
        async with self.session() as session:
            while True:
                for start in range(0, KEYS_THAT_END, 1000):
                    pairs = [{"key": f"k{start + one}", "value": "x", "ttl_s": 0.05} for one in range(1000)]
                    async with session.post("/add/batch", json={"pairs": pairs}) as answer:
                        await answer.read()
                await asyncio.sleep(15)

    async def batches(self) -> None:
        """Add many keys at once that expire at once."""
        async with self.session() as session:
            for start in itertools.count(0, 1000):
                pairs = [{"key": f"k{start + one}", "value": "x", "ttl_s": 0.05} for one in range(1000)]
                async with session.post("/add/batch", json={"pairs": pairs}) as answer:
                    await answer.read()

    async def keys(self) -> None:
        """List keys, most of which have ended, again and again."""
        async with self.session() as session:
            while True:
                async with session.get("/keys") as answer:
                    await answer.read()
                await asyncio.sleep(0.001)

    async def _post(self, path: str, body: object, at_once: int, method: str = "POST") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session() as session:

            async def go_on() -> None:
                while True:
                    async with session.request(method, path, data=content, headers=IS_JSON) as answer:
                        await answer.read()
                    await asyncio.sleep(at_once / 1_000)

            await asyncio.gather(*(go_on() for _ in range(at_once)))


ATTACKS = (
    *("bodies", "watches", "malformed", "denied", "texts", "callbacks", "batches", "keys"),
    *("callers", "lists", "deep", "wide", "light", "erasures", "ended"),
)


def attack(name: str, port: int, token: str, receiver: int) -> None:
    """Attack until this process is ended."""
    begin: Callable[[], Awaitable[None]] = getattr(Attacker(port, token, receiver), name)
    with suppress(KeyboardInterrupt, aiohttp.ClientError):
        asyncio.run(begin())  # type: ignore[arg-type]


async def add_beside(port: int, token: str, seconds: float) -> Seen:
    """Add pairs at a low rate over kept connections, as a neighbour does."""
    seen, until = Seen(), time.perf_counter() + seconds
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        number = 0
        while (began := time.perf_counter()) < until:
            number += 1
            async with session.post("/add", json={"key": f"n{number}", "value": TEXT}) as answer:
                content = await answer.read()
            took_s = time.perf_counter() - began
            seen.took_s.append(took_s)
            if answer.status != 200:
                seen.refused += 1
                seen.refusals.add(content[:300])
            await asyncio.sleep(max(0.0, 1 / RATE_PER_S - took_s))
    return seen


def make_token(folder: Path, name: str, scopes: str) -> str:
    """Return a new token of a tenant of its own."""
    command = [sys.executable, "-m", "vestibule", "token", "create", "--name", name, "--tenant", name, "--json"]
    command += ["--scope", scopes, "--data-dir", str(folder / "var")]
    token: str = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)["token"]
    return token


def measure_beside(name: str, port: int, tokens: tuple[str, str], receiver: int, seconds: float) -> Seen:
    """Return what the neighbour sees while the other token attacks."""
    attacker = multiprocessing.Process(target=attack, args=(name, port, tokens[1], receiver), daemon=True)
    attacker.start()
    try:
        time.sleep(STANDS_AFTER_S)
        return asyncio.run(add_beside(port, tokens[0], seconds))
    finally:
        attacker.kill()
        attacker.join()


def wait_until_calm(port: int, token: str, calm_ms: float) -> None:
    """Wait until the neighbour is served as if nothing else were, or has not been for too long."""
    until = time.perf_counter() + CALM_WITHIN_S
    while asyncio.run(add_beside(port, token, 1)).ms(0.95) > calm_ms and time.perf_counter() < until:
        pass


def main() -> None:
    """Measure each attack beside a neighbour, and judge."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=6)
    ask.add_argument("--attacks", default=",".join(ATTACKS), help=f"some of {', '.join(ATTACKS)}")
    ask.add_argument("--times", type=float, default=3)
    given = ask.parse_args()
    receiver, is_well = free_port(), True
    settings = {
        "VESTIBULE_CALLBACK_SECRET": "a secret of this benchmark alone, long enough",
        "VESTIBULE_CALLBACK_ORIGINS": json.dumps([f"http://127.0.0.1:{receiver}"]),
    }
    with tempfile.TemporaryDirectory() as name, vestibule(Path(name), **settings) as system:
        port = int(system.url.rpartition(":")[2])
        greedy = make_token(Path(name), "greedy", "add,read,keys,message,scan,erase")
        tokens = make_token(Path(name), "neighbour", "add"), greedy
        time.sleep(STANDS_AFTER_S)  # until both tokens are known
        asyncio.run(add_beside(port, tokens[0], 2))
        first = asyncio.run(add_beside(port, tokens[0], 2))
        for one in given.attacks.split(","):
            wait_until_calm(port, tokens[0], CALM_TIMES * first.ms(0.99))
            # By turns, since what else the machine does changes from minute to minute.
            idle = asyncio.run(add_beside(port, tokens[0], given.seconds))
            beside = measure_beside(one, port, tokens, receiver, LONG_S.get(one, given.seconds))
            times = beside.ms(0.99) / idle.ms(0.99)
            for refusal in sorted(beside.refusals)[:3]:
                print(refusal.decode())
            is_well &= not beside.refused and times <= given.times
            print(
                f"{one:10} p50 {idle.ms(0.5):6.1f} -> {beside.ms(0.5):6.1f} ms, p99 {idle.ms(0.99):6.1f} -> "
                f"{beside.ms(0.99):6.1f} ms ({times:.1f} times), refused {beside.refused} of {len(beside.took_s)}"
            )
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
