"""A detector, a channel, a processor or a store is added by adding one file, and nothing else is touched."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DETECTOR = '''
"""Numbers of tickets."""

from vestibule.detection.rules import Detector, Rule

DETECTOR = Detector(
    entity="TICKET_NUMBER",
    rules=(Rule(name="number", pattern=r"TCK-[0-9]{6}", score=0.9, anchors=("tck-",)),),
    examples=("see [[TCK-123456]]",),
    counter_examples=("see TCK-12",),
    sources=("the ticket system's manual",),
)
'''
USE_DETECTOR = """
from vestibule.detection import Scanner
print([tuple(finding)[:3] for finding in Scanner.from_settings().scan("see TCK-123456")])
"""

CHANNEL = '''
"""Alerts as single files of one line."""

import json
from dataclasses import asdict
from pathlib import Path

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind
from vestibule.alerts.settings import AlertSettings


class Pigeon:
    """Writes one file an alert."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, alert: Alert) -> None:
        """Write the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = {name: value for name, value in asdict(alert).items() if value is not None}
        (self._folder / alert.id).write_text(json.dumps(parts, default=str))


def build(settings: AlertSettings) -> Pigeon:
    """Return the channel."""
    return Pigeon(settings.data_dir / "pigeons")


CHANNEL = ChannelKind("pigeon", "A bird an alert.", build)
'''
USE_CHANNEL = """
import asyncio, tempfile
from pathlib import Path
from vestibule.alerts import AlertSettings, AlertType, build_alert_engine
with tempfile.TemporaryDirectory() as folder:
    engine = build_alert_engine("client", AlertSettings(data_dir=Path(folder), alert_channels=["pigeon"]))
    alert = asyncio.run(engine.raise_alert(AlertType.SECRET, "It."))
    print([path.name == alert.id for path in (Path(folder) / "pigeons").iterdir()])
"""

PROCESSOR = '''
"""Text from its end."""


class Reverse:
    """Turns the text around."""

    name = "reverse"
    description = "Turns the text around."
    examples = (("abc", "cba"), ("", ""))

    def process(self, data: str) -> str:
        """Return `data` from its end."""
        return data[::-1]


PROCESSOR = Reverse()
'''
USE_PROCESSOR = """
from vestibule.processing import ProcessorRegistry
print(ProcessorRegistry.discover().process("reverse", "hello"))
"""

STORE = '''
"""A store under another scheme."""

from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.entries.store import StoreKind
from vestibule.database_service.entries.memory import MemoryStore


def build(settings: DatabaseSettings) -> MemoryStore:
    """Return the store."""
    return MemoryStore()


STORE = StoreKind("drawer", "A drawer.", build)
'''
USE_STORE = """
import asyncio
from vestibule.database_service.entries.store import Write
from vestibule.database_service.main import build_store
from vestibule.database_service.settings import DatabaseSettings

async def main():
    async with build_store(DatabaseSettings(database_url="drawer:")) as store:
        await store.write(Write("a", "hello"))
        print((await store.read("a")).value)

asyncio.run(main())
"""
# Of each kind: its one file, a program that uses it with what that prints, and its tests among the conformance tests.
KINDS = {
    "detector": (
        "detection/detectors/ticket_number.py",
        DETECTOR,
        USE_DETECTOR,
        "[('TICKET_NUMBER', 4, 14)]",
        ("test_detectors.py", "ticket_number"),
    ),
    "channel": ("alerts/channels/pigeon.py", CHANNEL, USE_CHANNEL, "[True]", ("test_channels.py", "pigeon")),
    "processor": (
        "processing/processors/reverse.py",
        PROCESSOR,
        USE_PROCESSOR,
        "olleh",
        ("test_processors.py", "reverse"),
    ),
    "store": ("database_service/entries/stores/drawer.py", STORE, USE_STORE, "hello", ("test_stores.py", "drawer")),
}
Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Return what runs Python with a copy in place of the package, to which one file of each kind was added."""
    package = tmp_path_factory.mktemp("copy") / "vestibule"
    shutil.copytree(ROOT / "src" / "vestibule", package, ignore=shutil.ignore_patterns("__pycache__"))
    for place, file, *_ in KINDS.values():
        assert not (package / place).exists()
        (package / place).write_text(file.lstrip())
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": str(package.parent / "cache")}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
        )

    return run


@pytest.fixture(scope="module")
def conformance(python: Python) -> list[str]:
    """The lines that the conformance tests of the new ones print, one a test."""
    files = [f"tests/conformance/{file}" for *_, (file, _name) in KINDS.values()]
    names = " or ".join(name for *_, (_file, name) in KINDS.values())
    ended = python("-m", "pytest", *files, "-v", "--no-header", "-p", "no:cacheprovider", "-k", names)
    assert 0 == ended.returncode, ended.stdout
    return ended.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_new_file_is_all_it_takes(python: Python, conformance: list[str], kind: str) -> None:
    """The new one works, and the conformance tests hold it to what all of its kind promise."""
    _place, _file, use, expected, (test_file, name) = KINDS[kind]
    used = python("-c", use)
    assert (0, expected) == (used.returncode, used.stdout.strip()), used.stderr
    outcomes = [line.split()[1] for line in conformance if re.match(rf"tests/conformance/{test_file}::.*{name}", line)]
    assert {"PASSED"} == set(outcomes), conformance
