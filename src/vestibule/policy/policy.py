"""The policy: decides on the actions for findings, and is reloaded when its file changes."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.tokens import Quota
from vestibule.policy.decision import Action, DecidedFinding, Decision, FindingLike, Findings, Situation, Verdict
from vestibule.policy.document import (
    DocumentReader,
    GuardrailTable,
    InvalidPolicy,
    PolicyDocument,
    Vocabulary,
    read_document,
)
from vestibule.policy.retention import Retention, RetentionRule
from vestibule.policy.rule_index import PolicyRule, Row, RuleIndex, Scope
from vestibule.runtime.background import repeat
from vestibule.runtime.files import WatchedFile

KEY_FIELD, OPTIONS_FIELD = "key", "options"
# With replacements in them, two keys could become one and overwrite each other, and options could mean something else.
UNCHANGED_FIELDS = frozenset({KEY_FIELD, OPTIONS_FIELD})
# The same holds for the names of the fields of a form; with this and a number they are fields of a decision. The answer
# to a gateway has no place for changed tool calls and for members of messages that are no text.
NAME_FIELD = "name "
TOOL_CALL_FIELD, MEMBER_FIELD = "tool call", "message member"
_UNCHANGED_PREFIXES = (NAME_FIELD, TOOL_CALL_FIELD, MEMBER_FIELD)
VERSION_DIGITS = 12
POLL_INTERVAL_S = 0.5
ChangeHandler = Callable[["Policy"], Awaitable[None]]
InvalidPolicyHandler = Callable[[InvalidPolicy], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FallbackPolicy:
    """The policy where no rule of the file applies: the settings, then the built-in defaults."""

    default: Action = Action.BLOCK
    by_entity: Mapping[str, Action] = field(default_factory=dict)

    def rules(self, vocabulary: Vocabulary) -> list[PolicyRule]:
        """Return the settings as rules.

        Raises:
            ValueError: the settings name an entity that does not exist.
        """
        rules = [PolicyRule(Scope(), "VESTIBULE_POLICY or built in", 0, self.default)]
        for name, action in self.by_entity.items():
            if name not in vocabulary.entities and name not in vocabulary.groups:
                raise ValueError(f"VESTIBULE_ENTITY_POLICY: unknown entity or group {name}{vocabulary.suggest(name)}")
            scope = Scope(entity=name) if name in vocabulary.entities else Scope(group=name)
            rules.append(PolicyRule(scope, "VESTIBULE_ENTITY_POLICY", 0, action))
        return rules


class Policy:
    """An immutable set of rules with a version."""

    def __init__(
        self,
        rules: Iterable[PolicyRule],
        groups: Mapping[str, frozenset[str]],
        *,
        is_dry_run: bool = False,
        keeps_clean: bool = False,
        tenants: Mapping[str, str] | None = None,
        quotas: Mapping[str, Quota] | None = None,
        path: Path | None = None,
        retention: Sequence[RetentionRule] = (),
        document: PolicyDocument | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.groups = groups
        self.is_dry_run = is_dry_run
        # Whether decisions without findings are recorded. It changes no decision, so it is not part of the version.
        self.keeps_clean = keeps_clean
        self.path = path
        self.document = document or PolicyDocument()
        self.retention_rules = tuple(retention)
        # A dry run stores everything as it would be without a policy.
        self.retention = Retention(self.retention_rules) if retention and not is_dry_run else None
        # Whether a rule replaces values by numbers or fakes, which conversations keep.
        self.uses_stand_ins = any(rule.action in {Action.NUMBER, Action.FAKE} for rule in self.rules)
        self._tenants = tenants or {}
        # The quotas of tenants, by their names.
        self.quotas = quotas or {}
        self.rule_index = RuleIndex(self.rules, groups)
        self.version = _version_of(
            self.rules,
            groups,
            is_dry_run,
            self._tenants,
            quotas=self.quotas,
            retention=self.retention_rules,
            document=self.document,
        )
        self._clean = Decision(self.version, is_kept=keeps_clean)

    @classmethod
    def built_in(cls, vocabulary: Vocabulary, fallback: FallbackPolicy | None = None) -> "Policy":
        """Return the policy that applies without a file.

        Raises:
            ValueError: the settings name an entity that does not exist.
        """
        return cls((fallback or FallbackPolicy()).rules(vocabulary), vocabulary.groups)

    @classmethod
    def read(
        cls, path: Path, vocabulary: Vocabulary, fallback: FallbackPolicy | None = None, *, text: str | None = None
    ) -> "Policy":
        """Return the policy in the file `path`, or in `text`, a draft of that file.

        Raises:
            InvalidPolicy: the file cannot be read or is invalid.
            ValueError: the settings name an entity that does not exist.
        """
        reading = read_document(path, vocabulary) if text is None else DocumentReader(path, text, vocabulary)
        rules = [*(fallback or FallbackPolicy()).rules(vocabulary), *reading.rules()]
        document = reading.document
        return cls(
            rules,
            reading.groups,
            is_dry_run=document.dry_run,
            keeps_clean=document.keep_clean,
            tenants=document.tenants,
            quotas=document.quotas,
            path=path,
            retention=reading.retention(),
            document=document,
        )

    def decide(self, situation: Situation, findings: Findings) -> Decision:
        """Return the decision on a request with these findings, by field."""
        if not any(findings.values()):
            return self._clean
        row = self.rule_index.row_of(situation)
        decided = [self._decide_finding(row, name, found) for name, some in findings.items() for found in some]
        if not self.is_dry_run:
            return Decision(self.version, decided)
        taken = [one if one.action is Action.IGNORE else one._replace(action=Action.ALERT) for one in decided]
        return Decision(self.version, taken, [one.action for one in decided])

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that the policy assigns tokens to; tenants of callers' own tokens are not among them."""
        return frozenset({DEFAULT_TENANT, *self._tenants.values()})

    def tenant_of(self, situation: Situation) -> str:
        """Return the tenant for which the caller's values are tokenized, and whose tokens it may reveal."""
        for name in (situation.token_id, situation.token_name):
            if name is not None and name in self._tenants:
                return self._tenants[name]
        return situation.tenant

    def verdict_of(self, situation: Situation, entity: str) -> Verdict:
        """Return the verdict on `entity` in `situation`, with the rule that decides."""
        return self.rule_index.look_up(self.rule_index.row_of(situation), entity)

    def _decide_finding(self, row: Row, name: str, found: FindingLike) -> DecidedFinding:
        verdict = self.rule_index.look_up(row, found.entity, name)
        action = Action.IGNORE if found.score < verdict.threshold else verdict.action
        if action.changes_text and (name in UNCHANGED_FIELDS or name.startswith(_UNCHANGED_PREFIXES)):
            action = Action.BLOCK
        return DecidedFinding(name, found, action, verdict.severity, verdict.rule, verdict.rule_id)


