"""The names that a policy may use: an unknown name is an error, since it could hide a leak."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The known entities, their groups, and the routes that are screened."""

    entities: frozenset[str]
    groups: Mapping[str, frozenset[str]]
    routes: frozenset[str]

    def suggest(self, name: str) -> str:
        """Return what may have been meant by an unknown name of an entity or a group, as the end of a sentence."""
        known = [*sorted(self.entities), *sorted(self.groups)]
        close = get_close_matches(name, known, n=1) or get_close_matches(name.upper(), known, n=1)
        if close:
            return f"; did you mean {close[0]}?"
        return "; `vestibule detectors` lists the entities, and the groups are " + ", ".join(sorted(self.groups))
