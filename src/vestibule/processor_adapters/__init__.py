"""Adapters of the processors' ports, and the registry that uses them.

`detection`, `policy`, `encryption` and `egress` do not import `processing`, which declares the ports; the adapters here
implement the ports with them.
"""

from collections.abc import Callable
from functools import lru_cache

from vestibule.detection import Scanner
from vestibule.detection.options import DEFAULTS
from vestibule.encryption import Fingerprinter, KeyRingSource, Tokenizer
from vestibule.policy import Policy
from vestibule.processing import ProcessorContext, ProcessorRegistry
from vestibule.processing.ports import UNCONFIGURED
from vestibule.processor_adapters.ports import GuardedHttpEgress, Inspector, Pseudonymizer, Tokens, hashed, situation_of
from vestibule.processor_adapters.settings import InspectionSettings, ProcessorSettings, TimeLimitSettings

# Entities whose scanners are kept for the next fake.
NARROWED_KEPT = 64

__all__ = [
    "InspectionSettings",
    "Inspector",
    "ProcessorSettings",
    "Pseudonymizer",
    "TimeLimitSettings",
    "Tokens",
    "build_pseudonymizer",
    "build_registry",
    "check_processors",
    "hashed",
    "situation_of",
]


def build_registry(
    settings: ProcessorSettings,
    scanner: Callable[[], Scanner],
    policy: Callable[[], Policy],
    pseudonymizer: Pseudonymizer,
) -> ProcessorRegistry:
    """Return the registry of all processors, with their ports.

    Raises:
        InvalidProcessor: an operator's own processor or one of a package is invalid.
    """
    egress = GuardedHttpEgress(settings.forward_guard, settings.forward_secret.get_secret_value())
    context = ProcessorContext(Inspector(scanner, policy, pseudonymizer), egress, UNCONFIGURED.processors)
    return ProcessorRegistry.discover(settings.processor_sources, context)


def check_processors(settings: ProcessorSettings) -> ProcessorRegistry:
    """Return a registry that lists processors and validates options, and cannot run a processor.

    Raises:
        InvalidProcessor: one of them is invalid.
    """
    egress = GuardedHttpEgress(settings.forward_guard)
    context = ProcessorContext(UNCONFIGURED.inspection, egress, UNCONFIGURED.processors)
    return ProcessorRegistry.discover(settings.processor_sources, context)


def build_pseudonymizer(ring: KeyRingSource, scanner: Callable[[], Scanner]) -> Pseudonymizer:
    """Return the pseudonymizer for the keys of a ring; fakes are held to what `scanner` finds."""

    @lru_cache(NARROWED_KEPT)
    def narrowed_to(entity: str) -> Scanner:
        return scanner().narrowed(DEFAULTS._replace(entities=frozenset({entity})))

    def is_found(value: str, entity: str) -> bool:
        return any(one.start == 0 and one.end == len(value) for one in narrowed_to(entity).scan(value))

    return Pseudonymizer(Fingerprinter(ring).fingerprint, Tokenizer(ring), is_found)
