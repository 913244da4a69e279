"""Runs several processors in sequence."""

from dataclasses import replace
from typing import Any

from pydantic import Field

from vestibule.processing.ports import Job, ProcessorContext
from vestibule.processing.processor import ConfigurableProcessor, Example, Options, Place, refuse_option


class ChainStep(Options):
    """One processor and its options."""

    processor: str = Field(max_length=100)
    options: dict[str, Any] = Field(default={})


class ChainOptions(Options):
    """The steps in their order."""

    steps: tuple[ChainStep, ...] = Field(
        min_length=1, max_length=10, description="What each makes is what the next gets"
    )


class Chain:
    """Passes the result of each processor to the next. A chain is one task, retried as a whole.

    Each step works under an id of its own, the task's with its number: two that forward are told apart, and each is the
    same at every attempt.
    """

    name = "chain"
    description = "Does several processors one after the other."
    options = ChainOptions
    examples = (
        Example("  hi \n you ", "HI YOU", {"steps": [{"processor": "normalize"}, {"processor": "uppercase"}]}),
        Example(
            '{"note": "write to jane@example.org"}',
            "write to <EMAIL_ADDRESS>",
            {
                "steps": [
                    {"processor": "json_pointer", "options": {"pointer": "/note"}},
                    {"processor": "redact", "options": {"action": "redact"}},
                ]
            },
        ),
        Example("", "", {"steps": [{"processor": "uppercase"}]}),
    )

    def refusal_of(self, options: ChainOptions, context: ProcessorContext, place: Place) -> None:
        """Look at the options of every step.

        Raises:
            InvalidInput: a processor does not exist or is a chain itself, or its options are not valid.
        """
        for number, step in enumerate(options.steps):
            within = (*place, "steps", number)
            if step.processor == self.name:
                raise refuse_option((*within, "processor"), "chain_in_chain", "a processor other than a chain")
            if step.processor not in context.processors.names:
                known = ", ".join(context.processors.names)
                raise refuse_option((*within, "processor"), "unknown_processor", f"one of {known}")
            context.processors.read_options(step.processor, step.options, (*within, "options"))

    def process(self, data: str, options: ChainOptions, job: Job) -> str:
        """Return what the last step makes."""
        for number, step in enumerate(options.steps, 1):
            own = replace(job, id=f"{job.id}.{number}")
            data = job.context.processors.process(step.processor, data, step.options, own)
        return data


PROCESSOR: ConfigurableProcessor = Chain()
