"""Plug-ins are found by their place."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from vestibule.discovery import discover


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
