"""Processors are asked for by name."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.errors import UnknownProcessor
from vestibule.contracts.tasks import DEFAULT_PROCESSOR
from vestibule.processing import Job, Options, ProcessorRegistry
from vestibule.processing.ports import ProcessorExited

REGISTRY = ProcessorRegistry.discover()


def test_the_default_processor_exists() -> None:
    """A caller who names none gets upper case."""
    assert "HELLO" == REGISTRY.process(DEFAULT_PROCESSOR, "hello")


@given(st.text().filter(lambda name: name not in REGISTRY.names))
def test_an_unknown_processor_is_refused_without_its_name(name: str) -> None:
    """The refusal says which processors there are, and does not repeat what was asked for."""
    with pytest.raises(UnknownProcessor) as caught:
        REGISTRY.process(name, "hello")
    assert f"No such processor. Known: {', '.join(REGISTRY.names)}." == caught.value.detail


def test_names_come_in_order() -> None:
    """The list in a refusal is the same every time."""
    assert sorted(REGISTRY.names) == REGISTRY.names


class _Raising:
    """Raises a given error, from its work or from the validation of its options."""

    name = "raising"
    description = "Raises."
    examples = ()
    options = Options

    def __init__(self, error: type[BaseException], *, is_raised_early: bool) -> None:
        self._error = error
        self._is_raised_early = is_raised_early

    def refusal_of(self, *_ignored: object) -> None:
        """Raise the error, if it is raised early."""
        if self._is_raised_early:
            raise self._error

    def process(self, data: str, options: Options, job: Job) -> str:
        """Raise the error."""
        raise self._error


@pytest.mark.parametrize("is_raised_early", [False, True])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_no_processor_ends_its_process(error: type[BaseException], is_raised_early: bool) -> None:
    """What ends a program, a generator or a task becomes an error of the processor, which is final."""
    registry = ProcessorRegistry([_Raising(error, is_raised_early=is_raised_early)])
    with pytest.raises(ProcessorExited, match=error.__name__):
        registry.process("raising", "hello")
