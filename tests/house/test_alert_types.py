"""Every alert type is raised by the code and described in docs/alerts.md, and no other is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from vestibule.alerts.alert import ALERT_TYPES, DOCUMENTATION, AlertType, runbook_of

ROOT = Path(__file__).parents[2]
DECLARATIONS = {"alert.py"}
MODULES = sorted(path for path in (ROOT / "src").rglob("*.py") if path.name not in DECLARATIONS)
RAISING = {"Alert", "raise_alert", "_raise_channel_alert"}


def _raised_types(tree: ast.Module) -> Iterator[str]:
    """Yield the types that raising calls of a module take: as they stand, from a variable or from a function of it."""
    values: dict[str, list[ast.AST]] = {}
    calls = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in ast.walk(node.targets[0]):
                values.setdefault(getattr(target, "id", ""), []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            values.setdefault(node.name, []).extend(one for one in ast.walk(node) if isinstance(one, ast.Return))
        elif isinstance(node, ast.Call) and _name_of(node.func) in RAISING:
            calls.append(node)
    for call in calls:
        for taken in (*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "type")):
            source = taken.func if isinstance(taken, ast.Call) else taken
            for value in (taken, *values.get(_name_of(source), ())):
                yield from (node.attr for node in ast.walk(value) if _is_alert_type(node))


def _name_of(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def _is_alert_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and _name_of(node.value) == "AlertType"


def test_every_alert_type_is_raised() -> None:
    """Each type is an argument of a call that raises an alert."""
    raised = {name for path in MODULES for name in _raised_types(ast.parse(path.read_text()))}
    assert {alert_type.name for alert_type in AlertType} == raised


def test_the_document_has_the_table_of_alert_types() -> None:
    """docs/alerts.md has each type with its meaning, its severity and the type that it resolves, and no other."""
    section = (ROOT / "docs" / "alerts.md").read_text().split("\n## Types\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (\w+) \| (?:`(\w+)`)? ?\|$", section, re.MULTILINE)
    declared = [(name, kind.meaning, kind.severity, kind.resolves or "") for name, kind in ALERT_TYPES.items()]
    assert declared == rows


def test_every_type_has_a_runbook() -> None:
    """The link of each notification leads to a section of docs/alerts.md, and each section is about a type."""
    section = (ROOT / "docs" / "alerts.md").read_text().split("\n## Runbooks\n", 1)[1].split("\n## ", 1)[0]
    books = re.findall(r"^### (\w+)$", section, re.MULTILINE)
    assert [f"{DOCUMENTATION}/alerts.md#{name.lower()}" for name in books] == [runbook_of(one) for one in AlertType]
    assert all(len(text.strip().splitlines()) > 1 for text in re.split(r"^### \w+$", section, flags=re.MULTILINE)[1:])
