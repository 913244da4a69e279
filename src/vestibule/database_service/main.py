"""Wires the database service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

from fastapi import FastAPI

from vestibule.alerts import AlertEngine, AlertType, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.contracts.entries import StoreDescription
from vestibule.database_service.api import audit as audit_api
from vestibule.database_service.api import decisions, entries, maintenance, tasks, tokens
from vestibule.database_service.api.dependencies import DatabaseWiring
from vestibule.database_service.audit import stores as audit_stores
from vestibule.database_service.audit.audit_store import AuditStore, AuditStoreKind
from vestibule.database_service.audit.erasure import AuditErasure
from vestibule.database_service.decisions import stores as decision_stores
from vestibule.database_service.decisions.decision_store import DecisionStore, DecisionStoreKind
from vestibule.database_service.entries import stores
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.ledger_claim import claim_of
from vestibule.database_service.entries.memory import STORE as MEMORY_STORE
from vestibule.database_service.entries.metered_store import meter
from vestibule.database_service.entries.store import HasFile, ManagedStore, Store, StoreKind
from vestibule.database_service.entries.store_identity import RETRY_INTERVAL_S, StoreVerification, mark_of
from vestibule.database_service.maintenance.erasure import SubjectErasure
from vestibule.database_service.maintenance.jobs import EntryReencryption, Sweeper, TaskMaintenance, TombstonePurger
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tasks import ledgers
from vestibule.database_service.tasks.encrypted_ledger import REALM as TASK_REALM
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import LedgerKind, TaskLedger, measure_tasks
from vestibule.database_service.tasks.ledgers.sqlite import SqliteTaskLedger
from vestibule.database_service.tasks.task_entries import TaskAcceptance, TaskCompletion
from vestibule.database_service.tokens import registers
from vestibule.database_service.tokens.encrypted_register import REALM as TOKEN_REALM
from vestibule.database_service.tokens.encrypted_register import EncryptedTokenRegister
from vestibule.database_service.tokens.register import RegisterKind, TokenRegister
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile, key_digest
from vestibule.runtime.background import in_background
from vestibule.runtime.plugins import discover
from vestibule.runtime.starts import StartRefused
from vestibule.runtime.write_ahead_log import WriteAheadLog
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.http.app import create_service_app, exit_refused
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.metrics import AlertMetrics, Metrics, measure_logs
from vestibule.subject_search import SubjectSearcher

DESCRIPTION = "Stores key-value pairs and tasks. Only the other services may call it."
# Seconds between two sweeps of expired entries and tasks.
SWEEP_INTERVAL_S = 10.0
ROUTERS = [entries.router, maintenance.router, tasks.router, decisions.router, tokens.router, audit_api.router]


def create_app(settings: DatabaseSettings, sweep_interval_s: float = SWEEP_INTERVAL_S) -> FastAPI:
    """Return the database service, which removes expired values and results once in `sweep_interval_s`.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        ValueError: the settings name a store or a channel that does not exist.
    """
    metrics = Metrics("database")
    alert_metrics = AlertMetrics(metrics, settings.alert_channels)
    secret = ServiceSecret.read(settings.secret_file)
    ring = KeyRingFile(settings.key_ring_path)
    alerts = build_alert_engine("database", settings, alert_metrics.count_alert)
    request_alerts = RequestAlerts(alerts, Fingerprinter(ring).fingerprint)
    secret_files = SecretFiles(ring, [secret])
    plain_store = build_store(settings)
    meter(plain_store, metrics)
    store = EncryptedStore(plain_store, Cipher(ring, REALM))
    verification = StoreVerification(store, ring, mark_of(settings), claim_of(plain_store))
    plain_ledger = build_task_ledger(plain_store)
    ledger = EncryptedTaskLedger(plain_ledger, Cipher(ring, TASK_REALM))
    decision_store = build_decision_store(plain_store, settings.decision_keep_days)
    register = build_token_register(plain_store)
    audit = AuditErasure(build_audit_store(plain_store), SubjectSearcher(ring, settings.detection))
    purger = TombstonePurger(plain_store, timedelta(days=settings.keep_deleted_days))

    async def is_ready() -> bool:
        return verification.is_verified and (not isinstance(plain_store, HasFile) or await plain_store.is_in_place())

    sweeper = Sweeper([plain_store, plain_ledger, purger, decision_store], sweep_interval_s)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[DatabaseWiring]:
        tell = alerts.report_broken_file
        async with plain_store, _verifying(verification), sweeper.running(), in_background(secret_files.follow(tell)):
            await _prepare(plain_ledger, decision_store, register, audit.store)
            metrics.ask(partial(measure_tasks, plain_ledger))
            await _alert_lost_commits(plain_store, alerts)
            with alert_delivery(settings, alert_metrics.count_attempt) as notifications:
                logs = [*_logs_of(plain_ledger), notifications.log]
                measure_logs(metrics, *logs)
                yield DatabaseWiring(
                    authenticator=_authenticator(settings, secret, request_alerts),
                    readiness=Readiness({"store": is_ready}, [secret_files.note, *(log.note for log in logs)]),
                    store=store,
                    entry_reencryption=EntryReencryption(store),
                    change_stream=ChangeStream(),
                    task_ledger=ledger,
                    task_acceptance=TaskAcceptance(store, ledger, partial(key_digest, Fingerprinter(ring))),
                    task_completion=TaskCompletion(store, ledger),
                    task_maintenance=TaskMaintenance(ledger),
                    erasure=SubjectErasure.build(store, ledger, audit.searcher),
                    decisions=decision_store,
                    store_description=describe_store(settings),
                    tokens=EncryptedTokenRegister(register, Cipher(ring, TOKEN_REALM)),
                    audit_log=audit,
                )

    return create_service_app(
        "database", DESCRIPTION, settings, ROUTERS, lifespan, is_peer=secret.is_peer, metrics=metrics
    )


async def _prepare(*parts: TaskLedger | DecisionStore | TokenRegister | AuditStore) -> None:
    for part in parts:
        await part.prepare()


def _authenticator(settings: DatabaseSettings, secret: ServiceSecret, alerts: RequestAlerts) -> Authenticator:
    limit = AuthRateLimit(
        settings.auth_failures_per_minute,
        settings.trusted_proxies,
        alerts.report_guessed_tokens,
        on_denied=alerts.report_denied,
    )
    return Authenticator([secret], alerts.report_auth_failure, limit)


async def _alert_lost_commits(store: Store, alerts: AlertEngine) -> None:
    """Alert where the file of the store lacks what it had at its last commit."""
    if isinstance(store, HasFile) and (lost := store.lost_commits()):
        gone = " and ".join(f"{number} changes of {table}" for table, number in lost.items())
        text = f"The database lacks acknowledged commits: at least {gone}. Compare it with a backup."
        await alerts.raise_alert(AlertType.COMMITS_LOST, text)


@asynccontextmanager
async def _verifying(verification: StoreVerification) -> AsyncIterator[None]:
    """Verify the store; where it does not answer yet, again until it does, and end the program if it is refused."""
    if await verification.verify():
        yield
        return

    async def verify_later() -> None:
        try:
            is_verified = False
            while not is_verified:
                await asyncio.sleep(RETRY_INTERVAL_S)
                is_verified = await verification.verify()
        except StartRefused as refusal:
            exit_refused(refusal)

    async with in_background(verify_later()):
        yield


def _logs_of(ledger: TaskLedger) -> list[WriteAheadLog]:
    """Return the log of the file that the tasks are in, and the entries too if the store is SQLite."""
    return [ledger.file.log] if isinstance(ledger, SqliteTaskLedger) and ledger.file.log.name else []


def build_store(settings: DatabaseSettings) -> ManagedStore:
    """Return the store that the settings name; raises `ValueError` where no store has that scheme."""
    return find_store_kind(settings).build(settings)


def find_store_kind(settings: DatabaseSettings) -> StoreKind:
    """Return the kind of store that the settings name, found by the scheme of its URL.

    Raises:
        ValueError: no store has that scheme.
    """
    kinds = store_kinds()
    scheme = settings.database_url.partition(":")[0]
    if scheme not in kinds:
        raise ValueError(f"no store for `{scheme}:`; known are {', '.join(sorted(kinds))}")
    return kinds[scheme]


def describe_store(settings: DatabaseSettings) -> StoreDescription:
    """Return the kind of the store that the settings name, and how long it keeps what."""
    kind = find_store_kind(settings).scheme
    return StoreDescription(
        kind=kind, keep_versions=settings.keep_versions, keep_deleted_days=settings.keep_deleted_days
    )


def store_kinds() -> dict[str, StoreKind]:
    """Return every kind of store by its scheme."""
    return {kind.scheme: kind for kind in (MEMORY_STORE, *discover(stores, "STORE").values())}


def build_task_ledger(store: Store) -> TaskLedger:
    """Return the task ledger that belongs to `store`; raises `ValueError` where there is none."""
    kind: LedgerKind = _kind_for(store, ledgers, "LEDGER")
    return kind.build(store)


def build_decision_store(store: Store, keep_days: int) -> DecisionStore:
    """Return the store of decisions that belongs to `store`; raises `ValueError` where there is none."""
    kind: DecisionStoreKind = _kind_for(store, decision_stores, "DECISIONS")
    return kind.build(store, keep_days)


def build_token_register(store: Store) -> TokenRegister:
    """Return the register of tokens that belongs to `store`; raises `ValueError` where there is none."""
    kind: RegisterKind = _kind_for(store, registers, "REGISTER")
    return kind.build(store)


def build_audit_store(store: Store) -> AuditStore:
    """Return the audit that belongs to `store`; raises `ValueError` where there is none."""
    kind: AuditStoreKind = _kind_for(store, audit_stores, "AUDIT")
    return kind.build(store)


def _kind_for(store: Store, package: ModuleType, attribute: str) -> Any:
    """Return the `attribute` of the module of `package` that is made for this kind of store."""
    for kind in discover(package, attribute).values():
        if isinstance(store, kind.stores):
            return kind
    raise ValueError(f"nothing in {package.__name__} is made for {type(store).__name__}")
