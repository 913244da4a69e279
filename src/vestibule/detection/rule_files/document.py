"""The format of rule files: what each member means, and its limits."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vestibule.detection.ad_hoc.expressions import OPERATORS, BoundedExpression
from vestibule.detection.rule_files.linear_matcher import value_groups
from vestibule.detection.rule_files.linear_rule import Allowed, LinearRule, Target

MAX_RULES = 2_000
MAX_LISTED = 10_000
# More keywords than this cost each text more than trying the rule does.
MAX_KEYWORDS = 500
_WORD = re.compile(r"\w+")
ENTITY_PATTERN = r"^[A-Z][A-Z0-9_]{0,63}$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=OPERATORS.chars)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[tuple[Word, ...], Field(max_length=MAX_LISTED)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AllowList(_Model):
    """What is no finding, see `Allowed`."""

    expressions: Annotated[tuple[Expression, ...], Field(max_length=1_000, strict=False)] = ()
    words: Annotated[Words, Field(strict=False)] = ()
    target: Target = "value"
    needs_all: bool = False

    @model_validator(mode="after")
    def _compile(self) -> "AllowList":
        for expression in self.expressions:
            BoundedExpression(expression, re.NOFLAG, OPERATORS)
        return self

    def declared(self) -> Allowed:
        """Return it as rules have it."""
        return Allowed(expressions=self.expressions, words=self.words, target=self.target, needs_all=self.needs_all)


class FileRule(_Model):
    """One rule, see `LinearRule`; `keywords` are its anchors."""

    name: Name
    entity: Annotated[str, StringConstraints(pattern=ENTITY_PATTERN)]
    group: Literal["secrets", "national_ids"] | None = None
    expression: Expression | None = None
    flags: Annotated[str, StringConstraints(pattern="^[ims]{0,3}$")] = ""
    words: Annotated[Words, Field(strict=False)] = ()
    value_group: Literal["first_group"] | Annotated[int, Field(ge=1, le=100)] | None = None
    score: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.9
    threshold: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5
    keywords: Annotated[tuple[Word, ...], Field(max_length=MAX_KEYWORDS, strict=False)] = ()
    min_entropy: Annotated[float, Field(ge=0, le=16, strict=False)] = 0.0
    context: Annotated[tuple[Word, ...], Field(max_length=1_000, strict=False)] = ()
    allow: Annotated[tuple[AllowList, ...], Field(max_length=100, strict=False)] = ()

    @model_validator(mode="after")
    def _compile(self) -> "FileRule":
        if (self.expression is None) == (not self.words):
            raise ValueError("a rule has either an expression or words")
        rule = self.declared(())
        if self.expression is not None:
            value_groups(rule, BoundedExpression(self.expression, rule.regex_flags, OPERATORS))
        return self

    def _anchors(self) -> tuple[str, ...]:
        # A rule of words is tried where one of them is.
        words = self.words if len(self.words) <= MAX_KEYWORDS else ()
        return tuple(dict.fromkeys(self.keywords or words))

    def declared(self, allow: tuple[AllowList, ...]) -> LinearRule:
        """Return it as the scanner takes it, with what is allowed for all rules of its file."""
        return LinearRule(
            name=self.name,
            pattern=self.expression or "",
            flags=self.flags,
            words=self.words,
            value_group=self.value_group,
            score=self.score,
            anchors=self._anchors(),
            min_entropy=self.min_entropy,
            context=frozenset(one for words in self.context for one in _WORD.findall(words.casefold())),
            allowed=tuple(one.declared() for one in (*allow, *self.allow)),
        )


class RuleFile(_Model):
    """A whole file."""

    format: Literal[1]
    source: Annotated[str, StringConstraints(max_length=200)] = ""
    allow: Annotated[tuple[AllowList, ...], Field(max_length=100, strict=False)] = ()
    rules: Annotated[tuple[FileRule, ...], Field(min_length=1, max_length=MAX_RULES, strict=False)]

    @model_validator(mode="after")
    def _have_names_once(self) -> "RuleFile":
        names: set[str] = set()
        for rule in self.rules:
            if rule.name in names:
                raise ValueError(f"two rules have the name {rule.name}")
            names.add(rule.name)
        return self
