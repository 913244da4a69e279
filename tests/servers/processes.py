"""Starts servers that refuse to run as root, also where the tests run as root."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")


def unprivileged() -> dict[str, Any]:
    """Return the arguments of `subprocess` that give up root; none where the tests do not run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def home_of_server(name: str) -> Iterator[Path]:
    """Give a folder that an unprivileged server can reach and own, which the folders of pytest are not."""
    home = Path(tempfile.mkdtemp(prefix=f"vestibule-{name}-"))
    hand_over(home)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def hand_over(path: Path) -> None:
    """Let the unprivileged user own `path`."""
    who = unprivileged()
    if who:
        os.chown(path, who["user"], who["group"])


def is_runnable(command: Path) -> bool:
    """Say whether the unprivileged user can run a program; it may lie in a home that is closed to others."""
    try:
        tried = subprocess.run([command, "--version"], capture_output=True, timeout=20, **unprivileged())
    except OSError:
        return False
    return tried.returncode == 0


def start(command: Sequence[str | Path], output: Path, *, as_root: bool = False) -> "subprocess.Popen[bytes]":
    """Start a server as the unprivileged user, or as who we are; the kernel ends it with the tests, however they end.

    Call it on the main thread: the kernel goes by the thread that started it.
    """
    who = {} if as_root else unprivileged()
    starter = [sys.executable, "-I", "-c", _START, str(who.get("user", "")), str(who.get("group", ""))]
    with output.open("ab") as sink:
        return subprocess.Popen([*starter, *map(str, command)], stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)


def run_apart(work: Callable[..., Coroutine[Any, Any, Outcome]], *arguments: object) -> Outcome:
    """Run a coroutine in a loop of its own, on another thread, since the caller may stand inside a running loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work(*arguments))).result()


def wait_for_port(port: int, timeout_s: float, process: "subprocess.Popen[bytes]") -> None:
    """Return when the server takes connections on loopback."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"{process.args} has ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{process.args} does not answer"
            time.sleep(0.02)
        else:
            return


# The signal for a parent's death is asked for after the user was changed, since a change forgets it.
_START = """
import ctypes, os, signal, sys
user, group, *command = sys.argv[1:]
if user:
    os.setgroups([]), os.setgid(int(group)), os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGINT)
os.execvp(command[0], command)
"""
