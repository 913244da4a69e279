"""The tree of commands: each name leads to a command, and the help says of each what the command says."""

import inspect
import re
from importlib import import_module
from typing import Any

import pytest
from typer.testing import CliRunner

from vestibule.cli.frame.noun import Noun, examples_of
from vestibule.cli.frame.tree import FORMER_NAMES, PLACES, PLURALS, ROOM, SHORT_NAMES, expand, make_tree
from vestibule.cli.main import app

COMMANDS = make_tree()
# Those of the documented surface.
SHORT = [
    *("up", "serve", "worker", "plan", "config", "add", "run", "message", "read", "task", "scan", "alerts", "logs"),
    "status",
]


def _target(name: str) -> Any:
    module, _, attribute = PLACES[name].target.partition(":")
    return getattr(import_module(ROOM + module), attribute)


FUNCTIONS = [name for name in PLACES if inspect.isfunction(_target(name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_help_of_the_program_says_what_the_command_says(name: str) -> None:
    """The table of places repeats the beginning of the docstring, so that no help has to load it."""
    assert (inspect.getdoc(_target(name)) or "").startswith(PLACES[name].sentence.removesuffix("."))


@pytest.mark.parametrize("name", [*SHORT_NAMES, *PLURALS, *FORMER_NAMES])
def test_another_name_leads_to_a_command(name: str) -> None:
    """Also with what follows."""
    noun, *verb = expand([*name.split(), "--json"])
    assert noun in PLACES
    assert "--json" == verb[-1]
    assert set(verb[:1]) <= {"list", *COMMANDS[noun].commands}


@pytest.mark.parametrize("name", SHORT)
def test_the_documented_names_can_be_typed(name: str) -> None:
    """Each has a help."""
    shown = CliRunner().invoke(app, [name, "--help"])
    assert (0, True) == (shown.exit_code, "Usage:" in shown.stdout)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("add note hello", "entry add note hello"),
        ("tasks", "task list"),
        ("alerts --limit 5", "alert list --limit 5"),
        ("alerts ack ID", "alert ack ID"),
        ("dead list --json", "task list --state dead --json"),
        ("entry add list x", "entry add list x"),
        ("unknown add", "unknown add"),
        ("", ""),
    ],
)
def test_names_are_expanded_at_the_beginning_alone(words: str, expected: str) -> None:
    """What follows is the caller's."""
    assert expected.split() == expand(words.split())


def test_every_noun_and_verb_of_the_new_kind_has_examples() -> None:
    """And each example begins with the program."""
    nouns = {name: _target(name) for name in PLACES if isinstance(_target(name), Noun)}
    groups = {name: noun.command(name, PLACES[name].sentence) for name, noun in nouns.items()}
    examples = {name: examples_of(group) for name, group in groups.items()}
    for name, group in groups.items():
        examples |= {f"{name} {verb}": examples_of(command) for verb, command in group.commands.items()}
    assert len(examples) > 30
    assert [] == [name for name, lines in examples.items() if not lines]
    assert [] == [line for lines in examples.values() for line in lines if not re.search(r"(^|\| )vestibule ", line)]


def test_every_help_begins_with_one_sentence() -> None:
    """The list of verbs shows it; what exit codes say follows after an empty line."""
    nouns = [name for name in PLACES if isinstance(_target(name), Noun)]
    helps = {
        f"{name} {verb}": (inspect.getdoc(made.function) or "").partition("\n\n")[0]
        for name in nouns
        for verb, made in _target(name).verbs.items()
    }
    assert len(helps) > 30
    assert {} == {name: text for name, text in helps.items() if not re.fullmatch(r"[A-Z](?!.*\. [A-Z]).*\.", text)}


def test_a_misspelt_command_is_named_with_its_nearest() -> None:
    """With the exit code of wrong usage."""
    refused = CliRunner().invoke(app, ["entri", "list"])
    assert (2, True) == (refused.exit_code, "'entry'" in refused.output)


def test_an_id_in_place_of_a_verb_means_show() -> None:
    """A misspelt verb does not."""
    asked = CliRunner().invoke(app, ["task", "88e00654-eccf-49fb-841b-900deeadcab9", "--help"])
    assert "vestibule task show" in " ".join(asked.stdout.split()).replace("root", "vestibule")
    assert 2 == CliRunner().invoke(app, ["task", "lst"]).exit_code
