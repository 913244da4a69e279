"""The policy: the actions on findings, declared in one file; independent of any service.

`document` reads the file, `compilation` and `table` turn its rules into one look-up, `policy` decides, `effect`
changes a text as decided, `source` follows the file while it changes, `decision_log` keeps what was decided, `replay`
says what another policy would have decided, and `receipts` signs what a caller is told.
"""

from vestibule.policy.action import Action, Severity
from vestibule.policy.decision import DecidedFinding, Decision, FindingLike, Outcome, Situation
from vestibule.policy.errors import InvalidPolicy
from vestibule.policy.policy import Policy
from vestibule.policy.vocabulary import Vocabulary

__all__ = [
    "Action",
    "DecidedFinding",
    "Decision",
    "FindingLike",
    "InvalidPolicy",
    "Outcome",
    "Policy",
    "Severity",
    "Situation",
    "Vocabulary",
]
