"""Drafts of the policy file: parsed for an answer, and neither kept nor activated."""

from dataclasses import dataclass
from pathlib import Path

from vestibule.policy import Policy, Vocabulary
from vestibule.policy.policy import FallbackPolicy


@dataclass(frozen=True, slots=True)
class PolicyDrafts:
    """Parses drafts by the rules of the file in force, with the settings beneath it."""

    path: Path
    vocabulary: Vocabulary
    fallback: FallbackPolicy

    def parse(self, text: str) -> Policy:
        """Return the policy that a draft would be as the file.

        Raises:
            InvalidPolicy: it is invalid.
        """
        return Policy.read(Path(self.path.name), self.vocabulary, self.fallback, text=text)
