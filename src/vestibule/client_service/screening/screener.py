"""Screens text: the scanner finds, the policy decides, and findings raise alerts."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from vestibule.alerts import DEFAULT_SEVERITY, Alert, AlertEngine, AlertType, Severity, current_origin
from vestibule.client_service.screening.canonical_log_line import log_decision
from vestibule.contracts.errors import PersonalDataFound, ResultRefused, ScanImpossible, TooLarge
from vestibule.detection import DetectionError, Explanation, Finding, ScanBudgetExceeded, Scanner, TextTooLarge
from vestibule.policy import Action, DecidedFinding, Decision, Outcome, Policy, Situation
from vestibule.policy.anonymizer import anonymize
from vestibule.policy.decision import value_of
from vestibule.policy.policy import KEY_FIELD, OPTIONS_FIELD
from vestibule.processor_adapters import Pseudonymizer

# The result of a processor. It is screened like input, in the situation of the request that asked for it.
RESULT_FIELD = "result"

# A scan of more characters than this would block the event loop for too long.
LARGE_TEXT_CHARS = 20_000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class LocatedFinding:
    """A finding, the part of the request that contains it, and the action taken."""

    judged: DecidedFinding
    would_have: Action | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON members."""
        found = self.judged.found
        shown = {
            "entity": found.entity,
            "start": found.start,
            "end": found.end,
            "score": round(found.score, 3),
            "field": self.judged.field,
            "action": self.judged.action,
        }
        return shown if self.would_have is None else {**shown, "would_have": self.would_have}


@dataclass(frozen=True, slots=True)
class Screened:
    """A text that the policy accepts, changed where the policy says so, with its findings and the receipt."""

    text: str
    findings: list[LocatedFinding]
    receipt: str
    would_have: Action | None = None


class DecisionRecorder(Protocol):
    """Records decisions."""

    def record(self, decision: Decision, situation: Situation, texts: Mapping[str, str], key_prefix: str | None) -> str:
        """Record a decision about `texts`, by field, and return its receipt."""
        ...


def ignore_decision(_decision: Decision) -> None:
    """Ignore a decision."""


