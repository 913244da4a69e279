"""Forked parts are children of this process, have their own environment alone, and end as programs do."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from vestibule.cli.embedded.launcher import ForkingLauncher, can_fork
from vestibule.cli.embedded.parts import Part, StopStage
from vestibule.cli.embedded.readiness import FileReadiness
from vestibule.encryption import create_key_ring

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system cannot fork parts")
PARENT = {"VESTIBULE_PARENT_PID": str(os.getpid()), "PATH": os.environ["PATH"]}


def part(folder: Path, *arguments: str, **environment: str) -> Part:
    """Return a part that nobody waits for to be ready."""
    return Part(
        "a-part",
        ("/nowhere/vestibule", *arguments),
        FileReadiness(folder / "ready"),
        StopStage.WORK,
        environment={**PARENT, **environment},
        arguments=arguments,
    )


def fork_servers() -> list[psutil.Process]:
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if any("fork" in word and "server" in word for word in child.cmdline())]


async def test_a_forked_part_is_a_child_of_this_process(tmp_path, wait_until):
    """It is named by its command, the kernel shows none of its secrets, and its exit code is known."""
    # It would end at once without.
    create_key_ring(tmp_path / "keys" / "keyring.json")
    settings = {
        "VESTIBULE_DATA_DIR": str(tmp_path),
        "VESTIBULE_REDIS_URL": f"unix://{tmp_path}/none.sock",
        "VESTIBULE_SERVICE_SECRET_FILE": str(tmp_path / "none"),
    }
    launcher = ForkingLauncher(PARENT)
    async with launcher.running():
        wrong = await launcher.launch(part(tmp_path, "serve", "nothing"))
        assert 2 == await wrong.wait() == wrong.returncode
        worker = await launcher.launch(part(tmp_path, "worker", VESTIBULE_FORWARD_SECRET="s3cret", **settings))
        process = psutil.Process(worker.pid)
        wait_until(lambda: "vestibule worker" in " ".join(process.cmdline()), what="its name")
        assert os.getpid() == process.ppid()
        assert worker.pid == os.getsid(worker.pid)
        assert "VESTIBULE_FORWARD_SECRET" not in process.environ()
        worker.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == await worker.wait()
    assert [] == fork_servers()


async def test_parts_are_started_whatever_happens_to_the_fork_server(tmp_path):
    """The one that is being started while it ends is a program of its own; the next one is forked by another server."""
    launcher = ForkingLauncher(PARENT)
    async with launcher.running():
        (first,) = fork_servers()
        assert 2 == await (await launcher.launch(part(tmp_path, "serve", "nothing"))).wait()
        first.kill()
        with pytest.raises(FileNotFoundError):
            await launcher.launch(part(tmp_path, "serve", "nothing"))
        assert 2 == await (await launcher.launch(part(tmp_path, "serve", "nothing"))).wait()
        (second,) = fork_servers()
        assert first.pid != second.pid
