"""Names are the field's standard terms: unique, and no metaphors."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.test_logged_events import _documented

from vestibule.service_kit.metrics.catalogue import CATALOGUE
from vestibule.service_kit.problem_types import PROBLEM_TYPES

SOURCE = Path(__file__).parents[2] / "src" / "vestibule"
MODULES = sorted(SOURCE.rglob("*.py"))
METAPHORS = frozenset(
    {
        *("announcement", "bell", "book", "books", "carrier", "chronicle", "desk", "door", "doors", "duties", "duty"),
        *("entrance", "equipment", "errand", "express", "folding", "gate", "gates", "gathering", "guest", "herald"),
        *("hindered", "journal", "journey", "judge", "judged", "judgement", "keeper", "lane", "lanes", "lexicon"),
        *("means", "memory", "outfit", "patience", "patient", "postman", "reception", "rota", "seal", "sealed"),
        *("seals", "storm", "storms", "stranger", "strangers", "surroundings", "teller", "tellers", "telling"),
        *("told", "treatment", "unseal", "visitor", "walk", "walks", "wanting", "watchbook", "witness", "wording"),
    }
)
# Words of the list that are the field's own term where they stand.
ALLOWED = {
    "memory": "the module of a store or ledger that keeps its content in RAM",
    "MemoryStore": "keeps entries in RAM",
    "worker_max_memory_mb": "a limit of RAM, named as Celery names it",
    "process_resident_memory_bytes": "RAM, in the name that Prometheus's clients share",
    "vestibule_redis_memory_bytes": "RAM, as Redis names it",
    "vestibule_redis_max_memory_bytes": "a limit of RAM, as Redis names it",
}


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _words(name: str) -> set[str]:
    """Split snake_case, kebab-case and CamelCase."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)}


def _settings() -> Iterator[str]:
    for path in MODULES:
        for node in _classes(path):
            if node.name.endswith("Settings"):
                yield from (ast.unparse(field.target) for field in node.body if isinstance(field, ast.AnnAssign))


NAMES = {
    "modules and packages": {part for path in MODULES for part in path.relative_to(SOURCE).with_suffix("").parts},
    "public classes": {node.name for path in MODULES for node in _classes(path)},
    "problem slugs": set(PROBLEM_TYPES),
    "settings": set(_settings()),
    "log events": set(_documented()),
    "metrics": {metric.name for metric in CATALOGUE},
}


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_no_name_is_a_metaphor(kind: str) -> None:
    """Names are words that an engineer would search for."""
    assert len(NAMES[kind]) > 20
    found = {name: sorted(_words(name) & METAPHORS) for name in NAMES[kind] - ALLOWED.keys()}
    assert {} == {name: words for name, words in found.items() if words}


def test_every_exception_is_needed() -> None:
    """A name that is gone leaves the list of exceptions."""
    assert set() == ALLOWED.keys() - {name for names in NAMES.values() for name in names}


def test_words_are_split_at_every_boundary() -> None:
    """A metaphor is found in every style of name."""
    assert {"task", "desk"} == _words("task_desk") == _words("TaskDesk") == _words("task-desk")
    assert {"http", "door", "s"} == _words("HTTPDoor_s")


def test_no_public_class_name_stands_twice() -> None:
    """A class name belongs to one module.

    The client library is a room of its own there: its results have the names that things have in the API, and one half
    of it is made of the other.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        room = path.relative_to(SOURCE).parts
        for node in _classes(path):
            if room[:2] != ("client", "synchronous"):
                places[f"{'client: ' * (room[0] == 'client')}{node.name}"].append("/".join(room))
    assert {} == {name: paths for name, paths in places.items() if len(paths) > 1}