class Screener:
    """Accepts texts or rejects them. A text that cannot be scanned is rejected."""

    def __init__(
        self,
        scanner: Scanner,
        policy: Callable[[], Policy],
        alerts: AlertEngine,
        audit: DecisionRecorder,
        pseudonymizer: Pseudonymizer,
        *,
        secrets: frozenset[str],
        on_decision: Callable[[Decision], None] = ignore_decision,
    ) -> None:
        """Take the parts; `policy` returns the one in force; `secrets` are the entities that are not personal data."""
        self._on_decision = on_decision
        self._scanner = scanner
        self._policy = policy
        self._alerts = alerts
        self._audit = audit
        self._pseudonymizer = pseudonymizer
        self._secrets = secrets

    async def screen(self, situation: Situation, field: str, text: str, options: str | None = None) -> Screened:
        """Screen a text, and with it the key that it will be stored under; return it as the policy changes it.

        `options` are screened with it; like the key, they are accepted unchanged or rejected.

        Raises:
            PersonalDataFound: the policy rejects it.
            TooLarge: it is longer than the scanner accepts.
            ScanImpossible: the scan did not finish in time.
        """
        texts = {field: text} if situation.key is None else {KEY_FIELD: situation.key, field: text}
        if options is not None:
            texts[OPTIONS_FIELD] = options
        return await self._decide(situation, field, texts)

    async def screen_result(self, situation: Situation, result: str) -> Screened:
        """Screen the result of a processor; return it as the policy changes it. Its key was screened with the request.

        Raises:
            ResultRefused: the policy rejects it.
            TooLarge: it is longer than the scanner accepts.
            ScanImpossible: the scan did not finish in time.
        """
        return await self._decide(situation, RESULT_FIELD, {RESULT_FIELD: result})

    async def _decide(self, situation: Situation, field: str, texts: Mapping[str, str]) -> Screened:
        text = texts[field]
        findings = {name: await self.scan(given, _name_of(name, situation)) for name, given in texts.items()}
        policy = self._policy()
        decision = policy.decide(situation, findings)
        self._on_decision(decision)
        log_decision(decision)
        receipt = self._audit.record(decision, situation, texts, policy.rule_index.prefix_of(situation.key))
        if not decision.findings:
            return Screened(text, [], receipt)
        await self._act(decision, texts, receipt)
        judged = [one for one in decision.findings if one.field == field]
        operators = self._pseudonymizer.operators_for(policy.tenant_of(situation))
        if len(text) > LARGE_TEXT_CHARS:
            changed = await asyncio.to_thread(anonymize, text, judged, operators)
        else:
            changed = anonymize(text, judged, operators)
        return Screened(changed, _located(decision), receipt, decision.strictest_withheld)

    async def scan(self, text: str, key: str | None = None) -> list[Finding]:
        """Return the findings, without applying the policy.

        Raises:
            TooLarge: the text is longer than the scanner accepts.
            ScanImpossible: the scan did not finish in time.
        """
        return await self._within_bounds(self._scanner.scan, text, key)

    async def explain(self, text: str, key: str | None = None) -> list[Explanation]:
        """Return what `scan` returns, with the reasons of each finding. Raises what `scan` raises."""
        return await self._within_bounds(self._scanner.explain, text, key)

    @staticmethod
    async def _within_bounds(scan: Callable[..., list[Found]], text: str, key: str | None) -> list[Found]:
        try:
            if len(text) > LARGE_TEXT_CHARS:
                return await asyncio.to_thread(scan, text, key=key)
            return scan(text, key=key)
        except TextTooLarge as error:
            raise TooLarge(f"A text may have at most {error.limit:,} characters.") from error
        except ScanBudgetExceeded as error:
            raise ScanImpossible("The scan did not finish within the time limit, so the text was rejected.") from error

    def is_clean(self, text: str) -> bool:
        """Say whether the scanner finds nothing; a text that it cannot scan is not clean."""
        try:
            return not self._scanner.scan(text)
        except DetectionError:
            return False

    async def refuse_findings(self, field: str, text: str) -> None:
        """Reject a text with any finding, whatever the policy says: people will read it.

        Raises:
            PersonalDataFound: the text has a finding.
        """
        judged = [DecidedFinding(field, found, Action.BLOCK) for found in await self.scan(text)]
        if judged:
            decision = Decision("", judged)
            log_decision(decision)
            await self._act(decision, {field: text}, None)

    async def _act(self, decision: Decision, texts: Mapping[str, str], receipt: str | None) -> None:
        if not decision.suspicious:
            return
        alert = await self._alert(decision, texts)
        if decision.outcome is Outcome.BLOCKED:
            blocking = [one for one in decision.findings if one.action is Action.BLOCK]
            is_result = RESULT_FIELD in texts
            kind, what = (ResultRefused, "Result") if is_result else (PersonalDataFound, "Request")
            raise kind(
                f"{what} rejected: {_contain(blocking)} {_entities(blocking)}. Nothing was stored.",
                findings=[located.as_dict() for located in _located(decision)],
                alert_id=alert.id,
                **({} if receipt is None else {"receipt": receipt}),
            )

    async def _alert(self, decision: Decision, texts: Mapping[str, str]) -> Alert:
        suspicious = decision.suspicious
        surest = max(suspicious, key=lambda one: one.found.score)
        return await self._alerts.raise_alert(
            self._kind_of(suspicious),
            f"{_entities(suspicious)} in the {_fields(suspicious)} of a request; {_consequence(decision, texts)}.",
            entities=sorted({one.found.entity for one in suspicious}),
            fingerprint=self._pseudonymizer.fingerprint(value_of(surest, texts)),
            severity=self._severity_of(suspicious),
            **current_origin(),
        )

    def _kind_of(self, suspicious: list[DecidedFinding]) -> AlertType:
        is_secret = any(one.found.entity in self._secrets for one in suspicious)
        return AlertType.SECRET if is_secret else AlertType.PERSONAL_DATA

    def _severity_of(self, suspicious: list[DecidedFinding]) -> Severity:
        order = list(Severity)
        asked = [
            Severity(one.severity) if one.severity else DEFAULT_SEVERITY[self._kind_of([one])] for one in suspicious
        ]
        return max(asked, key=order.index)


ACTION_WORDS = {
    Action.REDACT: "redacted",
    Action.HASH: "hashed",
    Action.TOKENIZE: "tokenized",
    Action.MASK: "masked",
    Action.ALERT: "unchanged",
    Action.IGNORE: "ignored",
}


def _consequence(decision: Decision, texts: Mapping[str, str]) -> str:
    what = "result" if RESULT_FIELD in texts else "request"
    if decision.outcome is Outcome.BLOCKED:
        return f"the {what} was rejected"
    if decision.is_dry_run:
        return f"the {what} was accepted unchanged in a dry run; the policy says {decision.strictest_withheld}"
    actions = ", ".join(f"{entity} {ACTION_WORDS[action]}" for entity, action in decision.actions.items())
    return f"the {what} was accepted with {actions}"


def _name_of(field: str, situation: Situation) -> str | None:
    # The key is context for the value. The key itself and the options have none.
    return None if field in {KEY_FIELD, OPTIONS_FIELD} else situation.key


def _located(decision: Decision) -> list[LocatedFinding]:
    return [LocatedFinding(one, withheld) for one, withheld in decision.with_withheld]


def _entities(judged: list[DecidedFinding]) -> str:
    return ", ".join(sorted({one.found.entity for one in judged}))


def _fields(judged: list[DecidedFinding]) -> str:
    return " and the ".join(dict.fromkeys(one.field for one in judged))


def _contain(judged: list[DecidedFinding]) -> str:
    fields = dict.fromkeys(f"`{one.field}`" for one in judged)
    return f"{' and '.join(fields)} {'contains' if len(fields) == 1 else 'contain'}"
