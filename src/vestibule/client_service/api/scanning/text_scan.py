"""Scans texts as the options of a request say, and renders what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vestibule.client_service.api.scanning.options import ScanOptions, read_options
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.screening.preview import preview
from vestibule.client_service.screening.screener import MOST_SCANS_WAITING, Screener
from vestibule.detection import Explanation, Finding
from vestibule.policy import Situation
from vestibule.service_kit.auth.authentication import Caller

# The policy decides on what is stored, and this is the way in.
ROUTE = "/add"


@dataclass(frozen=True, slots=True)
class TextScan:
    """The scans of one request."""

    screener: Screener
    options: ScanOptions
    situation: Situation
    _find: Callable[..., list[Any]]

    @classmethod
    async def prepare(
        cls, wiring: ClientWiring, caller: Caller, query: Mapping[str, Any], given: Mapping[str, Any]
    ) -> "TextScan":
        """Return the scans of a request of `caller` with the options of its query, and those `given` in its body.

        Raises:
            InvalidInput, RequestValidationError: an option is not valid.
            TooManyWaiting: too much of the token waits to be done in a thread.
        """
        screener = wiring.screener
        options, of_query = read_options(query, given)
        narrow = partial(options.narrow, screener.scanner, of_query)
        if options.allow_patterns:
            # To compile ten takes too long for the event loop.
            narrowed = await screener.in_thread(narrow, MOST_SCANS_WAITING)
        else:
            narrowed = narrow()
        situation = Situation(ROUTE, caller.token_id, caller.name, tenant=caller.tenant)
        return cls(screener, options, situation, narrowed.explain if options.explain else narrowed.scan)

    async def scan(self, text: str, field: str | None = None) -> dict[str, Any]:
        """Return the members of the reply about a text in `field`, or in the field that the options name.

        Raises:
            TooLarge, ScanImpossible, TooManyWaiting: as `Screener.screen` does.
        """
        field = self.options.field if field is None else field
        found: Sequence[Finding | Explanation] = await self.screener.scan_by(self._find, text, field)
        findings = [one.as_dict() for one in found]
        if not self.options.treat:
            return {"findings": findings}
        bare = [one.finding if isinstance(one, Explanation) else one for one in found]
        seen = await preview(self.screener, self.situation._replace(key=field), text, bare)
        for view, (decided, withheld) in zip(findings, seen.decision.with_withheld, strict=True):
            optional = {"would_have": withheld, "allowance": decided.allowance}
            view.update({name: value for name, value in optional.items() if value is not None})
            view.update({"action": decided.action, "rule": decided.rule})
        outcome, version = str(seen.decision.outcome), seen.decision.policy_version
        return {"findings": findings, "outcome": outcome, "policy": version, "text": seen.text}
