"""What a request to analyze may take: time for its expressions, and room for its answer."""

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vestibule.client_service.compat.presidio.analysis import Analysis, read_request
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.errors import ScanImpossible, TooLarge
from vestibule.detection import Scanner
from vestibule.detection.options import DEFAULTS

PATTERN = {"name": "p", "regex": "a(?:" + "b|" * 900 + ")", "score": 0.5}
RECOGNIZER = {"supported_entity": "X", "supported_language": "en", "patterns": [PATTERN]}
SLOW = "(?:a|b|ab|@|[a-z.]){1,30}x"


async def _in_thread(work: Any, _most_waiting: float = 0) -> Any:
    return work()


async def test_an_answer_does_not_grow_without_bound():
    """A long expression is repeated with each finding of each text, so the number of findings is bounded by it."""
    screener = cast("Screener", SimpleNamespace(scanner=Scanner.from_settings(), in_thread=_in_thread))
    members = {"language": "en", "entities": ["X"], "ad_hoc_recognizers": [RECOGNIZER]}
    asked = read_request({"text": "a " * 10_000, "return_decision_process": True, **members})
    analysis = await Analysis.prepare(screener, asked)
    assert 10_000 == len(await analysis.analyze(screener, asked.texts[0]))
    with pytest.raises(TooLarge):
        await analysis.analyze(screener, asked.texts[0])
    plain = await Analysis.prepare(screener, read_request({"text": "a", **members}))
    for _ in range(3):
        assert 10_000 == len(await plain.analyze(screener, asked.texts[0]))


async def test_an_allow_list_has_one_budget_for_all_values_and_runs_in_a_thread():
    """However many values are found in however many texts."""
    threads = []

    async def in_thread(work: Any, _most_waiting: float = 0) -> Any:
        threads.append(work)
        return work()

    scanner = Scanner.from_settings(DEFAULTS._replace(scan_budget_ms=300))
    screener = cast("Screener", SimpleNamespace(scanner=scanner, in_thread=in_thread))
    expressions = {"allow_list": [SLOW] * 20, "allow_list_match": "regex"}
    asked = read_request({"text": "a@b.co " * 200, "language": "en", "entities": ["EMAIL_ADDRESS"], **expressions})
    analysis = await Analysis.prepare(screener, asked)
    began = time.perf_counter()

    async def analyze_often() -> None:
        for _ in range(1_000):
            await analysis.analyze(screener, asked.texts[0])

    with pytest.raises(ScanImpossible):
        await analyze_often()
    assert time.perf_counter() - began < 10
    assert len(threads) > 1
