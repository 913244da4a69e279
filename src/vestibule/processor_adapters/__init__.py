"""Adapters of the processors' ports: inspection by scanner and policy, HTTP egress, and the registry.

The rooms beneath do not know each other: `processing` has ports for what it needs, and here stands what fills them from
`detection`, `policy`, `sealing` and the guard of outgoing addresses.
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
