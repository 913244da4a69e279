"""Adapters of the processors' ports, and the registry that uses them.

`detection`, `policy`, `encryption` and `egress` do not import `processing`, which declares the ports; the adapters here
implement the ports with them.
"""

from collections.abc import Callable

from vestibule.detection import Scanner
from vestibule.encryption import Fingerprinter, KeyRingSource, Tokenizer
from vestibule.policy import Policy
from vestibule.processing import ProcessorContext, ProcessorRegistry
from vestibule.processing.ports import UNCONFIGURED
from vestibule.processor_adapters.ports import GuardedHttpEgress, Inspector, Pseudonymizer, Tokens, hashed, situation_of
from vestibule.processor_adapters.settings import InspectionSettings, ProcessorSettings, TimeLimitSettings

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


def build_pseudonymizer(ring: KeyRingSource) -> Pseudonymizer:
    """Return the pseudonymizer for the keys of a ring."""
    return Pseudonymizer(Fingerprinter(ring).fingerprint, Tokenizer(ring))
