"""What every processor promises: its own examples, the same result each time, and no harm from any text."""

import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.detection import DetectionSettings, Scanner
from vestibule.policy import Policy
from vestibule.processing import (
    AnyProcessor,
    CannotProcess,
    Example,
    Job,
    ProcessorContext,
    ProcessorRegistry,
    examples_of,
    model_of,
    processors,
)
from vestibule.processing.ports import UNCONFIGURED, EchoEgress
from vestibule.processor_adapters import Inspector, Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary
from vestibule.runtime.plugins import discover

MODULES = discover(processors, "PROCESSOR")
every_processor = pytest.mark.parametrize("processor", MODULES.values(), ids=MODULES.keys())
EXAMPLES = [
    pytest.param(processor, example, id=f"{name}-{number}")
    for name, processor in MODULES.items()
    for number, example in enumerate(examples_of(processor))
]
JOB = Job("the-same-each-time")


class _NoTokens:
    """Tokens that no test of this suite asks for."""

    def tokenize(self, value: str, entity: str, tenant: str) -> str:
        raise NotImplementedError

    def reveal(self, token: str, tenant: str) -> str:
        raise NotImplementedError


@pytest.fixture(scope="module")
def context() -> ProcessorContext:
    """The real scanner, the policy that is built in, and a receiver that answers what it got."""
    entities = frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "PASSWORD"})
    scanner = Scanner.from_settings(DetectionSettings(entities=entities, scan_budget_ms=60_000))
    policy = Policy.built_in(read_vocabulary())
    inspector = Inspector(
        lambda: scanner, lambda: policy, Pseudonymizer(lambda text, _: f"{len(text):016x}", _NoTokens())
    )
    return ProcessorContext(inspector, EchoEgress(), UNCONFIGURED.processors)


@pytest.fixture(scope="module")
def registry(context: ProcessorContext) -> ProcessorRegistry:
    """Every processor with those means."""
    return ProcessorRegistry(MODULES.values(), context)


def _outcome(registry: ProcessorRegistry, name: str, data: str, options: Mapping[str, Any]) -> str:
    """Return what becomes of a text, or the kind of the refusal, which is as good as any result."""
    try:
        return registry.process(name, data, options, JOB)
    except CannotProcess as refusal:
        # One that callers are not told of would be no outcome.
        return {kind: kind for kind in ERROR_DETAILS}[refusal.kind]


def _options(processor: AnyProcessor) -> Mapping[str, Any]:
    return next(iter(examples_of(processor))).options


@pytest.mark.parametrize(("processor", "example"), EXAMPLES)
def test_a_processor_does_what_its_examples_say(
    registry: ProcessorRegistry, processor: AnyProcessor, example: Example
) -> None:
    """The examples are the documentation, so they are true."""
    assert example.result == registry.process(processor.name, example.data, example.options, JOB)


@every_processor
def test_a_processor_describes_itself(processor: AnyProcessor) -> None:
    """A name that callers can type, a sentence, and examples that change something, the least text among them."""
    assert processor.name.replace("_", "").isalnum()
    assert processor.name == processor.name.lower()
    assert processor.description.endswith(".")
    examples = list(examples_of(processor))
    assert any(example.data != example.result for example in examples)
    # Of what takes documents, the least is the empty one.
    assert any(example.data in {"", '""'} for example in examples)


def test_names_differ() -> None:
    """No processor hides another."""
    assert len(MODULES) == len({processor.name for processor in MODULES.values()})


@every_processor
def test_every_option_says_what_it_means(processor: AnyProcessor) -> None:
    """The schema that callers are shown has a sentence for each, and takes nothing that it does not name."""
    model = model_of(processor)
    if model is None:
        return
    schema = model.model_json_schema()
    assert [] == [name for name, option in schema.get("properties", {}).items() if not option.get("description")]
    assert schema["additionalProperties"] is False


@every_processor
def test_an_unknown_option_is_refused_without_its_name(registry: ProcessorRegistry, processor: AnyProcessor) -> None:
    """A name that a caller made up could hold anything, and so could what it stands for."""
    with pytest.raises(InvalidInput) as caught:
        registry.read_options(processor.name, {**_options(processor), "tr0ub4dor_marker": "tr0ub4dor_value"})
    told = f"{caught.value.detail} {caught.value.extra}"
    assert ("body/options", False) == (caught.value.extra["errors"][0]["where"], "tr0ub4dor" in told)  # type: ignore[index]


@every_processor
@given(data=st.text(st.characters(codec="utf-8")))
def test_a_processor_gives_the_same_for_the_same(
    registry: ProcessorRegistry, processor: AnyProcessor, data: str
) -> None:
    """A task that runs a second time after a fault gives what it gave; the result can be stored as UTF-8."""
    result = _outcome(registry, processor.name, data, _options(processor))
    assert result == _outcome(registry, processor.name, data, _options(processor))
    assert result == result.encode().decode()


@every_processor
def test_a_processor_keeps_no_state(
    registry: ProcessorRegistry, context: ProcessorContext, processor: AnyProcessor
) -> None:
    """Several threads and processes run it at once without disturbing each other."""
    texts = [f"text ß {number} é" for number in range(200)]
    name, options = processor.name, _options(processor)
    expected = [_outcome(registry, name, text, options) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert expected == list(pool.map(lambda text: _outcome(registry, name, text, options), texts))
    copies = ProcessorRegistry(pickle.loads(pickle.dumps(list(MODULES.values()))), context)
    assert expected == [_outcome(copies, name, text, options) for text in texts]
