"""Plug-ins are found by their place."""

import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from vestibule.runtime import plugins
from vestibule.runtime.plugins import CannotLoad, discover, load_folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package with two plug-ins."""
    folder = tmp_path / "sample_plugins"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "beta.py").write_text("PLUGIN = 'b'")
    (folder / "alpha.py").write_text("PLUGIN = 'a'")
    (folder / "notes.txt").write_text("not a module")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("sample_plugins")
    for name in [name for name in sys.modules if name.partition(".")[0] == "sample_plugins"]:
        del sys.modules[name]


def test_every_module_of_the_folder_is_found(package: ModuleType) -> None:
    """Modules come by name and in order, whatever else lies in the folder."""
    assert [("alpha", "a"), ("beta", "b")] == list(discover(package, "PLUGIN").items())


def test_a_module_that_offers_nothing_is_named(package: ModuleType) -> None:
    """Whoever forgets the attribute is told in which module."""
    (Path(package.__path__[0]) / "gamma.py").write_text("PLUGGED = 'c'")
    with pytest.raises(AttributeError, match=r"sample_plugins\.gamma"):
        discover(package, "PLUGIN")


ANNOTATED = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Step:
    following: Step | None = None

PLUGIN = Step(Step())
"""


def test_an_own_folder_offers_its_python_files(tmp_path: Path) -> None:
    """Each by name, as a module like any other; what editors and systems leave beside them is none."""
    for name in ("beta.py", "alpha.py"):
        (tmp_path / name).write_text(ANNOTATED)
    for name in ("_shared.py", ".alpha.py", "._beta.py", "beta.py~"):
        (tmp_path / name).write_text("raise RuntimeError")
    loaded = dict(load_folder(tmp_path, "samples"))
    assert [tmp_path / "alpha.py", tmp_path / "beta.py"] == list(loaded)
    assert ["vestibule_own_samples.alpha", "vestibule_own_samples.beta"] == [one.__name__ for one in loaded.values()]
    assert all(one.PLUGIN.following.following is None for one in loaded.values())
    assert [] == list(load_folder(None, "samples"))


ENDS_THE_PROGRAM = ("import sys; sys.exit(0)", "raise KeyboardInterrupt", "class E(BaseException): pass\nraise E")


@pytest.mark.parametrize("source", ["1/0", "def", "import nothing_of_that_name", *ENDS_THE_PROGRAM])
def test_an_own_file_that_fails_is_named_and_leaves_nothing(tmp_path: Path, source: str) -> None:
    """Whoever wrote it reads which file it is and what went wrong, and half a module is not to be imported."""
    (tmp_path / "failing.py").write_text(source)
    with pytest.raises(CannotLoad, match=r"failing\.py cannot be imported: [A-Z]\w*: "):
        list(load_folder(tmp_path, "samples"))
    assert "vestibule_own_samples.failing" not in sys.modules


def test_an_own_file_that_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import of an endless loop is given up, and the alarm is off afterwards."""
    monkeypatch.setattr(plugins, "IMPORT_TIMEOUT_S", 0.05)
    (tmp_path / "endless.py").write_text("while True: pass")
    with pytest.raises(CannotLoad, match=r"endless\.py cannot be imported: TimeoutError: .* 0\.05 seconds"):
        list(load_folder(tmp_path, "samples"))
    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_REAL)


def test_an_own_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """A wrong path is no empty folder."""
    with pytest.raises(CannotLoad, match="nowhere is not a folder of samples"):
        list(load_folder(tmp_path / "nowhere", "samples"))
