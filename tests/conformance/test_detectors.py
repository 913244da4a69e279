"""Every detector keeps what its own file promises."""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random
from re import _parser as expression_parser  # type: ignore[attr-defined]

import pytest

from vestibule.detection import DetectionSettings, Scanner
from vestibule.detection.catalogue import declared_in, list_modules
from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.matching import LOOKAHEAD_CHARS, Matcher
from vestibule.detection.prefilter import Prefilter
from vestibule.detection.regex_analysis import analyze_regex
from vestibule.detection.rules import Detector, DetectorExample
from vestibule.detection.start_sets import start_set_of

LONGEST_MATCH_CHARS = 65_536
LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")


def _name(module_name: str) -> str:
    return module_name.split(".detectors.", 1)[1]


DETECTORS = [
    pytest.param(detector, id=f"{_name(module.__name__)}-{detector.entity}-{at}")
    for module in list_modules()
    for at, detector in enumerate(declared_in(module))
]
every_detector = pytest.mark.parametrize("detector", DETECTORS)


def _examples(given: tuple[str | DetectorExample, ...]) -> Iterator[DetectorExample]:
    return (example if isinstance(example, DetectorExample) else DetectorExample(example) for example in given)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """Give the scanner that a service would have."""
    return Scanner.from_settings(DetectionSettings(scan_budget_ms=10_000))


@every_detector
def test_finds_its_examples(scanner: Scanner, detector: Detector) -> None:
    """Each marked value is found, at exactly these offsets, and nothing else of that entity."""
    assert detector.examples
    for example in _examples(detector.examples):
        found = scanner.scan(example.text, key=example.key)
        assert (example, example.spans) == (example, [(f.start, f.end) for f in found if f.entity == detector.entity])


@every_detector
def test_leaves_its_counter_examples(scanner: Scanner, detector: Detector) -> None:
    """Nothing of that entity is found in a counter-example."""
    assert detector.counter_examples
    for example in _examples(detector.counter_examples):
        found = scanner.explain(example.text, key=example.key)
        assert (example, []) == (example, [e for e in found if e.finding.entity == detector.entity])


@every_detector
def test_uses_every_rule(detector: Detector) -> None:
    """Each rule matches something in an example: a rule without one is a guess."""
    texts = [f"{example.key or ''}: {example.text}" for example in _examples(detector.examples)]
    unused = [
        rule.name
        for rule in detector.rules
        if not any(re.search(rule.expression, text, re.IGNORECASE if rule.ignore_case else 0) for text in texts)
    ]
    assert [] == unused


@every_detector
def test_is_declared_well(detector: Detector) -> None:
    """Names, examples and sources are there; patterns are bounded and without lookaround."""
    assert detector.examples
    assert detector.counter_examples
    assert detector.sources
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+", detector.entity)
    assert len({rule.name for rule in detector.rules}) == len(detector.rules)
    assert [] == [
        label for label in (*detector.labels, *detector.against) if label != label.lower() or not label.strip()
    ]
    for rule in detector.rules:
        assert (rule.name, False) == (rule.name, any(literal in rule.pattern for literal in LOOKAROUND))
        assert expression_parser.parse(rule.pattern).getwidth()[1] <= LONGEST_MATCH_CHARS


@pytest.fixture(scope="module")
def matchers() -> list[Matcher]:
    """The matchers of all rules of all detectors."""
    detectors = [detector for module in list_modules() for detector in declared_in(module)]
    return [Matcher(one, rule, 0, one.threshold) for one in detectors for rule in one.rules]


@pytest.fixture(scope="module")
def prefilter(matchers: list[Matcher]) -> Prefilter:
    """One for all rules, since the compilation of one for each takes a minute."""
    return Prefilter(matchers, CompiledCache(None))


