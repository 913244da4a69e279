"""The policy: the actions on findings, declared in one file; independent of any service.

`document` parses the file, `rule_index` indexes its rules, `policy` decides, `anonymizer` changes a text as decided,
and `policy_file` reloads the file when it changes. In `audit`, `decision_log` records decisions, `replay` applies
another policy to them, and `receipts` signs them.
"""

from vestibule.policy.action import Action, RuleSeverity
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
    "RuleSeverity",
    "Situation",
    "Vocabulary",
]
