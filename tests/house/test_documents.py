"""What the documents name exists, and what exists is named."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from typer.main import get_command
from typer.testing import CliRunner

from vestibule.cli.frame.tree import expand
from vestibule.cli.main import app as program
from vestibule.service_kit.openapi.problem_pages import problem_reference
from vestibule.service_kit.problem_types import PROBLEM_TYPES

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
# Passed between processes of ours; nobody sets it.
INTERNAL_VARIABLES = {"VESTIBULE_PARENT_PID", "VESTIBULE_TERMINAL_LEVEL"}
# Routes of the framework, which the description of the API does not describe.
OTHER_ROUTES = {"/docs", "/openapi.json", "/healthz"}
MAX_SETTINGS = 107
UNITS = {"_S": "second", "_MS": "millisecond", "_DAYS": "days", "_BYTES": "bytes", "_MB": "mb"}
METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def _variables() -> dict[str, str]:
    """Return the options that `vestibule config` lists, with their meaning."""
    listed = CliRunner().invoke(program, ["config", "--json"])
    return {option["variable"]: option["description"] for option in json.loads(listed.stdout)}


@pytest.fixture(scope="module")
def routes(apps: dict[str, FastAPI]) -> set[str]:
    """Every path of every service."""
    return OTHER_ROUTES | {path for app in apps.values() for path in app.openapi()["paths"]}


def _known(variable: str) -> bool:
    # `..._NAME` stands for any option that begins so.
    begun = variable.endswith("__NAME") and any(name.startswith(variable[:-4]) for name in _variables())
    return begun or variable in _variables().keys() | INTERNAL_VARIABLES


@every_document
def test_a_document_names_variables_that_exist(document: Path) -> None:
    """Every `VESTIBULE_...` of a document is an option."""
    named = set(re.findall(r"\bVESTIBULE_[A-Z0-9_]*[A-Z0-9]\b", document.read_text()))
    assert [] == sorted(variable for variable in named if not _known(variable))


def test_the_program_names_variables_that_are_listed() -> None:
    """Every `VESTIBULE_...` of the code is an option that `vestibule config` lists."""
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"\bVESTIBULE_[A-Z0-9_]*[A-Z0-9]\b", text)}
    assert [] == sorted(variable for variable in named if not _known(variable))


def test_every_listed_option_has_a_meaning() -> None:
    """The table of options is complete."""
    assert len(_variables()) > 20
    assert [] == [variable for variable, meaning in _variables().items() if not meaning.strip()]


def test_a_setting_that_is_measured_says_in_what() -> None:
    """The unit that a variable ends in stands in its description, which is one sentence."""
    variables = _variables()
    assert variables
    for variable, meaning in variables.items():
        unit = next((word for end, word in UNITS.items() if variable.endswith(end)), "")
        assert unit in meaning.lower(), variable
        assert not re.search(r"[a-z]\. [A-Z]", meaning), variable


def test_the_settings_do_not_grow_unnoticed() -> None:
    """A new setting replaces another, or raises this number on purpose: most things are better as a constant."""
    assert len(_variables()) <= MAX_SETTINGS


def _without_names(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "{}", path)


@every_document
def test_a_document_names_routes_that_exist(document: Path, routes: set[str]) -> None:
    """Every `GET /...` and every address of a curl line is a route of some service."""
    text = document.read_text()
    named = set(re.findall(r"\b(?:GET|POST|PUT|PATCH|DELETE) `?(/[a-z_/{}-]+)", text))
    named |= set(re.findall(r"(?:localhost|127\.0\.0\.1):\d+(/[a-z_]+)", text))
    known = {_without_names(path) for path in routes} | {"/" + path.split("/")[1] for path in routes}
    assert [] == sorted(path for path in named if _without_names(path.rstrip("/")) not in known)


def test_every_route_of_the_door_is_in_the_readme(apps: dict[str, FastAPI]) -> None:
    """Who reads the README knows what the door can do; health, metrics and problems, which every service has, aside."""
    readme = (ROOT / "README.md").read_text()
    paths = {"/" + path.split("/")[1] for path in apps["client"].openapi()["paths"]}
    shared = {"/health", "/readyz", "/metrics", "/problems"}
    assert [] == sorted(path for path in paths - shared if not re.search(rf"{path}\b", readme))


@every_document
def test_a_document_links_to_what_exists(document: Path) -> None:
    """No link between the documents leads nowhere."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [] == [target for target in local if not (document.parent / target).exists()]


