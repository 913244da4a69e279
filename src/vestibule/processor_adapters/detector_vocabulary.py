"""The detectors as policy and receipts need them: entity names, groups, and their version."""

import hashlib

import vestibule
from vestibule.detection.catalogue import declared_in, list_detectors, list_modules
from vestibule.detection.options import DEFAULTS, ScannerOptions
from vestibule.detection.rules import Detector
from vestibule.policy import Vocabulary

SECRETS = "secrets"
PERSONAL_DATA = "personal_data"
# Folders of detectors that are groups of the policy, besides `personal_data`.
GROUP_FOLDERS = frozenset({SECRETS, "national_ids"})
# The routes whose texts the policy applies to.
CHECKED_ROUTES = frozenset({"/add", "/beta/litellm_basic_guardrail_api", "/forms/{name}", "/messages", "/run"})
VERSION_DIGITS = 12


def read_vocabulary(options: ScannerOptions = DEFAULTS) -> Vocabulary:
    """Return the names that a policy may use.

    The folders `secrets` and `national_ids` are groups, and have what own detectors and rule files count among them;
    `personal_data` is every entity that is not a secret.
    """
    detectors = list_detectors(options)
    entities = frozenset(detector.entity for detector in detectors)
    groups: dict[str, frozenset[str]] = {}
    for module in list_modules():
        folder = module.__name__.split(".detectors.")[1].partition(".")[0]
        if folder in GROUP_FOLDERS:
            found = frozenset(detector.entity for detector in declared_in(module))
            groups[folder] = groups.get(folder, frozenset()) | found
    for detector in detectors:
        if detector.group in GROUP_FOLDERS:
            groups[detector.group] |= {detector.entity}
    groups[PERSONAL_DATA] = entities - groups[SECRETS]
    return Vocabulary(entities, groups, CHECKED_ROUTES)


def version_of_detectors(options: ScannerOptions = DEFAULTS) -> str:
    """Return a short hash that changes with the program, with any rule, and with the options."""
    digest = hashlib.sha256(vestibule.__version__.encode())
    for detector in list_detectors(options):
        digest.update(_content(detector).encode())
    chosen = (options.entities and sorted(options.entities), sorted(options.ignored_entities), options.thresholds)
    digest.update(repr((*chosen, sorted(options.allowed_values), options.allowed_patterns)).encode())
    return digest.hexdigest()[:VERSION_DIGITS]


def _content(detector: Detector) -> str:
    rules = [
        (
            rule.name,
            rule.expression,
            rule.score,
            rule.broken_score,
            rule.alone_score,
            _name_of(rule.check),
        )
        for rule in detector.rules
    ]
    return repr((detector.entity, detector.threshold, rules, detector.labels, detector.against))


def _name_of(check: object) -> str:
    # The text of an object may hold its address in memory, so its class is named instead.
    name = getattr(check, "__qualname__", None) or repr(check)
    return type(check).__qualname__ if " at 0x" in name else str(name)