@every_detector
def test_gate_lets_examples_through(detector: Detector, matchers: list[Matcher], prefilter: Prefilter) -> None:
    """A match never stands without a sign of it."""
    own = [(number, one) for number, one in enumerate(matchers) if one.detector is detector]
    assert own
    for number, matcher in own:
        rule = matcher.rule
        for example in _examples(detector.examples):
            text = f"{example.key}: {example.text}" if example.key else example.text
            if rule.score >= detector.threshold and (
                match := re.search(rule.expression, text, _flags(rule.ignore_case))
            ):
                ends = prefilter.find_candidates(text, "").get(number, [])
                assert (rule.name, True) == (rule.name, bool(ends))
                # Where only a part of a text is of interest, the signs near it are kept, and no others.
                assert (rule.name, True) == (rule.name, bool(matcher.reaching(ends, match.span())))
                far = len(text) + 10 * LONGEST_MATCH_CHARS
                assert (rule.name, []) == (rule.name, matcher.reaching(ends, (far, far + 1)))


@every_detector
def test_begins_where_it_is_tried(detector: Detector) -> None:
    """Each match in an example begins where the rule's beginning matches, and no opening is too long."""
    assert detector.rules
    for rule in detector.rules:
        assert rule.opening is None or analyze_regex(rule.opening).width <= LOOKAHEAD_CHARS
        start_set = start_set_of(rule, analyze_regex(rule.pattern))
        if start_set is None:
            continue
        starts = re.compile(start_set, re.DOTALL)
        for example in _examples(detector.examples):
            text = f"{example.key}: {example.text}" if example.key else example.text
            for match in re.finditer(rule.expression, text, _flags(rule.ignore_case)):
                assert (rule.name, True) == (rule.name, starts.match(text, match.start()) is not None)


def _flags(is_case_ignored: bool) -> int:
    return re.IGNORECASE if is_case_ignored else 0


MOST_FIRED_SHARE = 0.05
ORDINARY_WORDS = re.findall(
    r"\w+",
    "about after again all along always among and another answer around asked back because been before began "
    "being below best better between big both boat book bread bridge bring brother brown build but came can carry "
    "chair city clear cloud cold come corner could country cut dark day did different does done door down during "
    "each early earth east eat end enough even evening every eye face family far farm fast father feel few field "
    "fire first fish flower follow food foot for forest found four friend from garden gave girl give glass go "
    "good grass great green ground grow half hand happy hard have head hear heart heavy held help her here high "
    "hill his home horse hour house how hundred idea if important into island it just keep kind king kitchen knew "
    "know land large last late laugh learn leave left less let letter life light like little live long look made "
    "make many mean meat might mile milk mind money month moon more morning most mother mountain mouth move much "
    "music must near never new next night north not now ocean of off often old once one only open or other our "
    "out over own paper part people perhaps person picture piece place plain plan plant play point poor problem "
    "pull put question quick quite rain ran read ready red rest rich river road rock room round run said sail "
    "salt same sand saw school sea second see seem sentence shall she ship short should show side simple since "
    "sing sister sit sky sleep slow small snow so some song soon sound south spring stand star start state stay "
    "step still stone stood stop story strong summer sun sure table take talk tell ten than thank that their then "
    "there these thing think though three through time together told too top town tree true try turn two under "
    "until upon use very village voice wait walk wall want warm was watch water way we week well went west what "
    "wheel when where which while white who why will wind window winter wish with without woman wonder wood word "
    "work world would write year yet young your ",
)


def _ordinary_texts(count: int) -> list[str]:
    random = Random(20_011)
    texts = []
    for _ in range(count):
        words = random.choices(ORDINARY_WORDS, k=random.randint(8, 40))
        # Every tenth word is a quantity or a year.
        words = [str(random.choice((2, 7, 15, 40, 300, 1999, 2024))) if random.random() < 0.1 else w for w in words]
        texts.append(" ".join(words).capitalize() + ".")
    return texts


def test_gates_let_ordinary_prose_through(scanner: Scanner) -> None:
    """No rule is tried on more than a small share of texts in which nothing of its kind is likely."""
    texts = _ordinary_texts(400)
    candidates = Counter(number for text in texts for number in scanner._prefilter.find_candidates(text, ""))
    names = {number: f"{m.detector.entity}/{m.rule.name}" for number, m in enumerate(scanner._matchers)}
    often = {names[number]: count / len(texts) for number, count in candidates.items() if number in names}
    assert {} == {name: share for name, share in often.items() if share > MOST_FIRED_SHARE}
