"""Screens text: the scanner finds, the policy decides, and findings raise alerts."""

import asyncio
import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog

from vestibule.alerts import DEFAULT_SEVERITY, Alert, AlertEngine, AlertType, Severity, current_origin
from vestibule.alerts.alert_engine import Origin
from vestibule.contracts.errors import PersonalDataFound, ResultRefused, ScanImpossible, TooLarge
from vestibule.detection import (
    DetectionError,
    DetectorFailed,
    Explanation,
    Finding,
    ScanBudgetExceeded,
    Scanner,
    TextTooLarge,
)
from vestibule.detection.matching import WHOLE_TEXT_CHARS
from vestibule.detection.names import readings
from vestibule.policy import Action, DecidedFinding, Decision, Outcome, Situation
from vestibule.policy.anonymizer import anonymize
from vestibule.policy.decision import strictest, value_of
from vestibule.policy.policy import KEY_FIELD, OPTIONS_FIELD, PolicyFile
from vestibule.processor_adapters import Pseudonymizer
from vestibule.runtime.shares import Shares
from vestibule.service_kit.metrics.catalogue import DECISIONS, FINDINGS
from vestibule.service_kit.metrics.metrics import Metrics

# The result of a processor. It is screened like input, in the situation of the request that asked for it.
RESULT_FIELD = "result"

# Texts whose meaning does not depend on the key.
WITHOUT_CONTEXT = {KEY_FIELD, OPTIONS_FIELD}

# The value of a decision without findings in the log line, and in the metrics.
CLEAN, NO_FINDINGS = "clean", "none"

# A scan of more characters than this would block the event loop for too long. Shorter texts are scanned there, and
# again in a thread where that takes longer than the budget; the shortest never do.
LARGE_TEXT_CHARS, SHORT_TEXT_CHARS = 20_000, WHOLE_TEXT_CHARS
LOOP_BUDGET_MS = 2.0
# Large texts are scanned in threads of their own. One token uses half of them, so that another finds one free.
SCAN_THREADS = max(2, min(8, os.cpu_count() or 1))
# Further scans of a token that wait for a thread.
MOST_SCANS_WAITING = 64

Found = TypeVar("Found")
Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True)
class Screened:
    """A text that the policy accepts, changed where the policy says so.

    `decision` has what a reply says about the decision: `findings`, `would_have` and `receipt`.
    """

    text: str
    decision: dict[str, Any]


class DecisionRecorder(Protocol):
    """Records decisions."""

    def record(self, decision: Decision, situation: Situation, texts: Mapping[str, str], key_prefix: str | None) -> str:
        """Record a decision about `texts`, by field, and return its receipt."""
        ...


