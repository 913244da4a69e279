"""The ports of processors: inspection by scanner and policy, and HTTP egress behind the guard."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from vestibule.contracts.tasks import WorkOrigin
from vestibule.detection import Finding, ScanBudgetExceeded, Scanner, TextTooLarge
from vestibule.egress.guard import (
    AddressProblem,
    DeliveryFailed,
    DeliveryForbidden,
    EgressGuard,
    ResponseTooLarge,
    signature_headers,
)
from vestibule.policy import Action, DecidedFinding, Policy, Situation
from vestibule.policy.anonymizer import AnonymizerOperators, anonymize
from vestibule.policy.fakes import Faker, IsFound
from vestibule.policy.stand_ins import StandIns
from vestibule.processing import EgressReply, ProcessingInterrupted
from vestibule.processing.ports import AnswerTooLarge, DataTooLarge, ForwardForbidden

FIELD = "data"
MOST_ANSWER_BYTES = 1024 * 1024


class Tokens(Protocol):
    """Creates and reveals reversible tokens."""

    def tokenize(self, value: str, entity: str, tenant: str) -> str:
        """Return the token of `value`."""
        ...

    def reveal(self, token: str, tenant: str) -> str:
        """Return the value of `token`."""
        ...

    def is_rotated(self, token: str) -> bool:
        """Whether `token` was made with an older key."""
        ...


@dataclass(frozen=True, slots=True)
class Pseudonymizer:
    """Replaces values: by a keyed fingerprint, by a token that the tenant can reveal, or by stand-ins.

    `is_found` says whether a value is found as an entity with nothing around it; fakes pass the same.
    """

    fingerprint: Callable[[str, str], str]
    tokenizer: Tokens
    is_found: IsFound = field(default=lambda _value, _entity: False)

    def operators_for(
        self, policy: Policy, situation: Situation, stand_ins: StandIns | None = None
    ) -> AnonymizerOperators:
        """Return the operators for values in a situation: hashes of its tenant, tokens of the tenant of the policy.

        Without the `stand_ins` of a conversation they are those of these texts alone, and nothing reveals them.
        """
        tenant = policy.tenant_of(situation)
        stand_ins = StandIns() if stand_ins is None else stand_ins
        return AnonymizerOperators(
            hash=lambda value, entity: hashed(entity, self.fingerprint(value, situation.tenant)),
            tokenize=lambda value, entity: self.tokenizer.tokenize(value, entity, tenant),
            number=stand_ins.number,
            fake=partial(stand_ins.fake, faker=Faker(self.is_found)),
        )


def hashed(entity: str, fingerprint: str) -> str:
    """Return the replacement of a hashed value: `<EMAIL_ADDRESS#e682:1f6d...>`.

    The fingerprint has the form of alerts and records, so that one search finds all. `#` separates it because a colon
    would make it an assignment, and a replacement must not be a finding.
    """
    return f"<{entity}#{fingerprint}>"


def situation_of(origin: WorkOrigin) -> Situation:
    """Return the situation of this work for the policy."""
    return Situation(origin.route, origin.token_id, origin.token_name, origin.key, origin.tenant)


class Inspector:
    """Counts and replaces what the scanner finds. Built once, then shared by any number of threads."""

    def __init__(
        self, scanner: Callable[[], Scanner], policy: Callable[[], Policy], pseudonymizer: Pseudonymizer
    ) -> None:
        """Take the parts; `scanner` may build the scanner when first called, `policy` returns the policy in force."""
        self._scanner = scanner
        self._policy = policy
        self._pseudonymizer = pseudonymizer

    def count(self, text: str) -> Mapping[str, int]:
        """Return the number of findings in `text` by entity; errors as in `processing.ports.Inspection`."""
        return Counter(finding.entity for finding in self._scan(text, None))

    def redact(self, text: str, origin: WorkOrigin, entities: Collection[str], action: str | None) -> str:
        """Return `text` with findings replaced; errors as in `processing.ports.Inspection`."""
        found = self._scan(text, origin.key)
        if not found:
            return text
        policy, situation = self._policy(), situation_of(origin)
        wanted = [one for one in found if not entities or one.entity in entities]
        decided = [self._decide(policy, situation, one, bool(entities), action) for one in wanted]
        return anonymize(text, decided, self._pseudonymizer.operators_for(policy, situation))

    @staticmethod
    def _decide(
        policy: Policy, situation: Situation, found: Finding, is_named: bool, asked: str | None
    ) -> DecidedFinding:
        verdict = policy.verdict_of(situation, found.entity)
        is_ignored = verdict.action is Action.IGNORE or found.score < verdict.threshold
        if is_ignored and not is_named:
            return DecidedFinding(FIELD, found, Action.IGNORE)
        by_policy = verdict.action if verdict.action.changes_text else Action.REDACT
        return DecidedFinding(FIELD, found, Action(asked) if asked else by_policy)

    def _scan(self, text: str, key: str | None) -> list[Finding]:
        try:
            return self._scanner().scan(text, key=key)
        except TextTooLarge as error:
            raise DataTooLarge(str(error)) from error
        except ScanBudgetExceeded as error:
            raise ProcessingInterrupted(str(error)) from error


class GuardedHttpEgress:
    """Sends to addresses that the guard allows, and signs requests if a key is set."""

    def __init__(self, guard: EgressGuard, secret: str = "") -> None:
        self._guard = guard
        self._secret = secret.encode()

    def refusal_of(self, url: str) -> str | None:
        """Return what is expected instead of `url`, without repeating it; None if it is allowed."""
        if not self._guard.hosts:
            return "no address: `VESTIBULE_FORWARD_HOSTS` names no host"
        try:
            self._guard.check_address(url)
        except DeliveryForbidden as error:
            if error.problem in (AddressProblem.MALFORMED, AddressProblem.HAS_CREDENTIALS):
                return "an address such as https://HOST/PATH, without user, password and fragment, in ASCII"
            if error.problem is AddressProblem.PRIVATE:
                return "a public address"
            schemes, hosts = ", ".join(sorted(self._guard.schemes)), ", ".join(sorted(self._guard.hosts))
            return f"an address over {schemes} of one of these hosts: {hosts}"
        return None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Send `body` and return the response; errors as in `processing.ports.HttpEgress`."""
        if not self._guard.hosts:
            raise ForwardForbidden("the settings allow no host")
        signature = signature_headers(self._secret, body) if self._secret else {}
        try:
            answer = self._guard.send(url, body, {**headers, **signature}, MOST_ANSWER_BYTES)
        except DeliveryForbidden as error:
            raise ForwardForbidden(str(error)) from error
        except ResponseTooLarge as error:
            raise AnswerTooLarge(str(error)) from error
        except DeliveryFailed as error:
            raise ProcessingInterrupted(str(error), cause=error.cause) from error
        return EgressReply(answer.status, answer.body, answer.retry_after_s)
