"""The names of all settings, by which a misspelt environment variable is noticed.

They are repeated here since a part would have to import all others to know their settings; a test compares them.
"""

import re
from collections.abc import Iterator, Mapping

from vestibule.cli.options import echo

PREFIX = "VESTIBULE_"
_LISTED = """
    ALERT_ALERTMANAGER_URL ALERT_APPRISE_URLS ALERT_CHANNELS ALERT_EGRESS_PRIVATE
    ALERT_EGRESS_SCHEMES ALERT_EMAIL_FROM ALERT_EMAIL_PASSWORD ALERT_EMAIL_SERVER ALERT_EMAIL_TLS ALERT_EMAIL_TO
    ALERT_EMAIL_USER ALERT_GROUP_WAIT_S ALERT_KEEP_DAYS ALERT_REMINDER_S ALERT_REPLICA ALERT_ROUTES
    ALERT_WEBHOOK_SECRET ALERT_WEBHOOK_URL AUTH_FAILURES_PER_MINUTE BASE_PORT BROKER_URL BUSINESS_LOGIC_URL
    CALLBACK_ORIGINS CALLBACK_SECRET CLIENT_PROCESSES CLIENT_SERVICE_URL CONSOLE_URL CONCURRENCY DATABASE_SERVICE_URL
    DATABASE_TIMEOUT_S CONSOLE CONSOLE_SECRET_FILE CONSOLE_SERVICE_URL
    DATABASE_URL DATA_DIR DECISION_KEEP_DAYS DETECTION__ALLOWED_FINGERPRINTS DETECTION__ALLOWED_PATTERNS
    DETECTION__ALLOWED_VALUES DETECTION__CACHE_DIR DETECTION__DETECTORS_DIR DETECTION__ENTITIES
    DETECTION__FINGERPRINT_KEY DETECTION__IGNORED_ENTITIES DETECTION__MAX_TEXT_CHARS DETECTION__PATTERNS
    DETECTION__SCAN_BUDGET_MS DETECTION__THRESHOLDS DEV_TOKEN EMBEDDED ENTITY_POLICY FORWARD_HOSTS
    FORWARD_PRIVATE FORWARD_SCHEMES FORWARD_SECRET FORWARD_TIMEOUT_S HOST KEEP_DELETED_DAYS KEEP_VERSIONS
    KEYRING_FILE LEASE_S LOAD_SHED_AFTER_S LOG_BACKUPS LOG_KEEP_DAYS LOG_LEVEL LOG_MAX_BYTES MAX_BODY_BYTES
    MESSAGE_ROUTES METRICS_PORT MISSES_UNTIL_DOWN MOUNTED_TOKEN_FILE OTLP_ENDPOINT PART_THRESHOLDS POLICY
    POLICY_FILE PORT PRESIDIO_REFUSE_UNSERVED PROBE_INTERVAL_S PROBE_SLOW_MS PROBE_START_GRACE_S PROBE_TIMEOUT_S
    PROCESSORS_DIR
    QUEUE_AGE_LIMIT_S QUEUE_DEPTH_LIMIT RECEIPT_KEY_FILE REDIS_CA_FILE REDIS_PASSWORD_FILE REDIS_URL
    REQUEST_TIMEOUT_S RESULT_EXPIRES_S SCHEDULER_URL SERVER SERVICE_SECRET_FILE SERVICE_TIMEOUT_S SHUTDOWN_DRAIN_S
    SHUTDOWN_GRACE_S STATUS_PUBLIC TASK_MAX_ATTEMPTS TASK_RECORD_EXPIRES_S TASK_TIME_LIMIT_S TOKEN
    TRACE_SAMPLE_RATIO TRUSTED_PROXIES URL WITHOUT_BUSINESS_LOGIC WORKERS WORKER_MAX_MEMORY_MB
"""
NAMES = frozenset(_LISTED.split())
# No settings: what `vestibule up` and the tests set, and what platforms set for services named `vestibule-...`.
_OTHERS = re.compile(
    r"PARENT_PID|TERMINAL_LEVEL|(TEST|FAULT|ATTACK)_\w+|\w*(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)"
)
_GROUPS = frozenset(name.partition("__")[0] for name in NAMES if "__" in name)


def warn_of_unknown_settings(environment: Mapping[str, str]) -> None:
    """Name each variable that is no setting on standard error, with the one that it resembles, and no value.

    Parts of `vestibule up` say nothing, since that has said it.
    """
    if PREFIX + "EMBEDDED" not in environment:
        for variable, nearest in unknown_settings(environment):
            advice = f"did you mean {nearest}?" if nearest else "`vestibule config` lists all"
            echo(f"vestibule: {variable} is no setting and has no effect; {advice}", err=True)


def unknown_settings(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Yield each variable with our prefix that is no setting, and the setting that it resembles, if any."""
    for variable in sorted(environment):
        # Settings are read without regard to case.
        name = variable.upper().removeprefix(PREFIX)
        is_ours = variable.upper().startswith(PREFIX) and not environment[variable].startswith(("tcp://", "udp://"))
        if is_ours and name not in NAMES and name not in _GROUPS and not _OTHERS.fullmatch(name):
            import difflib

            nearest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.75)
            yield variable, PREFIX + nearest[0] if nearest else None