def _version_of(
    rules: Sequence[PolicyRule],
    groups: Mapping[str, frozenset[str]],
    is_dry_run: bool,
    tenants: Mapping[str, str],
    *,
    quotas: Mapping[str, Quota],
    retention: Sequence[RetentionRule],
    document: PolicyDocument,
) -> str:
    """Return the start of the SHA-256 of the rules, independent of their order and lines."""
    contents = sorted(
        json.dumps([rule.layer, rule.scope.as_json(), rule.action, rule.threshold, rule.severity], sort_keys=True)
        for rule in rules
    )
    used = {rule.scope.group for rule in rules}
    content = {
        "rules": contents,
        "groups": {name: sorted(entities) for name, entities in groups.items() if name in used},
        "dry_run": is_dry_run,
        "tenants": dict(tenants),
        **({"quotas": {name: quota.model_dump() for name, quota in quotas.items()}} if quotas else {}),
    }
    if retention:
        kept = ([rule.key_prefixes, sorted(rule.entities), rule.default_ttl_s, rule.max_ttl_s] for rule in retention)
        content["retention"] = sorted(json.dumps(rule) for rule in kept)
    if document.forms:
        content["forms"] = {name: form.model_dump(mode="json") for name, form in document.forms.items()}
    if document.guardrail != GuardrailTable():
        content["guardrail"] = document.guardrail.model_dump(mode="json")
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:VERSION_DIGITS]


class PolicyFile:
    """Reads a policy file and polls it for changes; `current` is the policy in force.

    If a file that `is_optional` is missing, the built-in policy applies.
    """

    def __init__(
        self, path: Path, vocabulary: Vocabulary, fallback: FallbackPolicy | None = None, *, is_optional: bool = True
    ) -> None:
        """Read the policy for the first time.

        Raises:
            InvalidPolicy: the file is invalid, or is missing and not optional.
            ValueError: the settings name an entity that does not exist.
        """
        self._file = WatchedFile(
            path,
            lambda path: Policy.read(path, vocabulary, fallback),
            broken=InvalidPolicy,
            on_broken=_raise,
            when_missing=(lambda: Policy.built_in(vocabulary, fallback)) if is_optional else None,
            must_settle=True,
        )
        self.current = self._file.current()

    async def follow(self, on_change: ChangeHandler, on_invalid: InvalidPolicyHandler) -> None:
        """Poll the file until cancelled; report each new policy, and each invalid file once."""

        async def check() -> float:
            try:
                if await asyncio.to_thread(self.refresh):
                    await on_change(self.current)
            except InvalidPolicy as broken:
                await on_invalid(broken)
            return POLL_INTERVAL_S

        await repeat(check, on_error=_log_error, first_pause_s=POLL_INTERVAL_S, error_pause_s=POLL_INTERVAL_S)

    def follow_in_thread(self) -> None:
        """Poll the file in a thread until this process ends. The client service reports new and invalid policies."""
        threading.Thread(target=self._follow, name="policy", daemon=True).start()

    def _follow(self) -> None:
        pause = threading.Event()
        has_failed = False
        while not pause.wait(POLL_INTERVAL_S):
            try:
                self.refresh()
                has_failed = False
            except InvalidPolicy:
                continue  # the previous policy stays active
            except Exception as error:  # noqa: BLE001 - without this thread the process keeps the old policy
                if not has_failed:
                    _log_error(error)
                has_failed = True

    def refresh(self) -> bool:
        """Reload the file; return whether the policy changed.

        Raises:
            InvalidPolicy: the file is invalid; the last valid policy stays. Raised once for each state of the file.
        """
        before = self.current
        self.current = self._file.reload()
        return self.current.version != before.version


def _log_error(error: Exception) -> None:
    structlog.get_logger("vestibule.policy").error("policy_check_failed", exc_info=error)


def _raise(error: Exception) -> None:
    raise error
