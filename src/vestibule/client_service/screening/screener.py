"""Screens text: the scanner finds, the policy decides, and findings raise alerts."""

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from vestibule.alerts import DEFAULT_SEVERITY, Alert, AlertEngine, AlertType, Severity, current_origin
from vestibule.alerts.alert import new_alert_id
from vestibule.alerts.alert_engine import Origin
from vestibule.client_service.screening.descriptions import RESULT_FIELD, consequence_of, entities_in, name_of, views_of
from vestibule.client_service.screening.scan_errors import refusal_of
from vestibule.contracts.errors import PersonalDataFound, ResultRefused
from vestibule.detection import DetectionError, Explanation, Finding, ScanBudgetExceeded, Scanner
from vestibule.detection.matching import WHOLE_TEXT_CHARS
from vestibule.detection.names import readings
from vestibule.policy import Action, DecidedFinding, Decision, Outcome, Situation
from vestibule.policy.allowances import AllowanceList
from vestibule.policy.anonymizer import anonymize
from vestibule.policy.decision import strictest, value_of
from vestibule.policy.policy import KEY_FIELD, OPTIONS_FIELD, Policy, PolicyFile
from vestibule.policy.stand_ins import Change, StandIns
from vestibule.processor_adapters import Pseudonymizer
from vestibule.runtime.log_context import bind_log_fields, log_fields
from vestibule.runtime.shares import Shares
from vestibule.service_kit.metrics.catalogue import DECISIONS, FINDINGS
from vestibule.service_kit.metrics.metrics import Metrics

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

    `decision` has what a reply says about the decision: `findings`, `would_have`, `decision_id`, and `receipt` where
    the caller wants one.
    """

    text: str
    decision: dict[str, Any]

    @property
    def entities(self) -> frozenset[str]:
        """The entities that were found, whatever the policy did with them."""
        return frozenset(finding["entity"] for finding in self.decision["findings"])


class FieldText(NamedTuple):
    """A text of a form: the label by which findings name it, and the name of its field, which is its context."""

    label: str
    text: str
    context: str | None


@dataclass(frozen=True, slots=True)
class ScreenedFields:
    """The texts of a form that the policy accepts, by their labels, and the decision about all, as in `Screened`."""

    texts: Mapping[str, str]
    decision: dict[str, Any]

    @property
    def entities(self) -> frozenset[str]:
        """The entities that were found, whatever the policy did with them."""
        return frozenset(finding["entity"] for finding in self.decision["findings"])


class ConversationStandIns(Protocol):
    """Keeps the stand-ins of a conversation."""

    async def apply(self, change: Change) -> Mapping[str, str]:
        """Return what `change` makes of texts with the stand-ins of the conversation, once the new ones are kept."""
        ...


class DecisionRecorder(Protocol):
    """Records decisions, and signs receipts of them."""

    def record(
        self,
        decision: Decision,
        situation: Situation,
        texts: Mapping[str, str],
        key_prefix: str | None = None,
        alert_id: str | None = None,
    ) -> str:
        """Record a decision about `texts`, by field, and return its id."""
        ...

    def receipt_of(self, decision_id: str, decision: Decision, situation: Situation) -> str:
        """Return the receipt of a decision that was just recorded."""
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
    # The values that pass, if any may. The list is filled later.
    allowances: AllowanceList | None = None
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
        if decision.findings and self.allowances is not None and self.allowances.known:
            decision = self.allowances.apply_to(decision, texts, situation.tenant)
        report_decision(decision, self.metrics)
        if not decision.findings:
            decision_id = self.audit.record(decision, situation, texts)
            clean: dict[str, Any] = {"findings": [], "would_have": None, "decision_id": decision_id}
            if situation.wants_receipt:
                clean["receipt"] = self.audit.receipt_of(decision_id, decision, situation)
            return Screened(text, clean)
        members = self._record(decision, situation, texts, policy)
        await self._act(decision, texts, members, situation)
        decided = [one for one in decision.findings if one.field == field]
        stand_ins = StandIns()
        stand_ins.reserve([text])
        operators = self.pseudonymizer.operators_for(policy, situation, stand_ins)
        if len(text) > LARGE_TEXT_CHARS:
            changed = await self.in_thread(partial(anonymize, text, decided, operators))
        else:
            changed = anonymize(text, decided, operators)
        members.pop("alert_id", None)
        return Screened(changed, {"findings": views_of(decision), "would_have": decision.strictest_withheld, **members})

    async def screen_fields(
        self, situation: Situation, fields: Sequence[FieldText], conversation: ConversationStandIns | None = None
    ) -> ScreenedFields:
        """Screen each text of a form by itself, in the context of its own field; decide about all at once.

        The key of `situation` is one of ours; it chooses rules and is not screened. Stand-ins are those of the
        `conversation`, if there is one.

        Raises:
            PersonalDataFound: the policy rejects one; the findings name its label.
            TooLarge, ScanImpossible, TooManyWaiting: as `screen`.
        """
        texts = {one.label: one.text for one in fields}
        findings: dict[str, list[Finding]] = {}
        for label, text, context in fields:
            # Other requests are served between two texts.
            await asyncio.sleep(0)
            findings[label] = (await self._scan_all(self.scanner.scan, {"text": text}, context))["text"]
        policy = self.policies.current
        decision = policy.decide(situation, findings)
        if decision.findings and self.allowances is not None and self.allowances.known:
            decision = self.allowances.apply_to(decision, texts, situation.tenant)
        report_decision(decision, self.metrics)
        members = self._record(decision, situation, texts, policy)
        if not decision.findings:
            return ScreenedFields(texts, {"findings": [], "would_have": None, **members})
        await self._act(decision, texts, members, situation)
        by_label: dict[str, list[DecidedFinding]] = {}
        for one in decision.findings:
            by_label.setdefault(one.field, []).append(one)

        async def change(stand_ins: StandIns) -> Mapping[str, str]:
            stand_ins.reserve(texts.values())
            operators = self.pseudonymizer.operators_for(policy, situation, stand_ins)

            def anonymized() -> dict[str, str]:
                return {label: anonymize(texts[label], some, operators) for label, some in by_label.items()}

            is_large = sum(len(texts[label]) for label in by_label) > LARGE_TEXT_CHARS
            return await self.in_thread(anonymized) if is_large else anonymized()

        changed = await (change(StandIns()) if conversation is None else conversation.apply(change))
        members.pop("alert_id", None)
        views = {"findings": views_of(decision), "would_have": decision.strictest_withheld, **members}
        return ScreenedFields({**texts, **changed}, views)

    def _record(
        self, decision: Decision, situation: Situation, texts: Mapping[str, str], policy: Policy
    ) -> dict[str, Any]:
        """Record a decision; return what answers say of it, and the id of the alert that it raises."""
        # Chosen before the alert is raised, so that a caller who leaves meanwhile leaves a record.
        alert_id = new_alert_id() if decision.suspicious else None
        key_prefix = policy.rule_index.prefix_of(situation.key)
        members: dict[str, Any] = {"decision_id": self.audit.record(decision, situation, texts, key_prefix, alert_id)}
        if situation.wants_receipt:
            members["receipt"] = self.audit.receipt_of(members["decision_id"], decision, situation)
        return members if alert_id is None else {**members, "alert_id": alert_id}

    async def scan(self, text: str) -> list[Finding]:
        """Return the findings without applying the policy. Raises `TooLarge` and `ScanImpossible` as `screen` does."""
        return (await self.find({"text": text}, None))["text"]

    async def find(self, texts: Mapping[str, str], key: str | None) -> dict[str, list[Finding]]:
        """Return the findings in texts by their fields, as `screen` finds them under `key`; raises what that does."""
        return await self._scan_all(self.scanner.scan, texts, key)

    async def scan_by(self, scan: Callable[..., list[Found]], text: str, key: str | None) -> list[Found]:
        """Return what `scan`, of a scanner with other options, finds in a text; raises what `Screener.scan` raises."""
        return (await self._scan_all(scan, {"text": text}, key))["text"]

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
            await self._act(decision, {field: text}, {}, Situation("", tenant=current_origin()["tenant"]))

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
        except DetectionError as error:
            raise refusal_of(error) from error
        return findings

    async def _scan_long(self, scan: Callable[..., list[Found]], text: str, key: str | None) -> list[Found]:
        if len(text) <= LARGE_TEXT_CHARS:
            with suppress(ScanBudgetExceeded):
                return scan(text, key=key, budget_ms=LOOP_BUDGET_MS)
        return await self.in_thread(partial(scan, text, key=key), MOST_SCANS_WAITING)

    async def in_thread(self, work: Callable[[], Returned], most_waiting: float = math.inf) -> Returned:
        """Return what `work` returns, in a thread within the share of the caller's token."""
        async with self._shares.of(current_origin()["token_id"], most_waiting):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _act(
        self, decision: Decision, texts: Mapping[str, str], members: Mapping[str, Any], situation: Situation
    ) -> None:
        """Raise the alert about a decision, and reject the text where the decision says so; `members` go into both."""
        if not decision.suspicious:
            return
        alert = await self._alert(decision, texts, situation, members.get("alert_id"))
        if decision.outcome is Outcome.BLOCKED:
            blocking = [one for one in decision.findings if one.action is Action.BLOCK]
            fields = list(dict.fromkeys(f"`{one.field}`" for one in blocking))
            contain = f"{' and '.join(fields)} {'contains' if len(fields) == 1 else 'contain'}"
            is_result = RESULT_FIELD in texts
            kind, what = (ResultRefused, "Result") if is_result else (PersonalDataFound, "Request")
            raise kind(
                f"{what} rejected: {contain} {entities_in(blocking)}. Nothing was stored.",
                findings=views_of(decision),
                **{**members, "alert_id": alert.id},
            )

    async def _alert(
        self, decision: Decision, texts: Mapping[str, str], situation: Situation, alert_id: str | None
    ) -> Alert:
        suspicious = decision.suspicious
        surest = max(suspicious, key=lambda one: one.found.score)
        current = current_origin()
        task_id = situation.task_id or current["task_id"]
        origin: Origin = {**current, "tenant": situation.tenant, "task_id": task_id}
        fields = " and the ".join(dict.fromkeys(name_of(one.field) for one in suspicious))
        return await self.alerts.raise_alert(
            self._kind_of(suspicious),
            f"{entities_in(suspicious)} in the {fields} of a request; {consequence_of(decision, texts)}.",
            entities=sorted({one.found.entity for one in suspicious}),
            fingerprint=self.pseudonymizer.fingerprint(value_of(surest, texts), situation.tenant),
            severity=self._severity_of(suspicious),
            alert_id=alert_id,
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


def report_decision(decision: Decision, metrics: Metrics | None = None) -> None:
    """Count a decision, and add it to the canonical log line of the request.

    The line has the strictest decision about the texts of a request, and the entities of all.
    """
    bound = log_fields()
    if not decision.findings:
        if metrics is not None:
            metrics.count(DECISIONS, NO_FINDINGS)
        if "decision" not in bound:
            bind_log_fields(decision=CLEAN)
        return
    actions = [one.action for one in decision.findings]
    if metrics is not None:
        for one in decision.findings:
            metrics.count(FINDINGS, one.found.entity, str(one.action))
        metrics.count(DECISIONS, str(strictest(actions)))
    if bound.get("decision", CLEAN) != CLEAN:
        actions.append(Action(bound["decision"]))
    entities = {one.found.entity for one in decision.findings}.union(bound.get("entities", ()))
    bind_log_fields(decision=str(strictest(actions)), entities=sorted(entities))
