"""The registry of processors: finds one by name, validates its options and runs it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self, cast

from pydantic import BaseModel

from vestibule.contracts.errors import UnknownProcessor
from vestibule.processing.catalogue import BUILT_IN, Sources, list_processors
from vestibule.processing.errors import ResultNotText
from vestibule.processing.options import Place, read_options, refuse_option
from vestibule.processing.ports import UNCONFIGURED, Job, ProcessorContext
from vestibule.processing.processor import AnyProcessor, ConfigurableProcessor, Processor

PLACE: Place = ("body", "options")


class ProcessorRegistry:
    """All processors by name, with the ports that they use."""

    def __init__(self, known: Iterable[AnyProcessor], context: ProcessorContext = UNCONFIGURED) -> None:
        self._processors = {processor.name: processor for processor in known}
        self._context = replace(context, processors=self)

    @classmethod
    def discover(cls, sources: Sources = BUILT_IN, context: ProcessorContext = UNCONFIGURED) -> Self:
        """Return a registry of every processor in `processors/`, and of those that `sources` adds.

        Raises:
            InvalidProcessor: one of those cannot be used.
        """
        return cls(list_processors(sources), context)

    @property
    def names(self) -> list[str]:
        """The names that callers can ask for, in order."""
        return sorted(self._processors)

    def find(self, name: str) -> AnyProcessor:
        """Return the processor called `name`.

        Raises:
            UnknownProcessor: there is none.
        """
        try:
            return self._processors[name]
        except KeyError:
            raise UnknownProcessor(f"No such processor. Known: {', '.join(self.names)}.") from None

    def time_limit_s(self, name: str) -> float | None:
        """Return the longest that the processor called `name` may take, None where it does not say."""
        limit_s: float | None = getattr(self._processors.get(name), "time_limit_s", None)
        return limit_s

    def read_options(self, name: str, given: Mapping[str, Any], place: Place = PLACE) -> BaseModel | None:
        """Return the options of the processor called `name` as its model, None where it takes none.

        Raises:
            UnknownProcessor: there is none.
            InvalidInput: they are not valid; `errors` says where, beneath `place`.
        """
        processor = self.find(name)
        model = model_of(processor)
        if model is None:
            if given:
                raise refuse_option(place, "no_options", "no options: this processor has none")
            return None
        options = read_options(model, given, place)
        if (look := getattr(processor, "refusal_of", None)) is not None:
            look(options, self._context, place)
        return options

    def process(self, name: str, data: str, options: Mapping[str, Any] | None = None, job: Job | None = None) -> str:
        """Return what the processor called `name` makes of `data`.

        Raises:
            UnknownProcessor: there is none.
            InvalidInput: the options are not valid.
            ResultNotText: it is no text that can be written as UTF-8.
        """
        processor = self.find(name)
        read = self.read_options(name, options or {})
        if read is None:
            result = cast(Processor, processor).process(data)
        else:
            result = cast(ConfigurableProcessor, processor).process(data, read, self._configured(job))
        return _text(result)

    def _configured(self, job: Job | None) -> Job:
        return Job("", context=self._context) if job is None else replace(job, context=self._context)


def model_of(processor: AnyProcessor) -> type[BaseModel] | None:
    """Return the model of the options that a processor takes, None where it takes none."""
    model: type[BaseModel] | None = getattr(processor, "options", None)
    return model


def _text(result: object) -> str:
    if not isinstance(result, str):
        raise ResultNotText("a processor gave something else than text")
    try:
        result.encode()
    except UnicodeEncodeError:
        raise ResultNotText("a processor gave a lone surrogate") from None
    return result
