"""Processors are asked for by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.errors import UnknownProcessor
from vestibule.contracts.tasks import DEFAULT_PROCESSOR
from vestibule.processing import ProcessorRegistry

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
