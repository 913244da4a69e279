"""Processors, shared by workers and the business logic service; independent of web framework and queue.

How to write a processor
------------------------
A module defines `PROCESSOR`: an object with `name`, `description`, `examples` and `process(data)`. A processor with
options names their model as `options` (a subclass of `Options`) and has the method `process(data, options, job)`. `job`
has the id of the work, which is the same at each attempt, its origin, and the ports (`context`): inspection by scanner
and policy, HTTP egress, and the other processors.
"""

from vestibule.processing.ports import (
    MAY_PASS,
    CannotProcess,
    EgressReply,
    HttpEgress,
    Inspection,
    InvalidProcessor,
    Job,
    ProcessingInterrupted,
    ProcessorContext,
    cause_of,
)
from vestibule.processing.processor import (
    AnyProcessor,
    ConfigurableProcessor,
    Example,
    Options,
    Processor,
    examples_of,
)
from vestibule.processing.registry import ProcessorRegistry, Sources, list_processors, model_of

__all__ = [
    "MAY_PASS",
    "AnyProcessor",
    "CannotProcess",
    "ConfigurableProcessor",
    "EgressReply",
    "Example",
    "HttpEgress",
    "Inspection",
    "InvalidProcessor",
    "Job",
    "Options",
    "ProcessingInterrupted",
    "Processor",
    "ProcessorContext",
    "ProcessorRegistry",
    "Sources",
    "cause_of",
    "examples_of",
    "list_processors",
    "model_of",
]
