"""What became of the rules of a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from vestibule.detection.rule_files.document import FileRule
from vestibule.detection.rule_files.reading import UnreadableRules, describe

Table = Mapping[str, Any]
_NO_NAME = re.compile(r"[^A-Z0-9]+")
MAX_ENTITY_CHARS = 64


class ImportOutcome(StrEnum):
    """What became of a rule: it is in the file, a built-in detector does its work, or it is refused."""

    TAKEN = "taken"
    BUILT_IN = "built-in"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One rule: its name in the original, its entity, and the reason of a refusal or what is different here."""

    name: str
    outcome: ImportOutcome
    entity: str | None = None
    note: str | None = None


class RuleRefused(ValueError):
    """A rule cannot be taken; the message is the reason."""


@dataclass(slots=True)
class Imported:
    """The rules of a file: what became of each, and the document of the rule file; `notes` are about the file."""

    source: str
    outcomes: list[RuleOutcome] = field(default_factory=list)
    rules: list[Table] = field(default_factory=list)
    allow: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def take(self, rule: Table, notes: Sequence[str] = ()) -> None:
        """Take a rule of the form of a rule file, or refuse it where it is invalid there."""
        try:
            FileRule.model_validate(rule)
        except ValidationError as error:
            self.refuse(str(rule["name"]), reason_of(error))
            return
        if rule["name"] in self._names:
            self.refuse(rule["name"], "another rule has its name")
            return
        self._names.add(rule["name"])
        self.rules.append(rule)
        self.outcomes.append(RuleOutcome(rule["name"], ImportOutcome.TAKEN, rule["entity"], "; ".join(notes) or None))

    def refuse(self, name: str, reason: str) -> None:
        """Refuse a rule."""
        self.outcomes.append(RuleOutcome(name, ImportOutcome.REFUSED, note=reason))

    @property
    def document(self) -> Table:
        """The rule file."""
        return {"format": 1, "source": self.source, "allow": self.allow, "rules": self.rules}

    def count(self, outcome: ImportOutcome) -> int:
        """Return the number of rules with an outcome."""
        return sum(one.outcome is outcome for one in self.outcomes)


def reason_of(error: ValidationError) -> str:
    """Return why a rule is refused, in one sentence without what stands in it."""
    return describe(error).replace("Value error, ", "")


def entity_of(name: str) -> str:
    """Return the entity that a rule names: `acme-api-key` finds `ACME_API_KEY`.

    Raises:
        RuleRefused: nothing of the name can be one.
    """
    entity = _NO_NAME.sub("_", name.upper()).strip("_")
    if not entity:
        raise RuleRefused("its name has no letter or digit")
    # An entity begins with a letter.
    entity = entity if entity[0].isalpha() else f"RULE_{entity}"
    if len(entity) > MAX_ENTITY_CHARS:
        raise RuleRefused(f"its name is longer than {MAX_ENTITY_CHARS} characters")
    return entity


def text_of(table: Table, name: str, default: str | None = None) -> str | None:
    """Return a member that is a text; `default` where there is none. Raises: RuleRefused."""
    found = table.get(name)
    if found is None:
        return default
    if not isinstance(found, str):
        raise RuleRefused(f"`{name}` is not a text")
    return found


def texts_of(table: Table, name: str) -> list[str]:
    """Return a member that is a list of texts. Raises: RuleRefused."""
    found = table.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RuleRefused(f"`{name}` is not a list of texts")
    return found


def number_of(table: Table, name: str, default: float) -> float:
    """Return a member that is a number. Raises: RuleRefused."""
    found = table.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise RuleRefused(f"`{name}` is not a number")
    return found


def tables_of(table: Table, name: str) -> list[Table]:
    """Return a member that is a list of tables, or one table. Raises: RuleRefused."""
    found = table.get(name)
    if found is None:
        return []
    tables = [found] if isinstance(found, Mapping) else found
    if not isinstance(tables, list) or not all(isinstance(one, Mapping) for one in tables):
        raise RuleRefused(f"`{name}` is not a list of tables")
    return tables


def require_unique(names: Sequence[str]) -> None:
    """Raise `UnreadableRules` where a name stands twice: which of the two counts is not ours to say."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UnreadableRules(f"two rules have the id {name!r:.80}")
        seen.add(name)
