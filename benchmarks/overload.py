"""Three times as much as a system can carry: what is refused, how fast the rest is, how soon all is well, what is lost.

    python -m benchmarks.overload [--seconds 8] [--connections 1200] [--times 3]

Ends with 1 where an answer was neither 200 nor a 503 with Retry-After, where the accepted ones took over a second at
p99, where it took over five seconds to recover, or where something that was acknowledged is not there.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.systems import TOKEN, vestibule

TEXT = "the quick brown fox jumps over the lazy dog and on"
CAPACITY_CONNECTIONS = 50
RECOVERED_WITHIN_S = 5.0
ACCEPTED_WITHIN_S = 1.0
CHECKED = 300


@dataclass
class Seen:
    """What the answers were."""

    statuses: "Counter[str]" = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    refused_in_s: list[float] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def p99_ms(self, times: list[float]) -> float:
        """Return the time in which 99 of 100 had come."""
        return sorted(times)[int(len(times) * 0.99)] * 1000 if times else 0.0


async def load(port: int, connections: int, seconds: float, rate: float | None) -> Seen:
    """Add pairs over kept connections, as fast as they are answered, or at a rate over all connections."""
    seen = Seen()
    began = time.perf_counter()

    async def keep_adding(place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = 0
        while (now := time.perf_counter()) < began + seconds:
            if rate is not None and (due := began + (place + turn * connections) / rate) > now:
                await asyncio.sleep(min(due, began + seconds) - now)
                if due >= began + seconds:
                    break
            key = f"load-{place}-{turn}"
            turn += 1
            await add(reader, writer, key, seen)
        writer.close()

    await asyncio.gather(*(keep_adding(place) for place in range(connections)))
    return seen


async def add(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str, seen: Seen) -> None:
    """Add one pair, and take note of the answer."""
    body = f'{{"key":"{key}","value":"{TEXT}"}}'.encode()
    head = "POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {TOKEN}\r\n"
    began = time.perf_counter()
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = answer.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    took_s, status = time.perf_counter() - began, answer[9:12].decode()
    if status == "200":
        seen.took_s.append(took_s)
        seen.kept.append(key)
    elif status == "503" and b"\r\nretry-after: " in answer:
        seen.refused_in_s.append(took_s)
    seen.statuses[status if status != "503" or b"\r\nretry-after: " in answer else "503 alone"] += 1


def recovered_after_s(port: int) -> float:
    """Return how long it took until a light load was served in full."""
    began = time.perf_counter()
    while True:
        if set(asyncio.run(load(port, 10, 0.3, None)).statuses) == {"200"}:
            return time.perf_counter() - began - 0.3


def missing(url: str, keys: list[str]) -> list[str]:
    """Return those of some keys that were acknowledged and are not there."""
    lost = []
    for key in random.sample(keys, min(CHECKED, len(keys))):
        request = urllib.request.Request(f"{url}/read?key={key}", headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError:
            lost.append(key)
    return lost


def main() -> None:
    """Measure what it can carry, send more, and judge."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=8)
    ask.add_argument("--connections", type=int, default=1200)
    ask.add_argument("--times", type=float, default=3)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as name, vestibule(Path(name)) as system:
        port = int(system.url.rpartition(":")[2])
        alone = asyncio.run(load(port, CAPACITY_CONNECTIONS, 4, None))
        capacity = len(alone.took_s) / 4
        print(
            f"carries {capacity:,.0f}/s at {CAPACITY_CONNECTIONS} connections, p99 {alone.p99_ms(alone.took_s):.0f} ms"
        )
        seen = asyncio.run(load(port, given.connections, given.seconds, given.times * capacity))
        back_s = recovered_after_s(port)
        lost = missing(system.url, seen.kept)
    offered = seen.statuses.total() / given.seconds
    accepted_ms, refused_ms = seen.p99_ms(seen.took_s), seen.p99_ms(seen.refused_in_s)
    print(
        f"offered {offered:,.0f}/s, answers {dict(seen.statuses)}; accepted {len(seen.took_s) / given.seconds:,.0f}/s"
    )
    print(f"p99 of the accepted {accepted_ms:.0f} ms, of the refused {refused_ms:.0f} ms")
    print(f"well again after {back_s:.1f} s; of {CHECKED} acknowledged pairs {len(lost)} are missing")
    is_told = set(seen.statuses) <= {"200", "503"}
    is_well = is_told and accepted_ms <= ACCEPTED_WITHIN_S * 1000 and back_s <= RECOVERED_WITHIN_S and not lost
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
