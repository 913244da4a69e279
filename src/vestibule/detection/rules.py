"""The declaration of a detector: its rules, labels, examples and source."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

Check = Callable[[str], bool]

_MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One form of a value, and the score of a match before its context is read.

    `pattern` is a Python regular expression without lookaround, of bounded length. A group named `value` marks the
    finding; without one it is the whole match. `not_after` and `not_before` are the contents of character classes: the
    characters that may not come right before and right after the match.

    `score` applies if `check` passes (or there is none), `broken_score` if it fails (None: no finding), and
    `alone_score` replaces `score` if the value is the whole text. Labels and other words near the value then raise or
    lower it, see `detection.context`; a rule that cannot reach its threshold without a label runs only near one.

    `proof` is a further check, tried where `check` passes: a value that passes it is known by its form, and a label of
    something else right before it does not count against it.

    `fewest_digits` is the minimum number of digits of a value, where the pattern leaves that to the check.

    `anchors` are literals (any case) of which every match contains at least one. `prefilter` is an expression that
    matches wherever `pattern` does and is cheaper to search for. Without either, the prefilter uses `pattern` itself.

    `opening` helps where a match may begin with nearly any letter: an expression that every match begins with, and in
    which the match of `prefilter` begins; `pattern` is tried only where `opening` matches.
    """

    name: str
    pattern: str
    score: float
    check: Check | None = None
    broken_score: float | None = None
    alone_score: float | None = None
    proof: Check | None = None
    fewest_digits: int = 0
    anchors: tuple[str, ...] = ()
    prefilter: str | None = None
    opening: str | None = None
    not_after: str = r"\w"
    not_before: str = r"\w"
    ignore_case: bool = False

    @cached_property
    def expression(self) -> str:
        """The pattern with its borders."""
        before = f"(?<![{self.not_after}])" if self.not_after else ""
        after = f"(?![{self.not_before}])" if self.not_before else ""
        return f"{before}(?:{self.pattern}){after}"


@dataclass(frozen=True)
class DetectorExample:
    """A text in which every value to be found is written `[[value]]`; `key` is the name of its field."""

    marked: str
    key: str | None = None

    @property
    def text(self) -> str:
        """The text without the marks."""
        return _MARK.sub(r"\1", self.marked)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The spans of the marked values in `text`."""
        return [(m.start() - 4 * i, m.end() - 4 * (i + 1)) for i, m in enumerate(_MARK.finditer(self.marked))]


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Everything about one kind of data.

    `labels` are the words that name the value, in lower case, in any language; a label may be several words separated
    by spaces, and one that ends in `*` (after at least four characters) is a prefix. `against` are words near the value
    that count against it. The conformance test reads `examples` and `counter_examples`. `sources` name the standard or
    the vendor's page that the rules follow. `group` is a group of the policy that the entity belongs to, `secrets` or
    `national_ids`; the built-in detectors have that of their folder.
    """

    entity: str
    rules: tuple[Rule, ...]
    examples: tuple[str | DetectorExample, ...]
    counter_examples: tuple[str | DetectorExample, ...]
    sources: tuple[str, ...]
    labels: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    threshold: float = 0.5
    group: str | None = None
