"""The declaration of a rule that is matched in linear time, whatever its expression."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vestibule.detection.rules import Rule

Target = Literal["value", "match", "line"]
# The first group that took part in a match, as gitleaks takes the secret out of it.
FIRST_GROUP = "first_group"


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What is no finding: a value with one of the `words` in any case, or where an expression matches in the target.

    With `needs_all` both have to be so, where both are given.
    """

    expressions: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    target: Target = "value"
    needs_all: bool = False


@dataclass(frozen=True, kw_only=True)
class LinearRule(Rule):
    """A rule with an expression of RE2 in `pattern`, or with whole `words`; it needs no bounded length.

    The `anchors` are keywords: the rule is tried on a text that has one of them anywhere. A rule without is tried on
    every text. `value_group` is the group that marks the finding: a number, `first_group`, or None for the group named
    `value` and else the whole match. A value counts if its Shannon entropy, in bits per character, is above
    `min_entropy`. A word of `context` among the five before a value raises its score; the labels of detectors do not.
    """

    flags: str = ""
    words: tuple[str, ...] = ()
    value_group: int | Literal["first_group"] | None = None
    min_entropy: float = 0.0
    context: frozenset[str] = frozenset()
    allowed: tuple[Allowed, ...] = ()

    @property
    def regex_flags(self) -> re.RegexFlag:
        """The flags of the expression."""
        return re.RegexFlag(sum(re.RegexFlag[one.upper()] for one in set(self.flags)))

    @cached_property
    def expression(self) -> str:
        """All that decides on a match, which the version of the detectors is made of."""
        what = (self.pattern, self.flags, self.words, self.value_group)
        return repr((*what, self.anchors, self.min_entropy, sorted(self.context), self.allowed))
