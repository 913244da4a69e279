"""Replaces personal data and secrets as the policy says."""

from typing import Literal

from pydantic import Field

from vestibule.processing.ports import Job
from vestibule.processing.processor import ConfigurableProcessor, Example, Options


class RedactOptions(Options):
    """What is replaced, and by what."""

    entities: tuple[str, ...] = Field(
        default=(), max_length=200, description="Only these kinds, also where the policy ignores them; all if not given"
    )
    action: Literal["redact", "hash", "tokenize", "mask"] | None = Field(
        default=None, description="What stands in place of each; what the policy says if not given"
    )


class Redact:
    """Replaces each finding as the policy does for incoming requests.

    What the policy blocks, or lets in with an alert, becomes `<ENTITY>`; what it ignores stays.
    """

    name = "redact"
    description = "Replaces personal data and secrets, as the policy says or as asked."
    options = RedactOptions
    examples = (
        ("write to jane@example.org", "write to <EMAIL_ADDRESS>"),
        Example("write to jane@example.org", "write to ************.org", {"action": "mask"}),
        Example(
            "jane@example.org, card 4111 1111 1111 1111",
            "jane@example.org, card <CREDIT_CARD>",
            {"entities": ["CREDIT_CARD"], "action": "redact"},
        ),
        ("nothing to hide", "nothing to hide"),
        ("", ""),
    )

    def process(self, data: str, options: RedactOptions, job: Job) -> str:
        """Return `data` with something in place of what was found."""
        return job.context.inspection.redact(data, job.origin, options.entities, options.action)


PROCESSOR: ConfigurableProcessor = Redact()
