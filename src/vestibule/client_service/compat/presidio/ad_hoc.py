"""Reads the recognizers that a client sends with a text."""

import re
from collections.abc import Sequence
from typing import Any

from vestibule.client_service.compat.presidio.refusals import PresidioRefusal, members_of, not_parsed
from vestibule.detection.ad_hoc import AdHocPattern, AdHocRecognizer

MOST_RECOGNIZERS, MOST_PATTERNS, MOST_WORDS, MOST_CONTEXT_WORDS = 50, 20, 1_000, 100
MAX_NAME_CHARS, MAX_WORD_CHARS = 200, 200
# Without flags of its own.
DEFAULT_FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE
_TAKEN_FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE | re.VERBOSE
_PATTERN = ("name", "regex", "score")
_RECOGNIZER = frozenset(
    {
        *("supported_entity", "name", "supported_language", "patterns", "deny_list", "context", "deny_list_score"),
        *("global_regex_flags", "version", "country_code"),
    }
)
# Names of members of the interface: only such a name is repeated where it is in the wrong place.
_KNOWN_NAMES = _RECOGNIZER | {*_PATTERN, "type", "supported_entities", "supported_languages", "language", "entities"}


def read_recognizers(given: Any, language: str | None) -> list[AdHocRecognizer]:
    """Return the recognizers of a request that are for its language.

    Raises:
        PresidioRefusal: one is not valid, or there are too many.
    """
    if not given:
        return []
    if not isinstance(given, list):
        raise not_parsed("`ad_hoc_recognizers` must be a list.")
    if len(given) > MOST_RECOGNIZERS:
        raise not_parsed(f"There may be at most {MOST_RECOGNIZERS} ad-hoc recognizers.")
    read = [_read_recognizer(members_of(one, not_parsed("A recognizer must be an object."))) for one in given]
    for most, several, what in (
        (MOST_PATTERNS, [one.patterns for one, _ in read], "patterns"),
        (MOST_WORDS, [one.words for one, _ in read], "words in deny lists"),
    ):
        if sum(map(len, several)) > most:
            raise not_parsed(f"There may be at most {most:,} {what} in all ad-hoc recognizers together.")
    return [one for one, of_language in read if of_language == language]


def read_flags(given: Any, default: re.RegexFlag) -> re.RegexFlag:
    """Return the flags of expressions. Those that change nothing here are left out.

    Raises:
        PresidioRefusal: they are no number.
    """
    if given is None:
        return default
    if not isinstance(given, int):
        raise not_parsed("Flags of regular expressions must be a number.")
    return re.RegexFlag(given & int(_TAKEN_FLAGS))


def _read_recognizer(given: dict[str, Any]) -> tuple[AdHocRecognizer, Any]:
    """Return a recognizer and its language."""
    patterns = [_read_pattern(one) for one in _list(given.get("patterns"), "patterns")]
    entity = _entity_of(given)
    _check_names(given, _RECOGNIZER | {"supported_entities"}, "PatternRecognizer")
    words = _texts(given.get("deny_list"), "deny_list", MOST_WORDS, MAX_WORD_CHARS)
    if not patterns and not words:
        raise PresidioRefusal(500, "Pattern recognizer should be initialized with patterns or with deny list")
    name = _name(given.get("name") or "PatternRecognizer", "name")
    recognizer = AdHocRecognizer(
        entity,
        name,
        [pattern._replace(recognizer=name) for pattern in patterns],
        words,
        _score(given.get("deny_list_score", 1.0)),
        frozenset(
            word
            for text in _texts(given.get("context"), "context", MOST_CONTEXT_WORDS, MAX_WORD_CHARS)
            for word in re.findall(r"\w+", text.casefold())
        ),
        read_flags(given.get("global_regex_flags"), DEFAULT_FLAGS),
    )
    return recognizer, given.get("supported_language", "en")


def _entity_of(given: dict[str, Any]) -> str:
    several = given.get("supported_entities")
    if several is not None and "supported_entity" in given:
        raise PresidioRefusal(500, "Both 'supported_entity' and 'supported_entities' are present.")
    if "supported_entity" not in given and not several:
        raise not_parsed("PatternRecognizer.__init__() missing 1 required positional argument: 'supported_entity'")
    entity = given.get("supported_entity") or (several[0] if isinstance(several, list) and several else None)
    if not entity:
        raise PresidioRefusal(500, "Pattern recognizer should be initialized with entity")
    return _name(entity, "supported_entity")


def _read_pattern(given: Any) -> AdHocPattern:
    members = members_of(given, not_parsed("A pattern must be an object."))
    _check_names(members, frozenset(_PATTERN), "Pattern")
    missing = [f"'{name}'" for name in _PATTERN if name not in members]
    if missing:
        several = "argument" if len(missing) == 1 else "arguments"
        listed = " and ".join(missing) if len(missing) < 3 else f"{', '.join(missing[:-1])}, and {missing[-1]}"
        raise not_parsed(f"Pattern.__init__() missing {len(missing)} required positional {several}: {listed}")
    if not isinstance(members["regex"], str):
        raise not_parsed("`regex` must be a string.")
    return AdHocPattern("", _name(members["name"], "name"), members["regex"], _score(members["score"]))


def _check_names(members: dict[str, Any], known: frozenset[str], kind: str) -> None:
    for name in members:
        if name not in known:
            shown = f" '{name}'" if name in _KNOWN_NAMES else ""
            raise not_parsed(f"{kind}.__init__() got an unexpected keyword argument{shown}")


def _score(given: Any) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise not_parsed("A score must be a number.")
    if not 0 <= given <= 1:
        raise PresidioRefusal(500, "Invalid score. Score should be between 0 and 1")
    return float(given)


def _name(given: Any, member: str) -> str:
    if not isinstance(given, str) or len(given) > MAX_NAME_CHARS:
        raise not_parsed(f"`{member}` must be a string of at most {MAX_NAME_CHARS} characters.")
    return given


def _list(given: Any, member: str) -> Sequence[Any]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise not_parsed(f"`{member}` must be a list.")
    return given


def _texts(given: Any, member: str, most: int, longest: int) -> Sequence[str]:
    texts = _list(given, member)
    if len(texts) > most or not all(isinstance(one, str) and len(one) <= longest for one in texts):
        raise not_parsed(f"`{member}` must be a list of at most {most:,} strings of at most {longest} characters.")
    return texts


read_texts = _texts
