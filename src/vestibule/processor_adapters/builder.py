"""Builds the registry that a service works with."""

from collections.abc import Callable

from vestibule.detection import Scanner
from vestibule.encryption import Fingerprinter, KeyRingSource, Tokenizer
from vestibule.policy import Policy
from vestibule.processing import Means, ProcessorRegistry
from vestibule.processing.ports import UNEQUIPPED
from vestibule.processor_adapters.http_egress import GuardedWayOut
from vestibule.processor_adapters.inspection import Inspector, Seals
from vestibule.processor_adapters.settings import ProcessorSettings


def build_registry(
    settings: ProcessorSettings, scanner: Callable[[], Scanner], policy: Callable[[], Policy], seals: Seals
) -> ProcessorRegistry:
    """Return every processor that the settings lead to, with all that they may need.

    Raises:
        InvalidProcessor: one of the operator's own, or of a package's, cannot be used.
    """
    way_out = GuardedWayOut(settings.forward_guard, settings.forward_secret.get_secret_value())
    means = Means(Inspector(scanner, policy, seals), way_out, UNEQUIPPED.others)
    return ProcessorRegistry.discover(settings.processor_sources, means)


def check_processors(settings: ProcessorSettings) -> ProcessorRegistry:
    """Return a registry that can say which processors and options there are, and does no work.

    Raises:
        InvalidProcessor: one of them cannot be used.
    """
    way_out = GuardedWayOut(settings.forward_guard)
    means = Means(UNEQUIPPED.inspection, way_out, UNEQUIPPED.others)
    return ProcessorRegistry.discover(settings.processor_sources, means)


def build_seals(ring: KeyRingSource) -> Seals:
    """Return what stands in place of values, by the keys of a ring."""
    return Seals(Fingerprinter(ring).fingerprint, Tokenizer(ring))
