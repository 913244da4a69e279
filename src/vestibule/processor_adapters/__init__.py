"""Adapters of the processors' ports: inspection by scanner and policy, HTTP egress, and the registry.

The packages below do not import each other: `processing` declares ports, and the adapters here implement them with
`detection`, `policy`, `encryption` and `egress`.
"""

from vestibule.processor_adapters.builder import build_pseudonymizer, build_registry, check_processors
from vestibule.processor_adapters.inspection import Inspector, Pseudonymizer, Tokens, hashed, situation_of
from vestibule.processor_adapters.settings import InspectionSettings, ProcessorSettings

__all__ = [
    "InspectionSettings",
    "Inspector",
    "ProcessorSettings",
    "Pseudonymizer",
    "Tokens",
    "build_pseudonymizer",
    "build_registry",
    "check_processors",
    "hashed",
    "situation_of",
]
