"""The record of processing activities (GDPR, Article 30): from the policy, the settings and counts.

Nothing in it was sent by a caller: texts and names are those of the policy file and of the settings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from vestibule.client_service.settings import ClientSettings
from vestibule.contracts.entries import MAX_BATCH
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.policy import Action, Policy, Situation
from vestibule.policy.policy import PolicyFile
from vestibule.policy.retention import RetentionRule
from vestibule.processing import ProcessorRegistry

# Keys are counted a page at a time; more pages than these are not read for one record.
MOST_PAGES, PAGES_OF_AN_ACTIVITY = 100, 10
ALL = "all"
DAY_S = 86_400.0


class Kept(BaseModel):
    """How long entries are kept by one rule of the policy; `entities` are those that it is about, all if empty."""

    key_prefixes: list[str] = Field(examples=[["order:"]])
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    default_ttl_s: float | None = None
    max_ttl_s: float | None = None


class Activity(BaseModel):
    """A processing activity: entries with one purpose."""

    key_prefixes: list[str] = Field(description="Of which keys; empty for all others", examples=[["order:"]])
    purpose: str = Field(examples=["Delivery of orders"])
    legal_basis: str = Field(examples=["contract"])
    data_subjects: list[str] = Field(examples=[["customers"]])
    recipients: list[str] = Field(examples=[["parcel service"]])
    categories: dict[Action, list[str]] = Field(
        examples=[{"mask": ["EMAIL_ADDRESS"]}],
        description="The kinds of personal data and secrets that come in, by what the policy does with them; those "
        "that it blocks are not stored",
    )
    kept: list[Kept] = Field(description="Without a rule, entries are kept until they are deleted or expire")
    entries: int | None = Field(default=None, description="Entries of your tenant; absent if they were not counted")
    has_more_entries: bool = Field(default=False, description="There are more than `entries` says")


class KeptData(BaseModel):
    """A place that keeps data, in which form, and for how long in seconds; None until it is deleted."""

    name: str = Field(examples=["sqlite: entries"])
    content: str = Field(examples=["values of callers, by key"])
    form: str = Field(examples=["encrypted (AES-256-GCM)"])
    kept_s: float | None = None


class DataDestination(BaseModel):
    """Where something goes from here."""

    kind: str = Field(examples=["processor"])
    name: str = Field(examples=["http_forward"])
    content: str = Field(examples=["data of tasks"])
    hosts: list[str] = Field(default=[], examples=[["receiver.example"]])


class ProcessingRecord(BaseModel):
    """What is processed, why, how long it is kept, and where it goes."""

    generated_at: datetime
    tenant: str = Field(examples=["default"])
    policy: str = Field(description="The version of the policy", examples=["3c81d9a07b52"])
    controller: str = Field(examples=["Example Ltd"])
    contact: str = Field(examples=["privacy office"])
    safeguards: str = Field(examples=["encryption at rest"])
    activities: list[Activity]
    stores: list[KeptData]
    destinations: list[DataDestination]


@dataclass(frozen=True, slots=True)
class ProcessingRecords:
    """Makes the record of a tenant as it is now."""

    settings: ClientSettings
    policies: PolicyFile
    processors: ProcessorRegistry
    entries_for: Callable[[Principal], EntryClient]

    async def make(self, principal: Principal) -> ProcessingRecord:
        """Return the record; raises `Unavailable` where the store does not answer."""
        policy, database = self.policies.current, self.entries_for(principal)
        stated = policy.document.processing
        activities, pages_left = [], MOST_PAGES
        for activity in _activities(policy):
            if pages_left >= PAGES_OF_AN_ACTIVITY:
                pages_left -= await _count(activity, database)
            activities.append(activity)
        described = await database.get_store()
        return ProcessingRecord(
            generated_at=datetime.now(UTC),
            tenant=principal.tenant,
            policy=policy.version,
            controller=stated.controller,
            contact=stated.contact,
            safeguards=stated.safeguards,
            activities=activities,
            stores=self._stores(described.kind, described.keep_versions, described.keep_deleted_days),
            destinations=self._destinations(),
        )

    def _stores(self, kind: str, versions: int, deleted_days: float) -> list[KeptData]:
        settings, encrypted, clear = self.settings, "encrypted (AES-256-GCM)", "in clear, nothing of the data"
        return [
            KeptData(name=f"{kind}: entries", content="values of callers, by key", form=encrypted),
            KeptData(name=f"{kind}: history", content=f"{versions} versions of an entry", form=encrypted),
            KeptData(
                name=f"{kind}: names", content="keys of deleted entries", form="in clear", kept_s=deleted_days * DAY_S
            ),
            KeptData(name="tasks", content="data of tasks until they succeed", form=encrypted),
            KeptData(name="results", content="results of tasks", form=encrypted, kept_s=settings.result_expires_s),
            KeptData(name="schedules", content="texts of recurring tasks", form=encrypted),
            KeptData(
                name="decisions", content="kinds of findings", form=clear, kept_s=settings.decision_keep_days * DAY_S
            ),
            KeptData(name="logs", content="requests", form=clear, kept_s=settings.log_keep_days * DAY_S),
        ]

    def _destinations(self) -> list[DataDestination]:
        settings, built_in = self.settings, set(ProcessorRegistry.discover().names)
        found = [
            DataDestination(kind="channel", name=name, content="alerts: kinds and ids, nothing of the data")
            for name in settings.alert_channels
        ]
        if settings.forward_hosts:
            hosts = sorted(settings.forward_hosts)
            found.append(DataDestination(kind="processor", name="http_forward", content="data of tasks", hosts=hosts))
        found += [
            DataDestination(kind="processor", name=name, content="data of tasks, as its author decides")
            for name in self.processors.names
            if name not in built_in
        ]
        if settings.callback_secret.get_secret_value():
            hosts = list(settings.callback_origins)
            found.append(
                DataDestination(kind="callback", name="callbacks", content="ids and states of tasks", hosts=hosts)
            )
        return found


def _activities(policy: Policy) -> list[Activity]:
    """Return an activity for each purpose of the policy, and one for all other keys."""
    general = policy.document.processing
    others = [(list[str](), general.purpose, general.legal_basis, general.data_subjects, general.recipients)]
    purposes = [
        (
            list(one.key_prefixes),
            one.purpose,
            one.legal_basis or general.legal_basis,
            one.data_subjects or general.data_subjects,
            one.recipients or general.recipients,
        )
        for one in policy.document.purposes
    ]
    return [
        Activity(
            key_prefixes=prefixes,
            purpose=purpose,
            legal_basis=basis,
            data_subjects=list(subjects),
            recipients=list(recipients),
            categories=_categories(policy, prefixes[0] if prefixes else None),
            kept=[_kept(rule) for rule in policy.retention_rules if _is_about(rule, prefixes)],
        )
        for prefixes, purpose, basis, subjects, recipients in (*purposes, *others)
    ]


def _categories(policy: Policy, prefix: str | None) -> dict[Action, list[str]]:
    known = sorted(frozenset[str]().union(*policy.groups.values()))
    by_action: dict[Action, list[str]] = {}
    for entity in known:
        verdict = policy.verdict_of(Situation("/add", key=prefix), entity)
        by_action.setdefault(verdict.action, []).append(entity)
    stored = {action: entities for action, entities in by_action.items() if action is not Action.BLOCK}
    return {action: [ALL] if len(entities) == len(known) else entities for action, entities in stored.items()}


def _is_about(rule: RetentionRule, prefixes: list[str]) -> bool:
    both = [(mine, its) for mine in prefixes or [""] for its in rule.key_prefixes or ("",)]
    return any(mine.startswith(its) or its.startswith(mine) for mine, its in both)


def _kept(rule: RetentionRule) -> Kept:
    return Kept(key_prefixes=list(rule.key_prefixes), entities=sorted(rule.entities), **rule.terms())


async def _count(activity: Activity, database: EntryClient) -> int:
    """Count the entries of an activity, as far as that takes few pages; return how many pages it took."""
    counted = pages = 0
    for prefix in activity.key_prefixes or [""]:
        cursor: str | None = None
        while pages < PAGES_OF_AN_ACTIVITY:
            page = await database.keys(prefix, MAX_BATCH, cursor)
            counted, pages, cursor = counted + len(page.keys), pages + 1, page.cursor
            if cursor is None:
                break
        activity.has_more_entries |= cursor is not None or pages == PAGES_OF_AN_ACTIVITY
    activity.entries = counted
    return pages


def as_markdown(record: ProcessingRecord) -> str:
    """Return a record as a document for people."""
    lines = ["# Record of processing activities", ""]
    head = {"Controller": record.controller, "Contact": record.contact, "Tenant": record.tenant}
    head |= {"Policy": record.policy, "As of": f"{record.generated_at:%Y-%m-%d %H:%M} UTC"}
    head |= {"Safeguards": record.safeguards or "encryption at rest, screening of everything that comes in"}
    lines += [f"- {name}: {text or 'not stated in the policy'}" for name, text in head.items()]
    for activity in record.activities:
        lines += ["", f"## {_cell(activity.purpose) or 'Purpose not stated in the policy'}", ""]
        lines += [f"- {name}: {_cell(text)}" for name, text in _words_of(activity).items()]
    lines += ["", "## What is kept", "", "| where | what | form | kept |", "|---|---|---|---|"]
    lines += [_row(one.name, one.content, one.form, _days(one.kept_s)) for one in record.stores]
    lines += ["", "## Where it goes", "", "| kind | name | what | hosts |", "|---|---|---|---|"]
    lines += [_row(one.kind, one.name, one.content, ", ".join(one.hosts)) for one in record.destinations]
    return "\n".join(lines) + "\n"


def _words_of(activity: Activity) -> Mapping[str, str]:
    more = " or more" if activity.has_more_entries else ""
    kept = [
        f"{', '.join(one.entities) or 'every entry'}: {_days(one.default_ttl_s)}, at most {_days(one.max_ttl_s)}"
        for one in activity.kept
    ]
    return {
        "Keys": ", ".join(f"`{prefix}*`" for prefix in activity.key_prefixes) or "all others",
        "Legal basis": activity.legal_basis or "not stated in the policy",
        "Data subjects": ", ".join(activity.data_subjects) or "not stated in the policy",
        "Recipients": ", ".join(activity.recipients) or "none stated in the policy",
        "Categories": "; ".join(f"{action}: {', '.join(names)}" for action, names in activity.categories.items())
        or "none: every finding is blocked",
        "Kept": "; ".join(kept) or "until deleted or expired",
        "Entries": "not counted" if activity.entries is None else f"{activity.entries}{more}",
    }


def _days(seconds: float | None) -> str:
    return "until deleted" if seconds is None else f"{seconds / DAY_S:g} days"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"
