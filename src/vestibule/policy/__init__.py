"""The policy: the actions on findings, declared in one file; independent of any service.

`document` parses the file, `rule_index` indexes its rules, `policy` decides and reloads the file when it changes, and
`anonymizer` changes a text as decided. `decision_log` writes decisions to files, `receipts` signs them, and
`evaluation` applies another policy to them.
"""

from vestibule.policy.decision import Action, DecidedFinding, Decision, FindingLike, Outcome, RuleSeverity, Situation
from vestibule.policy.document import InvalidPolicy, Vocabulary
from vestibule.policy.policy import Policy

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
