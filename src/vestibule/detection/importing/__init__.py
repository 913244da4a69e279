"""Turns rules of other programs into rule files: each rule is taken, or refused with a reason."""

from vestibule.detection.importing.imported import Imported, ImportOutcome, RuleOutcome
from vestibule.detection.importing.sources import import_rules

__all__ = ["ImportOutcome", "Imported", "RuleOutcome", "import_rules"]
