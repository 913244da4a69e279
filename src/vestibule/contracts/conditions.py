"""Conditions of a change, as the headers `If-Match` and `If-None-Match` state them.

Source: RFC 9110, HTTP Semantics, sections 8.8.3 and 13.1.
"""

import re
from dataclasses import dataclass
from typing import Self

from vestibule.contracts.errors import InvalidInput

ANY = "*"
MATCH, NONE_MATCH = "If-Match", "If-None-Match"
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}\s*(?:,\s*{_TAG}\s*)*")

Tags = frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags of which an entry must have one, and those of which it may have none; `*` is every tag."""

    match: Tags | None = None
    none_match: Tags | None = None

    @classmethod
    def parse(cls, match: str | None, none_match: str | None) -> Self:
        """Return the condition that two headers state.

        Raises:
            InvalidInput: one of them is malformed.
        """
        refused = None if none_match is None else frozenset(_strip_weak(tag) for tag in _parse(NONE_MATCH, none_match))
        return cls(None if match is None else _parse(MATCH, match), refused)

    @classmethod
    def of_version(cls, version: int | None) -> Self:
        """Return the condition that an entry has `version`; 0 means no entry, None any state."""
        if version is None:
            return cls()
        return cls(none_match=frozenset({ANY})) if version == 0 else cls(match=frozenset({etag_of(version)}))

    def allows(self, version: int | None) -> bool:
        """Return whether an entry with `version` may be changed; None means that there is no entry."""
        if self.match is not None and not _names(self.match, version):
            return False
        return self.none_match is None or not _names(self.none_match, version)

    def as_headers(self) -> dict[str, str]:
        """Return the headers that state the condition."""
        stated = {MATCH: self.match, NONE_MATCH: self.none_match}
        return {name: ", ".join(sorted(tags)) for name, tags in stated.items() if tags is not None}


# Compared by identity in fast paths; any other condition without tags allows everything too.
ALWAYS = Condition()


def etag_of(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def _parse(name: str, header: str) -> Tags:
    if header.strip() == ANY:
        return frozenset({ANY})
    if not _TAGS.fullmatch(header):
        mistake = {"where": f"header/{name}", "kind": "entity_tag", "expected": '`*`, or entity tags such as `"3"`'}
        raise InvalidInput(f"The header `{name}` is not valid.", errors=[mistake])
    return frozenset(re.findall(_TAG, header))


def _strip_weak(tag: str) -> str:
    # `If-None-Match` compares weakly; `If-Match` compares strongly, so a weak tag matches nothing there.
    return tag.removeprefix("W/")


def _names(tags: Tags, version: int | None) -> bool:
    return version is not None and (ANY in tags or etag_of(version) in tags)
