"""Builds the alert engine, its channels and its delivery from the settings."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from vestibule.alerts import channels
from vestibule.alerts.alert import Alert
from vestibule.alerts.alert_engine import AlertEngine, ChannelFanOut, RaisedAlertHandler
from vestibule.alerts.channel import Channel, ChannelKind, SyncableChannel, Timing
from vestibule.alerts.delivery.dispatcher import AttemptHandler, NotificationDispatcher
from vestibule.alerts.delivery.outbox import GIVE_UP_AFTER_S, DeliveryRules
from vestibule.alerts.settings import AlertSettings
from vestibule.alerts.store.alert_store import AlertStore, Escalation
from vestibule.alerts.store.database import check_database
from vestibule.alerts.store.retention import AlertRetention
from vestibule.runtime.plugins import discover
from vestibule.runtime.starts import StartRefused


class ChannelRefused(StartRefused, ValueError):
    """A channel does not exist or lacks a setting: no later start succeeds either."""


def list_channels() -> dict[str, ChannelKind]:
    """Return every channel in `channels/`, by name."""
    return {kind.name: kind for kind in discover(channels, "CHANNEL").values()}


def build_channels(settings: AlertSettings, timing: Timing) -> dict[str, Channel]:
    """Return the configured channels with that timing.

    Raises:
        ChannelRefused: one of them does not exist, or lacks a setting.
    """
    known = list_channels()
    unknown = sorted(set(settings.alert_channels) - set(known))
    if unknown:
        raise ChannelRefused(f"unknown alert channels {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return {name: known[name].build(settings) for name in settings.alert_channels if known[name].timing is timing}
    except ValueError as error:
        raise ChannelRefused(str(error)) from None


def build_alert_engine(
    service: str, settings: AlertSettings, on_raised: RaisedAlertHandler = lambda _: None
) -> AlertEngine:
    """Return an engine that raises alerts for `service` and calls `on_raised` with each.

    Raises:
        StartRefused: the alert store is gone, empty or not one.
        ValueError: the settings name a channel that does not exist, or one that lacks a setting.
    """
    check_database(settings.alert_record_path)
    return AlertEngine(service, {}, _log_failure, build_store(settings), on_raised)


@contextmanager
def alert_delivery(
    settings: AlertSettings, on_attempt: AttemptHandler = lambda *_: None
) -> Iterator[NotificationDispatcher]:
    """Group alerts and send notifications meanwhile, unless another process of this host does.

    `on_attempt` gets the channel of each attempted delivery, and its outcome.

    Raises:
        ValueError: the settings name a channel that does not exist, or one that lacks a setting.
    """
    rules = DeliveryRules(
        settings.alert_grouping,
        settings.alert_reminder_s,
        GIVE_UP_AFTER_S,
        settings.replica,
        settings.console_url,
    )
    at_once = build_channels(settings, Timing.BEFORE_ANSWER)
    dispatcher = NotificationDispatcher(
        settings.alert_record_path,
        rules,
        build_channels(settings, Timing.NOTIFICATION),
        settings.alert_routes,
        [channel for channel in at_once.values() if isinstance(channel, SyncableChannel)],
        on_attempt=on_attempt,
        pruner=AlertRetention(settings.report_dir, settings.alert_keep_days),
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def build_store(settings: AlertSettings) -> AlertStore:
    """Return the alert store, which delivers alerts to the channels of this machine.

    Raises:
        ValueError: the settings name a channel that does not exist.
    """
    at_once = build_channels(settings, Timing.BEFORE_ANSWER)
    before = ChannelFanOut(at_once, _log_failure)
    after = ChannelFanOut(build_channels(settings, Timing.AFTER_ANSWER), _log_failure)
    syncable = {name: channel for name, channel in at_once.items() if isinstance(channel, SyncableChannel)}

    def deliver_before_answer(alert: Alert, is_recorded: bool) -> None:
        if not alert.has_report:
            return
        before.deliver(alert)
        # Without the database, the report is the only durable copy.
        for name, channel in () if is_recorded else syncable.items():
            try:
                channel.sync([alert])
            except Exception as error:  # noqa: BLE001 - a defect of one channel must not affect the others
                _log_failure(name, error)

    return AlertStore(
        settings.alert_record_path, Escalation(), deliver_before_answer, after.deliver_all, _log_record_failure
    )


def _log_failure(channel: str, error: Exception) -> None:
    log = structlog.get_logger("vestibule.alerts")
    errno = error.errno if isinstance(error, OSError) else None
    log.error("alert_channel_failed", channel=channel, error=type(error).__name__, errno=errno)


def _log_record_failure(error: Exception) -> None:
    name = error.sqlite_errorname if isinstance(error, sqlite3.Error) else None
    log = structlog.get_logger("vestibule.alerts")
    log.error("alert_store_write_failed", error=name or type(error).__name__)
