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
        min_length=1, max_length=10, description="Processors; the result of each is the input of the next"
    )


class Chain:
    """Passes the result of each processor to the next. A chain is one task, retried as a whole.

    Each step has an id of its own, the task's with the number of the step, which is the same at every attempt.
    """

    name = "chain"
    description = "Runs several processors in sequence."
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
        """Check the options of every step.

        Raises:
            InvalidInput: a processor is unknown or is a chain itself, or its options are invalid.
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
        """Return the result of the last step."""
        for number, step in enumerate(options.steps, 1):
            own = replace(job, id=f"{job.id}.{number}")
            data = job.context.processors.process(step.processor, data, step.options, own)
        return data


PROCESSOR: ConfigurableProcessor = Chain()
