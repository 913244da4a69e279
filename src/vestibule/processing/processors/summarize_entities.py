"""Counts the entities in a text."""

import json

from vestibule.processing.ports import Job
from vestibule.processing.processor import ConfigurableProcessor, Options


class SummarizeOptions(Options):
    """No options."""


class SummarizeEntities:
    """Counts the findings by entity, independent of the policy; the result is a JSON object."""

    name = "summarize_entities"
    description = "Counts personal data and secrets by entity, as JSON."
    options = SummarizeOptions
    examples = (
        (
            "jane@example.org, john@example.org, card 4111 1111 1111 1111",
            '{"CREDIT_CARD": 1, "EMAIL_ADDRESS": 2}',
        ),
        ("nothing to hide", "{}"),
        ("", "{}"),
    )

    def process(self, data: str, options: SummarizeOptions, job: Job) -> str:  # noqa: ARG002 - there are no options
        """Return the number of findings by entity, as JSON."""
        return json.dumps(dict(sorted(job.context.inspection.count(data).items())))


PROCESSOR: ConfigurableProcessor = SummarizeEntities()
