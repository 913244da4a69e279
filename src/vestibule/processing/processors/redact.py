"""Replaces personal data and secrets, by the policy."""

from typing import Literal

from pydantic import Field

from vestibule.processing.ports import Job
from vestibule.processing.processor import ConfigurableProcessor, Example, Options


class RedactOptions(Options):
    """What is replaced, and how."""

    entities: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        description="Replace only these entities, even if the policy ignores them; default: all",
    )
    action: Literal["redact", "hash", "tokenize", "number", "fake", "mask"] | None = Field(
        default=None, description="How to replace each finding; default: the action of the policy"
    )


class Redact:
    """Replaces each finding as the policy does for incoming requests.

    A finding that the policy blocks, or accepts with an alert, becomes `<ENTITY>`; one that it ignores stays.
    """

    name = "redact"
    description = "Replaces personal data and secrets, by the policy or by a given action."
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
        """Return `data` with its findings replaced."""
        return job.context.inspection.redact(data, job.origin, options.entities, options.action)


PROCESSOR: ConfigurableProcessor = Redact()