@dataclass(slots=True)
class Screener:
    """Accepts texts or rejects them. A text that cannot be scanned is rejected."""

    scanner: Scanner
    policies: PolicyFile
    alerts: AlertEngine
    audit: DecisionRecorder
    pseudonymizer: Pseudonymizer
    # The entities that are not personal data.
    secrets: frozenset[str]
    # Counts decisions, if set. The processes of a worker's pool set their own.
    metrics: Metrics | None = None
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(SCAN_THREADS, "scan"), init=False)
    _shares: Shares = field(default_factory=lambda: Shares(SCAN_THREADS // 2), init=False)

    async def screen(self, situation: Situation, field: str, text: str, options: str | None = None) -> Screened:
        """Screen a text, and with it the key that it will be stored under; return it as the policy changes it.

        `options` are screened with it; like the key, they are accepted unchanged or rejected. The key of a result
        (`RESULT_FIELD`) was screened with the request that asked for it.

        Raises:
            PersonalDataFound, ResultRefused: the policy rejects the text.
            TooLarge: it is longer than the scanner accepts.
            ScanImpossible: the scan did not finish in time, or a detector failed.
            TooManyWaiting: too many long texts of the token wait to be scanned.
        """
        texts = {field: text}
        if situation.key is not None and field != RESULT_FIELD:
            texts = {KEY_FIELD: situation.key, field: text}
        if options is not None:
            texts[OPTIONS_FIELD] = options
        findings = await self._scan_all(self.scanner.scan, texts, situation.key)
        policy = self.policies.current
        decision = policy.decide(situation, findings)
        report_decision(decision, self.metrics)
        key_prefix = policy.rule_index.prefix_of(situation.key) if decision.findings else None
        receipt = self.audit.record(decision, situation, texts, key_prefix)
        if not decision.findings:
            return Screened(text, {"findings": [], "would_have": None, "receipt": receipt})
        await self._act(decision, texts, receipt, situation.tenant)
        decided = [one for one in decision.findings if one.field == field]
        operators = self.pseudonymizer.operators_for(policy, situation)
        if len(text) > LARGE_TEXT_CHARS:
            changed = await self._in_thread(partial(anonymize, text, decided, operators))
        else:
            changed = anonymize(text, decided, operators)
        would_have = decision.strictest_withheld
        return Screened(changed, {"findings": _views(decision), "would_have": would_have, "receipt": receipt})

    async def scan(self, text: str) -> list[Finding]:
        """Return the findings without applying the policy. Raises `TooLarge` and `ScanImpossible` as `screen` does."""
        return (await self._scan_all(self.scanner.scan, {"text": text}, None))["text"]

    async def explain(self, text: str) -> list[Explanation]:
        """Return what `scan` returns, with the reasons of each finding. Raises what `scan` raises."""
        return (await self._scan_all(self.scanner.explain, {"text": text}, None))["text"]

    def is_clean(self, text: str) -> bool:
        """Say whether the scanner finds nothing in a name; one that it cannot scan is not clean."""
        try:
            return not self.scanner.scan(readings(text))
        except DetectionError:
            return False

    async def refuse_findings(self, field: str, text: str) -> None:
        """Reject a text with any finding, whatever the policy says: people will read it.

        Raises:
            PersonalDataFound: the text has a finding.
        """
        if found := await self.scan(text):
            decision = Decision("", [DecidedFinding(field, one, Action.BLOCK) for one in found])
            report_decision(decision)
            await self._act(decision, {field: text}, None, current_origin()["tenant"])

    async def _scan_all(
        self, scan: Callable[..., list[Found]], texts: Mapping[str, str], key: str | None
    ) -> dict[str, list[Found]]:
        """Scan each text. The key is context for all texts except the options and itself."""
        findings = {}
        try:
            for name, text in texts.items():
                context = None if name in WITHOUT_CONTEXT else key
                if len(text) <= SHORT_TEXT_CHARS:
                    findings[name] = scan(text, key=context)
                else:
                    findings[name] = await self._scan_long(scan, text, context)
        except TextTooLarge as error:
            raise TooLarge(f"A text may have at most {error.limit:,} characters.") from error
        except ScanBudgetExceeded as error:
            raise ScanImpossible("The scan did not finish within its budget, so the text was rejected.") from error
        except DetectorFailed as error:
            cause = type(error.__cause__).__name__
            structlog.get_logger("vestibule.screening").error("detector_failed", entity=error.entity, error=cause)
            raise ScanImpossible("A detector failed on the text, so the text was rejected.") from error
        return findings

    async def _scan_long(self, scan: Callable[..., list[Found]], text: str, key: str | None) -> list[Found]:
        if len(text) <= LARGE_TEXT_CHARS:
            with suppress(ScanBudgetExceeded):
                return scan(text, key=key, budget_ms=LOOP_BUDGET_MS)
        return await self._in_thread(partial(scan, text, key=key), MOST_SCANS_WAITING)

    async def _in_thread(self, work: Callable[[], Returned], most_waiting: float = math.inf) -> Returned:
        """Return what `work` returns, in a thread within the share of the caller's token."""
        async with self._shares.of(current_origin()["token_id"], most_waiting):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _act(self, decision: Decision, texts: Mapping[str, str], receipt: str | None, tenant: str) -> None:
        if not decision.suspicious:
            return
        alert = await self._alert(decision, texts, tenant)
        if decision.outcome is Outcome.BLOCKED:
            blocking = [one for one in decision.findings if one.action is Action.BLOCK]
            fields = list(dict.fromkeys(f"`{one.field}`" for one in blocking))
            contain = f"{' and '.join(fields)} {'contains' if len(fields) == 1 else 'contain'}"
            is_result = RESULT_FIELD in texts
            kind, what = (ResultRefused, "Result") if is_result else (PersonalDataFound, "Request")
            raise kind(
                f"{what} rejected: {contain} {_entities(blocking)}. Nothing was stored.",
                findings=_views(decision),
                alert_id=alert.id,
                **({} if receipt is None else {"receipt": receipt}),
            )

    async def _alert(self, decision: Decision, texts: Mapping[str, str], tenant: str) -> Alert:
        suspicious = decision.suspicious
        surest = max(suspicious, key=lambda one: one.found.score)
        origin: Origin = {**current_origin(), "tenant": tenant}
        fields = " and the ".join(dict.fromkeys(one.field for one in suspicious))
        return await self.alerts.raise_alert(
            self._kind_of(suspicious),
            f"{_entities(suspicious)} in the {fields} of a request; {_consequence(decision, texts)}.",
            entities=sorted({one.found.entity for one in suspicious}),
            fingerprint=self.pseudonymizer.fingerprint(value_of(surest, texts), tenant),
            severity=self._severity_of(suspicious),
            **origin,
        )

    def _kind_of(self, suspicious: list[DecidedFinding]) -> AlertType:
        is_secret = any(one.found.entity in self.secrets for one in suspicious)
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


def report_decision(decision: Decision, metrics: Metrics | None = None) -> None:
    """Count a decision, and add it to the canonical log line of the request.

    The line has the strictest decision about the texts of a request, and the entities of all.
    """
    bound = structlog.contextvars.get_contextvars()
    if not decision.findings:
        if metrics is not None:
            metrics.count(DECISIONS, NO_FINDINGS)
        if "decision" not in bound:
            structlog.contextvars.bind_contextvars(decision=CLEAN)
        return
    actions = [one.action for one in decision.findings]
    if metrics is not None:
        for one in decision.findings:
            metrics.count(FINDINGS, one.found.entity, str(one.action))
        metrics.count(DECISIONS, str(strictest(actions)))
    if bound.get("decision", CLEAN) != CLEAN:
        actions.append(Action(bound["decision"]))
    entities = {one.found.entity for one in decision.findings}.union(bound.get("entities", ()))
    structlog.contextvars.bind_contextvars(decision=str(strictest(actions)), entities=sorted(entities))


def _views(decision: Decision) -> list[dict[str, Any]]:
    """Return the findings as JSON members: kind, position and action, never the text."""
    views = []
    for one, withheld in decision.with_withheld:
        view = {
            "entity": one.found.entity,
            "start": one.found.start,
            "end": one.found.end,
            "score": round(one.found.score, 3),
            "field": one.field,
            "action": one.action,
        }
        views.append(view if withheld is None else {**view, "would_have": withheld})
    return views


def _entities(decided: list[DecidedFinding]) -> str:
    return ", ".join(sorted({one.found.entity for one in decided}))
