"""Reads YAML of a bounded size and depth."""

from importlib import import_module
from typing import Any

from vestibule.detection.rule_files.reading import UnreadableRules

MAX_CHARS = 1024 * 1024
MAX_DEPTH = 20


def parse_yaml(name: str, text: str) -> Any:
    """Return a document.

    Raises:
        UnreadableRules: it is no YAML, is too large or too deep, or refers to parts of itself.
    """
    yaml = import_module("yaml")
    if len(text) > MAX_CHARS:
        raise UnreadableRules(f"{name} has more than {MAX_CHARS:,} characters")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Before anything is built: an alias may stand for much, and depth is what parsers die of.
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise UnreadableRules(f"{name} has an alias (*{event.anchor:.80}); write it out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise UnreadableRules(f"{name} is nested too deeply")
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise UnreadableRules(f"{name}{place} is not valid YAML") from error
    except (ValueError, RecursionError) as error:  # a date that is none, a number of too many digits
        if isinstance(error, UnreadableRules):
            raise
        raise UnreadableRules(f"{name} is not valid YAML: {error}") from error
