"""The values that pass although a detector finds them: for one entity and tenant each, by keyed fingerprint.

A fingerprint names its epoch, whose key can be derived later too: a value is compared by its fingerprints in the epochs
of the allowances, so an allowance holds over epochs and needs no other fingerprint than that of its alert.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from vestibule.contracts.allowances import AllowedValue
from vestibule.encryption import epoch_of
from vestibule.policy.decision import Action, DecidedFinding, Decision, value_of

# Different values of one request that are compared; further ones do not pass.
MAX_COMPARED = 1_000
# The fingerprints of a text in a tenant in some epochs.
Fingerprints = Callable[[str, str, Iterable[int]], Iterator[str]]
Place = tuple[str, str]


class AllowanceList:
    """The allowances as this process knows them. Readers need no lock: what is known is replaced as a whole."""

    def __init__(self, fingerprints: Fingerprints, clock: Callable[[], float] = time.time) -> None:
        self._fingerprints = fingerprints
        self._clock = clock
        # By tenant and entity: the epochs, newest first, and the allowances by fingerprint.
        self.known: Mapping[Place, tuple[list[int], Mapping[str, AllowedValue]]] = {}

    def replace(self, values: Iterable[AllowedValue]) -> None:
        """Let exactly these values pass from now on, each until its end."""
        by_place: dict[Place, dict[str, AllowedValue]] = {}
        for one in values:
            allowed = by_place.setdefault((one.tenant, one.entity), {})
            for fingerprint in one.fingerprints:
                # Of several for one value the one that ends last counts.
                if fingerprint not in allowed or allowed[fingerprint].end < one.end:
                    allowed[fingerprint] = one
        self.known = {
            place: (sorted({epoch_of(fingerprint) for fingerprint in allowed}, reverse=True), allowed)
            for place, allowed in by_place.items()
        }

    def allowance_of(self, value: str, entity: str, tenant: str) -> str | None:
        """Return the id of the allowance that lets a value pass now; None if there is none."""
        epochs, allowed = self.known.get((tenant, entity), ((), {}))
        now = self._clock()
        for fingerprint in self._fingerprints(value, tenant, epochs):
            one = allowed.get(fingerprint)
            if one is not None and now < one.end:
                return one.id
        return None

    def apply_to(self, decision: Decision, texts: Mapping[str, str], tenant: str) -> Decision:
        """Return the decision with the action `ignore` on each finding whose value may pass."""
        entities = {one.found.entity for one in decision.findings if (tenant, one.found.entity) in self.known}
        if not entities:
            return decision
        found: dict[tuple[str, str], str | None] = {}

        def allowed(one: DecidedFinding) -> DecidedFinding:
            if one.found.entity not in entities or one.action is Action.IGNORE:
                return one
            value = value_of(one, texts), one.found.entity
            if value not in found:
                found[value] = self.allowance_of(*value, tenant) if len(found) < MAX_COMPARED else None
            return one if found[value] is None else one._replace(action=Action.IGNORE, allowance=found[value])

        findings = [allowed(one) for one in decision.findings]
        withheld = decision.would_have and [
            Action.IGNORE if one.allowance else action
            for one, action in zip(findings, decision.would_have, strict=True)
        ]
        return replace(decision, findings=findings, would_have=withheld)
