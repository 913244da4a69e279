"""Routes messages: to the queue, or to the business logic service while the caller waits."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Destination(StrEnum):
    """Where a message is processed."""

    QUEUE = "queue"
    BUSINESS_LOGIC = "business_logic"


Mode = Literal["async", "sync"]


class MessageRoute(BaseModel):
    """A rule: a message that meets all of its conditions goes to `to`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Destination
    mode: Mode | None = Field(default=None, description="The `mode` of the message")
    processors: tuple[str, ...] = Field(default=(), description="The processor is one of these")
    prefixes: tuple[str, ...] = Field(default=(), description="The text starts with one of these")
    min_chars: int | None = Field(default=None, ge=0, description="The text has at least this many code points")
    max_chars: int | None = Field(default=None, ge=0, description="The text has at most this many code points")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_chars is not None and self.max_chars is not None and self.min_chars > self.max_chars:
            raise ValueError("min_chars must not be greater than max_chars")
        if any(not prefix for prefix in self.prefixes):
            raise ValueError("a prefix must not be empty")
        return self

    def fits(self, mode: Mode | None, processor: str, text: str) -> bool:
        """Say whether a message meets the conditions of the rule."""
        return (
            self.mode in (None, mode)
            and (not self.processors or processor in self.processors)
            and (not self.prefixes or text.startswith(self.prefixes))
            and (self.min_chars is None or len(text) >= self.min_chars)
            and (self.max_chars is None or len(text) <= self.max_chars)
        )


# Without a matching rule in the settings the caller's `mode` decides.
DEFAULT = (
    MessageRoute(to=Destination.BUSINESS_LOGIC, mode="sync"),
    MessageRoute(to=Destination.QUEUE),
)


class MessageRoutes:
    """The rules in their order; the first that matches applies."""

    def __init__(self, rules: Sequence[MessageRoute], processors: Iterable[str]) -> None:
        """Take the rules of the settings.

        Raises:
            ValueError: one names a processor that does not exist.
        """
        known = set(processors)
        for number, rule in enumerate(rules, 1):
            if unknown := sorted(set(rule.processors) - known):
                names = ", ".join(sorted(known))
                raise ValueError(
                    f"VESTIBULE_MESSAGE_ROUTES, rule {number}: no processor {', '.join(unknown)}; known are {names}"
                )
        self._rules = (*rules, *DEFAULT)

    def choose(self, mode: Mode | None, processor: str, text: str) -> Destination:
        """Return where a message goes."""
        return next(rule.to for rule in self._rules if rule.fits(mode, processor, text))
