"""Recognizers of Presidio, a YAML file.

Source: presidio_analyzer/recognizer_registry/recognizers_loader_utils.py, pattern_recognizer.py and
conf/*_recognizers.yaml of microsoft/presidio at commit 0aa9f8e44275. A file names recognizers of the program, which
built-in detectors stand in for, and has patterns and deny lists of its own, which are taken.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vestibule.detection.ad_hoc.recognizers import score_with_context
from vestibule.detection.importing.imported import (
    Imported,
    ImportOutcome,
    RuleOutcome,
    RuleRefused,
    Table,
    entity_of,
    number_of,
    require_unique,
    tables_of,
    text_of,
    texts_of,
)
from vestibule.detection.importing.python_expressions import as_re2
from vestibule.detection.importing.yaml_document import parse_yaml
from vestibule.detection.rule_files.document import MAX_RULES
from vestibule.detection.rule_files.reading import UnreadableRules

# Case, lines and dots: what Presidio has unless the file says otherwise.
DEFAULT_FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
_SUFFIX = "Recognizer"
# What the names of recognizers do not say.
_ENTITIES = {
    "AbaRouting": "ABA_ROUTING_NUMBER",
    "Date": "DATE_TIME",
    "Email": "EMAIL_ADDRESS",
    "Iban": "IBAN_CODE",
    "Ip": "IP_ADDRESS",
    "Nhs": "UK_NHS",
    "Phone": "PHONE_NUMBER",
    "SgFin": "SG_NRIC_FIN",
    "UsBank": "US_BANK_NUMBER",
    "UsLicense": "US_DRIVER_LICENSE",
}
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def import_presidio(name: str, text: str, served: Callable[[str], bool], threshold: float) -> Imported:
    """Return what became of each recognizer of a file of Presidio, pattern by pattern.

    Raises:
        UnreadableRules: the file is no such file, or has a recognizer twice.
    """
    document = parse_yaml(name, text)
    if isinstance(document, Mapping) and isinstance(document.get("recognizer_registry"), Mapping):
        document = document["recognizer_registry"]
    recognizers = document.get("recognizers") if isinstance(document, Mapping) else None
    if not isinstance(recognizers, list) or not recognizers or len(recognizers) > MAX_RULES:
        raise UnreadableRules(f"{name} has no list of up to {MAX_RULES:,} `recognizers`")
    imported = Imported(f"{name} of Presidio")
    require_unique([key for one in recognizers if (key := _key_of(one)) is not None])
    flags = document.get("global_regex_flags", int(DEFAULT_FLAGS))
    for number, recognizer in enumerate(recognizers, 1):
        if isinstance(recognizer, str):
            _take_built_in(recognizer, recognizer, served, imported)
        elif isinstance(recognizer, Mapping):
            _take_recognizer({"global_regex_flags": flags, **recognizer}, number, served, threshold, imported)
        else:
            imported.refuse(f"recognizer {number}", "it is neither a name nor a table")
    return imported


def _key_of(recognizer: Any) -> str | None:
    """Return what makes a recognizer of the file's own the same as another: its name and its language."""
    if not isinstance(recognizer, Mapping) or recognizer.get("type", "custom") != "custom":
        return None
    name, language = recognizer.get("name"), recognizer.get("supported_language")
    return None if not isinstance(name, str) else f"{name} ({language})" if isinstance(language, str) else name


def _take_recognizer(
    recognizer: Table, number: int, served: Callable[[str], bool], threshold: float, imported: Imported
) -> None:
    label = f"recognizer {number}"
    try:
        label = _key_of(recognizer) or text_of(recognizer, "name") or label
        kind = text_of(recognizer, "type", "custom")
        is_on = recognizer.get("enabled", True) is not False
        if kind == "predefined":
            _take_built_in(label, text_of(recognizer, "class_name") or label, served, imported, is_on=is_on)
            return
        if kind != "custom":
            raise RuleRefused("it is of an unknown type")
        if not is_on:
            raise RuleRefused("it is disabled in the file")
        rules = list(_rules_of(recognizer, label, threshold))
        if not rules:
            raise RuleRefused("it has neither patterns nor a deny list")
    except RuleRefused as refused:
        imported.refuse(label, str(refused))
        return
    for rule, notes in rules:
        if isinstance(rule, RuleRefused):
            imported.refuse(notes[0], str(rule))
        else:
            imported.take(rule, notes)


def _take_built_in(
    label: str, class_name: str, served: Callable[[str], bool], imported: Imported, *, is_on: bool = True
) -> None:
    stem = class_name.removesuffix(_SUFFIX)
    entity = _ENTITIES.get(stem) or _WORD_START.sub("_", stem).upper()
    if served(entity):
        note = None if is_on else "disabled there, found here: VESTIBULE_DETECTION__IGNORED_ENTITIES turns it off"
        imported.outcomes.append(RuleOutcome(label, ImportOutcome.BUILT_IN, entity, note))
    else:
        imported.refuse(label, "it is part of Presidio, and no built-in detector finds the same")


def _rules_of(recognizer: Table, label: str, threshold: float) -> Iterator[tuple[Table | RuleRefused, list[str]]]:
    """Yield the rules of a recognizer, each with notes; for a pattern that is refused the reason, with its name."""
    entities = texts_of(recognizer, "supported_entities")
    named = text_of(recognizer, "supported_entity") or (entities[0] if entities else None)
    if named is None:
        raise RuleRefused("it names no entity")
    flags = number_of(recognizer, "global_regex_flags", DEFAULT_FLAGS)
    shared = {
        "entity": entity_of(named),
        "flags": _flags_of(int(flags)),
        "threshold": threshold,
        "context": _context_of(recognizer),
    }
    names: set[str] = set()
    for number, pattern in enumerate(tables_of(recognizer, "patterns"), 1):
        name = f"{label}: {text_of(pattern, 'name') or f'pattern {number}'}"
        name = name if name not in names else f"{name} ({number})"
        names.add(name)
        try:
            score = number_of(pattern, "score", 0.0)
            _require_reach(score, shared, threshold)
            expression, notes = as_re2(text_of(pattern, "regex") or "")
            yield {"name": name, "expression": expression, "score": score, **shared}, notes
        except RuleRefused as refused:
            yield refused, [name]
    if words := [word for word in texts_of(recognizer, "deny_list") if word]:
        score = number_of(recognizer, "deny_list_score", 1.0)
        _require_reach(score, shared, threshold)
        yield {"name": f"{label}: deny list", "words": words, "score": score, **shared}, []


def _require_reach(score: float, shared: Table, threshold: float) -> None:
    best = score_with_context(score, has_context=bool(shared["context"]))
    if best < threshold or not 0 < score <= 1:
        raise RuleRefused(f"its score of {score:g} never reaches the threshold of {threshold:g}")


def _flags_of(flags: int) -> str:
    if flags & re.VERBOSE:
        raise RuleRefused("the flag VERBOSE is not supported")
    return "".join(letter for flag, letter in _FLAGS.items() if flags & flag)


def _context_of(recognizer: Table) -> list[str]:
    """Return the words of the context in all languages: a text has none here."""
    words = texts_of(recognizer, "context")
    languages = recognizer.get("supported_languages")
    for one in languages if isinstance(languages, list) else ():
        words = [*words, *(texts_of(one, "context") if isinstance(one, Mapping) else ())]
    return [word for word in dict.fromkeys(words) if word]
