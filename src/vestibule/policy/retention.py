"""How long entries are kept: the time to live that the policy gives to a write, by key and by what was found in it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """A default and a ceiling of `ttl_s` in seconds. Without prefixes or entities it applies whatever they are."""

    key_prefixes: tuple[str, ...]
    entities: frozenset[str]
    default_ttl_s: float | None
    max_ttl_s: float | None
    origin: str

    def applies_to(self, key: str, entities: Collection[str]) -> bool:
        """Return whether the rule applies to an entry under `key` with findings of `entities`."""
        has_prefix = not self.key_prefixes or key.startswith(self.key_prefixes)
        return has_prefix and (not self.entities or not self.entities.isdisjoint(entities))

    def describe(self) -> str:
        """Return what the rule applies to, as text."""
        prefixes = f"keys {', '.join(f'{prefix}*' for prefix in self.key_prefixes)}" if self.key_prefixes else ""
        return " with ".join(filter(None, (prefixes, ", ".join(sorted(self.entities))))) or "every entry"

    def terms(self) -> dict[str, float]:
        """Return the default and the ceiling, as far as they are set."""
        both = {"default_ttl_s": self.default_ttl_s, "max_ttl_s": self.max_ttl_s}
        return {name: seconds for name, seconds in both.items() if seconds is not None}


@dataclass(frozen=True, slots=True)
class Retention:
    """The rules of a policy. Where several apply to an entry, the shortest default and the lowest ceiling count."""

    rules: Sequence[RetentionRule]

    def ttl_of(self, key: str, entities: Collection[str], asked_s: float | None) -> float | None:
        """Return the time to live of a write in seconds, None for no end; `asked_s` is what the caller asked for.

        A time above the ceiling is cut to it. Without a time the default applies, and without a default the ceiling.
        """
        applying = [rule for rule in self.rules if rule.applies_to(key, entities)]
        wanted = asked_s if asked_s is not None else _shortest(rule.default_ttl_s for rule in applying)
        return _shortest((wanted, *(rule.max_ttl_s for rule in applying)))


def _shortest(times_s: Iterable[float | None]) -> float | None:
    return min((seconds for seconds in times_s if seconds is not None), default=None)