@every_document
def test_a_document_names_commands_that_exist(document: Path) -> None:
    """Every `vestibule VERB` and every `make TARGET` of a document can be typed."""
    text = document.read_text()
    code = " \n ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    verbs = set(re.findall(r"(?:^|[`\s$/])vestibule ([a-z][a-z-]*)", code))
    targets = set(re.findall(r"(?:^|[`\s$])make ([a-z][a-z-]*)", code))
    makefile = (ROOT / "Makefile").read_text()
    commands = set(getattr(get_command(program), "commands", {}))
    assert [] == sorted(verbs - commands)
    assert [] == sorted(target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE))


@every_document
def test_a_document_shows_commands_as_they_can_be_typed(document: Path) -> None:
    """Every sub-command and every option of a command line in a document exists."""
    blocks = re.findall(r"```.*?```", document.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(vestibule [^`\n]+)`", re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL))
    typed = [
        words for line in lines for words in re.findall(r"(?:^|[\s/])vestibule ([a-z].*?)(?=$|[#>]|\s\|| && )", line)
    ]
    assert [] == [fault for words in typed for fault in _faults_of(words.split())]


def _faults_of(words: list[str]) -> Iterator[str]:
    command: Any = get_command(program)
    for word in expand(words):
        if word.startswith("--"):
            options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0].rstrip("`,.;:)") not in options | {"--help"}:
                yield f"{command.name} {word}"
        # What has several names in a document, such as `db check|backup`, is looked at by its first word alone.
        elif hasattr(command, "commands") and re.fullmatch(r"[a-z-]+", word):
            if word not in command.commands:
                # `task ID` shows one: the group has a word of its own then.
                yield f"{command.name} {word}"
                return
            command = command.commands[word]


def _operations(apps: dict[str, FastAPI]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return path, method and description of each operation of each service."""
    operations = [
        (path, method, operation)
        for app in apps.values()
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 50
    return operations


def test_every_service_is_described(apps: dict[str, FastAPI]) -> None:
    """Each route says what it does, and each guarded one which problems it answers with."""
    for path, method, operation in _operations(apps):
        assert method in METHODS
        assert operation["description"].strip(), path
        refusals = {"401", "403", "429"} & operation["responses"].keys()
        assert ({"401", "403", "429"} if "security" in operation else set()) == refusals, path


def test_every_problem_is_described_as_it_is_sent(apps: dict[str, FastAPI]) -> None:
    """Every refusal in the description is a problem document; the framework's own form stands nowhere."""
    assert [] == [name for name, app in apps.items() if "HTTPValidationError" in json.dumps(app.openapi())]
    for path, _method, operation in _operations(apps):
        refusals = [answer for status, answer in operation["responses"].items() if status >= "400"]
        # Clients of other projects read errors in their form.
        form = "application/json" if path.startswith("/presidio/") else "application/problem+json"
        assert all([form] == list(answer["content"]) for answer in refusals)


def test_everything_in_the_description_has_an_example(apps: dict[str, FastAPI]) -> None:
    """Each parameter, body, answer and problem of each route shows what it looks like; nothing is left to guess."""
    for path, _method, operation in _operations(apps):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"].strip(), (path, parameter["name"])
            assert "…" != parameter["example"], (path, parameter["name"])
        described = [operation.get("requestBody", {}), *operation["responses"].values()]
        bodies = [
            one["content"]["application/json"] for one in described if "application/json" in one.get("content", {})
        ]
        assert [] == [body for body in bodies if '"…"' in json.dumps(body["example"], ensure_ascii=False)], path


def test_every_problem_in_the_description_is_one_of_its_status(apps: dict[str, FastAPI]) -> None:
    """The documents that a route shows for a status have that status, and the type by which they are named."""
    for path, _method, operation in _operations(apps):
        for status, answer in operation["responses"].items():
            problems = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            assert problems or "default" == status or status < "400" or path.startswith("/presidio/")
            for slug, one in problems.items():
                expected = (int(status), f"/problems/{slug}", one["summary"])
                assert expected == (one["value"]["status"], one["value"]["type"], one["value"]["title"])


def test_the_reference_of_problem_types_is_the_table() -> None:
    """`docs/problems.md` is what `python -m vestibule.service_kit.openapi.problem_pages` prints."""
    assert problem_reference() == (ROOT / "docs" / "problems.md").read_text()


def test_every_problem_in_the_description_leads_to_its_page(apps: dict[str, FastAPI]) -> None:
    """Each example of a problem links to a page that the table of problem types has."""
    for _path, _method, operation in _operations(apps):
        for answer in operation["responses"].values():
            problems = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            for slug, one in problems.items():
                assert PROBLEM_TYPES[slug].uri == one["value"]["type"]
                assert f"({PROBLEM_TYPES[slug].uri})" in one["description"]
