"""The curve of requests by minute: what the chart of a page draws, and the sums above it."""

from typing import Any, NamedTuple

from vestibule.client.results.decisions import DecisionRates, RateMinute

BLOCKED = "block"


class RateSums(NamedTuple):
    """What a span of minutes adds up to."""

    requests: int
    found: int
    blocked: int

    @property
    def share_blocked(self) -> float:
        """The share of the requests that were blocked."""
        return self.blocked / self.requests if self.requests else 0.0


def sums_of(*minutes: RateMinute) -> RateSums:
    """Return the sums of some minutes."""
    found = sum(sum(one.actions.values()) for one in minutes)
    blocked = sum(one.actions.get(BLOCKED, 0) for one in minutes)
    return RateSums(sum(one.clean for one in minutes) + found, found, blocked)


def rate_rows(rates: DecisionRates) -> list[tuple[RateMinute, RateSums]]:
    """Return the minutes with requests and their sums, the newest first."""
    rows = [(one, sums_of(one)) for one in reversed(rates.minutes)]
    return [row for row in rows if row[1].requests]


def rate_sums(rates: DecisionRates) -> RateSums:
    """Return the sums of all minutes."""
    return sums_of(*rates.minutes)


def rate_chart(rates: DecisionRates) -> dict[str, Any]:
    """Return what `console.js` draws: requests a minute, and those that were blocked."""
    sums = [sums_of(one) for one in rates.minutes]
    times = [int(one.at.timestamp()) for one in rates.minutes]
    series = [{"label": "Requests a minute", "tone": "info"}, {"label": "Blocked", "tone": "bad"}]
    return {"series": series, "data": [times, [one.requests for one in sums], [one.blocked for one in sums]]}


FILTERS = {"rate_chart": rate_chart, "rate_rows": rate_rows, "rate_sums": rate_sums}
