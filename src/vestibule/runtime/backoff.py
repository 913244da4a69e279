"""Exponential backoff: how long to wait before the next attempt."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Jitter(Enum):
    """The share of a delay that is left to chance, so that callers that failed together do not retry together.

    Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
    """

    NONE = (1.0, 1.0)
    # Between half of the delay and all of it.
    EQUAL = (0.5, 1.0)
    # Between half of the delay and one and a half.
    AROUND = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow by `factor` from `first_s` to `longest_s`; jitter applies to the delay after that limit."""

    first_s: float
    longest_s: float
    factor: float = 2.0
    jitter: Jitter = Jitter.NONE
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False, compare=False)

    def delay_s(self, attempts: int) -> float:
        """Return the seconds to wait after that many failed attempts; no failure, no delay."""
        if attempts < 1:
            return 0.0
        try:
            full_s = min(self.first_s * self.factor ** (attempts - 1), self.longest_s)
        except OverflowError:
            full_s = self.longest_s
        return full_s if self.jitter is Jitter.NONE else full_s * self.uniform(*self.jitter.value)
