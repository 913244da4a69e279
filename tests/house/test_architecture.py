"""docs/architecture.md names rooms, files, layers and steps that exist, and all rooms and layers that exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.settings import DatabaseSettings
from vestibule.scheduler_service.settings import SchedulerSettings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "vestibule"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
ROOMS = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
SETTINGS = {
    "client_service": ClientSettings,
    "database_service": DatabaseSettings,
    "business_logic_service": BusinessLogicSettings,
    "scheduler_service": SchedulerSettings,
}
# Files that every service has; the page names them as such.
FILES_OF_EVERY_SERVICE = {"settings.py", "main.py"}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _steps() -> list[str]:
    sections = [_section(f"`POST /{route}`, step by step") for route in ("add", "run")]
    return [step for text in sections for step in re.split(r"^\d\. ", text, flags=re.MULTILINE)[1:]]


def _files_named(text: str) -> dict[str, list[str]]:
    """Return the files that a text names, each with the modules of the source whose path ends in it."""
    names = re.findall(r"`([a-z_/]+\.py)`", text)
    return {name: [file for file in FILES if f"/{file}".endswith(f"/{name}")] for name in names}


def _definitions(file: str) -> set[str]:
    """Return the classes, functions and methods that a module defines."""
    found = set()
    for node in ast.parse((SOURCE / file).read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
            functions = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {f"{node.name}.{one.name}" for one in functions}
    return found


def test_every_file_of_the_page_is_one_module() -> None:
    """Each `*.py` that the page names is the end of the path of exactly one module."""
    named = _files_named(PAGE)
    assert len(named) > 20
    faults = {name: files for name, files in named.items() if name not in FILES_OF_EVERY_SERVICE and len(files) != 1}
    assert {} == faults


def test_every_service_has_the_plan_of_the_page() -> None:
    """Each service has `settings.py`, `main.py` and `api/`."""
    services = {room for room in ROOMS if room.endswith("_service")}
    assert set(SETTINGS) == services
    assert services == {room for room in services if (SOURCE / room / "api").is_dir()}
    assert services == {room for room in services if {f"{room}/{file}" for file in FILES_OF_EVERY_SERVICE} <= {*FILES}}


def test_the_table_has_every_room() -> None:
    """The table has each room and no other, and the folders that it names in a room exist there."""
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", _section("Rooms"), re.MULTILINE)
    assert sorted(ROOMS) == sorted(room for room, _ in rows)
    folders = [f"{room}/{folder}" for room, text in rows for folder in re.findall(r"`([a-z_]+)/`", text)]
    assert len(folders) > 20
    assert [] == [folder for folder in folders if not (SOURCE / folder).is_dir()]


def test_the_layers_are_those_of_the_contract() -> None:
    """The page lists the layers that import-linter checks, in their order; the module that runs the program aside."""
    contract = next(one for one in CONTRACTS if one.get("containers") == ["vestibule"])
    listed = re.findall(r"```\n(.*?)\n```", _section("Layers"), re.DOTALL)
    assert [[layer for layer in contract["layers"] if layer != "__main__"]] == [one.splitlines() for one in listed]


def test_the_rooms_without_frameworks_are_those_of_the_contract() -> None:
    """The page names the rooms that a contract keeps free of web frameworks, queue clients and HTTP clients."""
    contract = next(one for one in CONTRACTS if "vestibule.detection" in one.get("source_modules", ()))
    sentence = re.search(r"^(`detection`.*?) import no ", PAGE, re.MULTILINE | re.DOTALL)
    assert sentence
    named = set(re.findall(r"`(\w+)`", sentence[1]))
    assert {module.split(".")[1] for module in contract["source_modules"]} == named
    assert {"fastapi", "celery", "httpx"} <= {*contract["forbidden_modules"]}


@pytest.mark.parametrize("step", _steps(), ids=lambda step: step.split(maxsplit=1)[0])
def test_every_step_exists(step: str) -> None:
    """Each class, method and function of a step is defined in a file that the step names; each folder exists."""
    defined = {name for files in _files_named(step).values() for file in files for name in _definitions(file)}
    classes = re.findall(r"`([A-Z][a-z]\w*(?:\.\w+)?)`", step)
    functions = re.findall(r"`(\w+)\(\)`", step)
    assert set() == {*classes, *functions} - defined
    assert [] == [folder for folder in re.findall(r"`([a-z_/]+)/`", step) if not (SOURCE / folder).is_dir()]


def test_the_diagram_names_what_exists() -> None:
    """Each part of the diagram is a room or a folder of the client service, and each port is the default."""
    diagram = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[0]
    ports = re.findall(r"(\w+_service) :(\d+)", diagram)
    assert sorted((room, str(one.model_fields["port"].default)) for room, one in SETTINGS.items()) == sorted(ports)
    assert f"every {SchedulerSettings.model_fields['probe_interval_s'].default:.0f} s" in diagram
    parts = re.findall(r"(?<!\()\[(\w+)(?:\]|: )", diagram)
    assert len(parts) > 5
    assert [] == [
        part for part in parts if not (SOURCE / part).is_dir() and not (SOURCE / "client_service" / part).is_dir()
    ]
