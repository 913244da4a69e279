"""Rules of gitleaks, a TOML file.

Source: config/config.go, config/allowlist.go and detect/detect.go of gitleaks/gitleaks at commit b58d3f10. Its
expressions are those of Go, which RE2 defines, and are taken as they are. A text has no path and no commit here: rules
and lists for these alone have nothing to do.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from vestibule.detection.importing.imported import (
    Imported,
    RuleRefused,
    Table,
    entity_of,
    number_of,
    reason_of,
    require_unique,
    tables_of,
    text_of,
    texts_of,
)
from vestibule.detection.rule_files.document import MAX_RULES, AllowList
from vestibule.detection.rule_files.linear_rule import FIRST_GROUP
from vestibule.detection.rule_files.reading import UnreadableRules, parse_toml

# As sure as a key of a known form, and less than a built-in detector that finds the same.
SCORE = 0.9
# As there, what another rule finds too has the name of that rule.
GENERIC, GENERIC_SCORE = "generic", 0.7
_TARGETS = {"": "value", "secret": "value", "match": "match", "line": "line"}
_NEEDS_ALL = {"": False, "OR": False, "||": False, "AND": True, "&&": True}
# Rules of gitleaks need four.
MAX_LEVELS = 20
_GLOBAL = "the allow list of the file"


def import_gitleaks(name: str, text: str) -> Imported:
    """Return what became of each rule of a file of gitleaks.

    Raises:
        UnreadableRules: the file is no such file, or has an id twice.
    """
    document = _lower_case(parse_toml(name, text))
    imported = Imported(f"{name} of gitleaks")
    try:
        rules = tables_of(document, "rules")
        lists = [*tables_of(document, "allowlist"), *tables_of(document, "allowlists")]
        _note_extensions(document, imported)
        targeted = _take_lists(lists, imported)
    except RuleRefused as refused:
        raise UnreadableRules(f"{name}: {refused}") from refused
    if not rules or len(rules) > MAX_RULES:
        raise UnreadableRules(f"{name} has {'no' if not rules else f'more than {MAX_RULES:,}'} rules")
    require_unique([rule["id"] for rule in rules if isinstance(rule.get("id"), str)])
    for number, rule in enumerate(rules, 1):
        label = rule.get("id")
        shown = label if isinstance(label, str) and label.strip() else f"rule {number}"
        try:
            imported.take(*_rule(rule, targeted.get(shown, [])))
        except RuleRefused as refused:
            imported.refuse(shown, str(refused))
    return imported


def _lower_case(table: Any, levels: int = MAX_LEVELS) -> Any:
    """Return a document with its names in lower case, as gitleaks reads them in any. Raises: UnreadableRules."""
    if not levels:
        raise UnreadableRules("the file is nested too deeply")
    if isinstance(table, Mapping):
        return {str(name).lower(): _lower_case(member, levels - 1) for name, member in table.items()}
    if isinstance(table, list):
        return [_lower_case(one, levels - 1) if isinstance(one, Mapping) else one for one in table]
    return table


def _note_extensions(document: Table, imported: Imported) -> None:
    for extend in tables_of(document, "extend"):
        if extend.get("usedefault") is True:
            imported.notes.append("The file extends the defaults of gitleaks, which are not in it: import them, too.")
        if path := text_of(extend, "path"):
            imported.notes.append(f"The file extends {path}, which is not read: import it, too.")
        if disabled := texts_of(extend, "disabledrules"):
            imported.notes.append(f"Rules of the file that it extends are off there: {', '.join(disabled)}.")


def _take_lists(lists: list[Table], imported: Imported) -> dict[str, list[Table]]:
    """Take the allow lists for all rules; return those for single ones by their ids."""
    targeted: dict[str, list[Table]] = {}
    for one in lists:
        taken, notes = _allow_list(one)
        targets = texts_of(one, "targetrules")
        imported.notes += [f"{_GLOBAL}: {note}" for note in notes]
        for target in targets if taken else []:
            targeted.setdefault(target, []).append(taken or {})
        if taken and not targets:
            try:
                AllowList.model_validate(taken)
            except ValidationError as error:
                raise RuleRefused(f"{_GLOBAL}: {reason_of(error)}") from error
            imported.allow.append(taken)
    return targeted


def _rule(rule: Table, targeted: list[Table]) -> tuple[Table, list[str]]:
    name = text_of(rule, "id")
    if name is None or not name.strip():
        raise RuleRefused("it has no id")
    expression = text_of(rule, "regex")
    if not expression:
        raise RuleRefused("it is about names of files alone, which texts have not")
    if rule.get("skipreport") is True:
        raise RuleRefused("it reports nothing by itself")
    if tables_of(rule, "required"):
        raise RuleRefused("it needs findings of other rules nearby")
    notes = []
    if text_of(rule, "path"):
        notes.append("only for some files there, for every text here")
    allow = list(targeted)
    for one in (*tables_of(rule, "allowlist"), *tables_of(rule, "allowlists")):
        taken, more = _allow_list(one)
        allow += [taken] if taken else []
        notes += more
    secret_group = number_of(rule, "secretgroup", 0)
    taken_rule = {
        "name": name,
        "entity": entity_of(name),
        "group": "secrets",
        "expression": expression,
        "value_group": secret_group or FIRST_GROUP,
        "score": GENERIC_SCORE if GENERIC in name else SCORE,
        "keywords": list(dict.fromkeys(word.lower() for word in texts_of(rule, "keywords") if word)),
        "min_entropy": number_of(rule, "entropy", 0),
        "allow": allow,
    }
    return taken_rule, list(dict.fromkeys(notes))


def _allow_list(table: Table) -> tuple[Table | None, list[str]]:
    """Return an allow list as rule files have it, None where it never applies, and what is different here."""
    condition, target = (text_of(table, name, "") or "" for name in ("condition", "regextarget"))
    if condition.upper() not in _NEEDS_ALL:
        raise RuleRefused("an allow list has an unknown condition")
    if target not in _TARGETS:
        raise RuleRefused("an allow list has an unknown `regexTarget`")
    needs_all = _NEEDS_ALL[condition.upper()]
    notes = [f"its {kind} are ignored" for kind in ("paths", "commits") if texts_of(table, kind)]
    expressions, words = texts_of(table, "regexes"), texts_of(table, "stopwords")
    if not expressions and not words:
        return None, notes
    if needs_all and notes:
        # What is allowed in some files only is found in texts, which are in none.
        return None, ["an allow list for some files or commits is left out"]
    return {
        "expressions": expressions,
        "words": [word for word in dict.fromkeys(words) if word],
        "target": _TARGETS[target],
        "needs_all": needs_all,
    }, notes
