"""Processors, shared by workers and the business logic service; independent of web framework and queue.

How to write a processor
------------------------
One module that offers a `PROCESSOR`: an object with `name`, `description`, `examples` and `process(data)`. One that
takes options names their model as `options` (inherit from `Options`), and its method is `process(data, options, job)`;
`job` has the id of the work, the same at each attempt, on whose behalf it is done, and the means that a service fits
out (`context`): the scanner with the policy, the guarded way out, and the other processors.
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
    "examples_of",
    "list_processors",
    "model_of",
]
