"""Decisions of the policy, their receipts, and traces."""

# Made of asynchronous/decisions.py by `python -m vestibule.client.unasync`; change that one.

import time
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vestibule.client.synchronous.resource import Pages, Resource
from vestibule.client.calls import Call
from vestibule.client.decoding import decode
from vestibule.client.results.decisions import (
    Decision,
    DecisionCounts,
    DecisionPage,
    DecisionRates,
    MissedDecisions,
    Receipt,
    ReceiptKeys,
    SampledDecisions,
    Trace,
)

# A decision with findings is recorded within two seconds.
RECORDED_WITHIN_S = 2.5
# Ids of decisions that were delivered, of which a cut may repeat some.
MAX_REMEMBERED = 2000
MAX_PAGE = 500


class Decisions(Resource):
    """Decisions of the policy."""

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        token: str | None = None,
        route: str | None = None,
        entity: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Pages[DecisionPage, Decision]:
        """Return the decisions that meet all filters, newest first; `page_size` is 500 at most.

        Args:
            since: not before this time.
            until: before this time.
            token: id or name of a token.
            route: such as `/add`.
            entity: such as `EMAIL_ADDRESS`.
            action: the strictest that was taken, such as `redact`.
            outcome: `let_in` or `blocked`.
            page_size: decisions on a page.
            cursor: of the page before.
        """
        query = {
            "since": since,
            "until": until,
            "token": token,
            "route": route,
            "entity": entity,
            "action": action,
            "outcome": outcome,
            "limit": page_size,
            "cursor": cursor,
        }
        call = Call("list_decisions", query=query)
        return Pages(self, call, DecisionPage, lambda page: page.decisions)

    def stream(
        self,
        *,
        token: str | None = None,
        route: str | None = None,
        entity: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        at_most: int | None = None,
    ) -> Generator[Decision | MissedDecisions | SampledDecisions, None, None]:
        """Yield decisions as they are made, with findings or without; it goes on over cuts and restarts.

        After a cut those come first that were recorded meanwhile; decisions without findings may be missing. With
        `at_most`, 1,000 at most, so many come a second and `SampledDecisions` says how many others there were; after a
        cut the newest so many come first.
        """
        filters = {"token": token, "route": route, "entity": entity, "action": action, "outcome": outcome}
        call = Call("list_decisions", query={**filters, "at_most": at_most})
        delivered: dict[str, None] = {}
        last_at = datetime.now(UTC)
        for event in self._transport.events(call, self._configuration):
            if event.kind == "missed":
                yield decode(MissedDecisions, event.json())
                continue
            if event.kind == "sampled":
                yield decode(SampledDecisions, event.json())
                continue
            found: Sequence[Decision] = [decode(Decision, event.json())] if event.kind == "decision" else []
            if event.kind == "reconnected":
                time.sleep(RECORDED_WITHIN_S)
                found = self._since(last_at, at_most, filters)
            for decision in found:
                if decision.decision_id not in delivered:
                    yield decision
                last_at = max(last_at, decision.time)
                delivered[decision.decision_id] = None
            while len(delivered) > MAX_REMEMBERED:
                del delivered[next(iter(delivered))]

    def _since(self, moment: datetime, at_most: int | None, filters: Mapping[str, Any]) -> Sequence[Decision]:
        """Return the recorded decisions since a time, the oldest first; of too many the newest."""
        if at_most is not None:
            page = self.list(since=moment, page_size=min(at_most, MAX_PAGE), **filters).page()
            return page.decisions[::-1]
        newest_first = [one for one in self.list(since=moment, **filters)]
        return newest_first[::-1]

    def counts(self, *, since: datetime | None = None, until: datetime | None = None) -> DecisionCounts:
        """Return how many decisions were made, by day, route, action and entity; of the last 30 days by default."""
        return self._result(Call("count_decisions", query={"since": since, "until": until}), DecisionCounts)

    def rates(self, minutes: int = 60) -> DecisionRates:
        """Return how many decisions were made in each of the last minutes, 1,440 at most."""
        return self._result(Call("get_decision_rates", query={"minutes": minutes}), DecisionRates)


class Receipts(Resource):
    """Signed receipts of decisions."""

    def get(self, decision_id: str) -> Receipt:
        """Return the signed receipt of a decision that is recorded. Raises: DecisionNotFound, if it is not."""
        return self._result(Call("get_receipt", path={"decision_id": decision_id}), Receipt)

    def keys(self) -> ReceiptKeys:
        """Return the public keys that verify receipts, as a JWK set; the first one signs new receipts."""
        return self._result(Call("get_receipt_keys"), ReceiptKeys)


class Traces(Resource):
    """Traces."""

    def get(self, trace_id: str) -> Trace:
        """Return all that happened to a request, task, decision, alert or job, the oldest event first.

        Raises:
            TraceNotFound: nothing that is kept has that id.
        """
        return self._result(Call("get_trace", path={"trace_id": trace_id}), Trace)
