"""Runs in Presidio's environment: its recognizers as a file of patterns, and what these find in texts.

Reads a list of texts in JSON on stdin, and writes the recognizers and the findings in each text.
"""

import inspect
import json
import sys
from pathlib import Path

from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry, predefined_recognizers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "presidio"))
from use_presidio import analyzer


def recognizers():
    """Yield every pattern recognizer as it would stand in a file: its checks and validations stay behind."""
    for name, kind in sorted(vars(predefined_recognizers).items()):
        if inspect.isclass(kind) and issubclass(kind, PatternRecognizer) and kind is not PatternRecognizer:
            made = kind()
            patterns = [{"name": one.name, "regex": one.regex, "score": one.score} for one in made.patterns or []]
            entity = made.supported_entities[0]
            yield {
                **{"name": name, "supported_entity": entity, "supported_language": "en"},
                **{"patterns": patterns, "context": made.context or []},
            }


def main():
    """Answer one document."""
    made = list(recognizers())
    registry = RecognizerRegistry(supported_languages=["en"])
    for one in made:
        registry.add_recognizer(PatternRecognizer.from_dict(dict(one)))
    engine = AnalyzerEngine(registry=registry, nlp_engine=analyzer().nlp_engine, supported_languages=["en"])
    texts = json.load(sys.stdin)
    found = [[[r.entity_type, r.start, r.end, r.score] for r in engine.analyze(text, "en")] for text in texts]
    json.dump({"recognizers": made, "found": found}, sys.stdout)


main()
