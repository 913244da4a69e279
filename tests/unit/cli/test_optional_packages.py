"""What libraries load without need stays out of the parts of the system."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from vestibule.cli.program import UNUSED, without_packages

# What `vestibule serve` and `vestibule worker` load for each part.
PARTS = {
    "client": "vestibule.client_service.main",
    "database": "vestibule.database_service.main",
    "business-logic": "vestibule.business_logic_service.main",
    "scheduler": "vestibule.scheduler_service.main",
    "worker": "vestibule.worker.worker",
}
LOAD = """
import importlib, json, sys
from vestibule.cli.program import UNUSED, without_packages
with without_packages(*UNUSED):
    importlib.import_module("vestibule.service_kit.http.server")
    importlib.import_module(sys.argv[1])
loaded = sorted(sys.modules)
for name in UNUSED:
    importlib.import_module(name)
print(json.dumps(loaded))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that is installed and not loaded, with a module in it."""
    name = "installed_for_a_test"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "part.py").write_text("IS_LOADED = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, f"{name}.part", raising=False)
    return name


def loaded_with(module: str) -> set[str]:
    """Return the names of all modules of a process that has loaded a part."""
    done = subprocess.run([sys.executable, "-c", LOAD, module], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_a_package_is_missing_for_a_time_and_there_afterwards(package):
    """Its import fails as that of a package which is not installed; an error meanwhile changes nothing afterwards."""
    with pytest.raises(ModuleNotFoundError), without_packages(package):
        import_module(f"{package}.part")
    assert import_module(f"{package}.part").IS_LOADED


def test_a_part_of_a_package_can_be_missing(package):
    """The rest of it is there."""
    with without_packages(f"{package}.part"):
        import_module(package)
        with pytest.raises(ModuleNotFoundError):
            import_module(f"{package}.part")


def test_a_package_that_is_loaded_stays(package):
    """Who has it already goes on with it."""
    loaded = import_module(package)
    with without_packages(package):
        assert loaded is import_module(package)
    assert loaded is sys.modules[package]


@pytest.mark.parametrize("module", PARTS.values(), ids=PARTS.keys())
def test_no_part_loads_what_it_does_not_use(module):
    """Each can be loaded without, and what it did not load can be loaded later."""
    loaded = loaded_with(module)
    assert module in loaded
    assert set() == loaded & {*UNUSED, "pygments"}


def test_the_template_engine_is_loaded_with_the_first_page():
    """Only the scheduler, whose status page people keep open, has it from the beginning."""
    assert "jinja2" not in loaded_with(PARTS["client"])
