"""What sealing costs: microseconds of CPU for each step, and its share of the CPU of an `/add` in a whole system.

usage: python benchmarks/encryption.py [--steps-only]
"""

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import httpx
import psutil

from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile, Tokenizer, create_key_ring

SIZES = (60, 500, 100_000)
ROUNDS = 9
ROUND_S = 0.05
ADDS = 3_000
CALLERS = 16
TOKEN = "SECRET_TOKEN"


def cpu_us(step: Callable[[], object]) -> float:
    """Return the CPU time of one step in microseconds: the median of some rounds of many steps."""
    step()
    started = time.process_time()
    count = 0
    while time.process_time() - started < ROUND_S:
        step()
        count += 1
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(count):
            step()
        rounds.append((time.process_time() - started) / count * 1e6)
    return median(rounds)


def measure_steps(ring: KeyRingFile) -> float:
    """Print the cost of each step and return that of sealing a value of the smallest size as the database does."""
    cipher, fingerprinter, tokenizer = Cipher(ring, "benchmark"), Fingerprinter(ring), Tokenizer(ring)
    place = b"customers/4711/note"
    stored = []
    print(f"{'':24}" + "".join(f"{size:>10,} B" for size in SIZES))
    rows: dict[str, list[float]] = {}
    for size in SIZES:
        text = base64.b64encode(os.urandom(size)).decode()[:size]
        content = text.encode()
        envelope = cipher.encrypt(content, place)
        kept = base64.b64encode(envelope)
        steps: dict[str, Callable[[], object]] = {
            "seal": lambda content=content: cipher.encrypt(content, place),
            "open": lambda envelope=envelope: cipher.decrypt(envelope, place),
            "seal, as text": lambda text=text: base64.b64encode(cipher.encrypt(text.encode(), place)).decode("ascii"),
            "open, as text": lambda kept=kept: cipher.decrypt(base64.b64decode(kept, validate=True), place).decode(),
            "fingerprint": lambda text=text: fingerprinter.fingerprint(text),
            "tokenize": lambda text=text: tokenizer.tokenize(text, "EMAIL_ADDRESS", "tenant"),
        }
        for name, step in steps.items():
            rows.setdefault(name, []).append(cpu_us(step))
        stored.append(rows["seal, as text"][-1])
    for name, costs in rows.items():
        print(f"{name:24}" + "".join(f"{cost:>9.1f} us" for cost in costs))
    # A process that reads what many others have sealed derives their keys once each.
    others = [Cipher(ring, "benchmark").encrypt(b"x" * 60, place) for _ in range(2_000)]
    fresh = Cipher(ring, "benchmark")
    started = time.process_time()
    for envelope in others:
        fresh.decrypt(envelope, place)
    print(f"open, key not seen yet   {(time.process_time() - started) / len(others) * 1e6:>8.1f} us")
    return stored[0]


async def add_many(url: str) -> None:
    """Send `ADDS` clean values of 60 bytes over kept connections."""
    left = iter(range(ADDS))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=30, trust_env=False) as client:

        async def call() -> None:
            for number in left:
                body = {
                    "key": f"note-{number}",
                    "value": "the quick brown fox jumps over the lazy dog and runs on home",
                }
                (await client.post("/add", json=body)).raise_for_status()

        await asyncio.gather(*(call() for _ in range(CALLERS)))


def measure_add(folder: Path) -> float:
    """Return the CPU time that the client and the database service take for one `/add`, in microseconds."""
    port = _free_base_port()
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(folder / "var"), "--base-port", str(port)]
    output = folder / "output"
    with output.open("wb") as sink:
        system = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        while b"curl" not in output.read_bytes():
            if system.poll() is not None:
                raise RuntimeError(output.read_text())
            time.sleep(0.1)
        url = f"http://127.0.0.1:{port}"
        asyncio.run(add_many(url))  # warm
        before = _cpu_s(system.pid)
        asyncio.run(add_many(url))
        return (_cpu_s(system.pid) - before) / ADDS * 1e6
    finally:
        system.send_signal(signal.SIGTERM)
        system.wait(20)


def _cpu_s(pid: int) -> float:
    """Return the CPU time so far of the client and the database service."""
    total = 0.0
    for part in psutil.Process(pid).children(recursive=True):
        words = part.cmdline()
        if words[-2:] in (["serve", "client"], ["serve", "database"]):
            times = part.cpu_times()
            total += times.user + times.system
    return total


def _free_base_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            base: int = probe.getsockname()[1]
        if base < 60_000:
            return base


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_key_ring(folder / "keyring.json")
        seal_us = measure_steps(KeyRingFile(folder / "keyring.json"))
        if "--steps-only" not in sys.argv:
            add_us = measure_add(folder)
            print(f"/add of 60 B: {add_us:.0f} us of CPU in both services; sealing is {seal_us / add_us:.1%} of it")


if __name__ == "__main__":
    main()
