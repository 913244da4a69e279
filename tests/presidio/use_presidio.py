"""Runs in Presidio's own environment: answers a JSON document of requests on stdin with what Presidio says to each.

Its analyzer has its pattern recognizers alone: names need a model, which no package index has.
"""

import json
import sys

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_anonymizer import AnonymizerEngine, DeanonymizeEngine
from presidio_anonymizer.entities import InvalidParamError
from presidio_anonymizer.services.app_entities_convertor import AppEntitiesConvertor


class BlankEngine(SpacyNlpEngine):
    """Tokens without a model."""

    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}

    def load(self):
        """Nothing is to load."""


def analyzer():
    """Return an analyzer with every pattern recognizer that is on by default."""
    engine = BlankEngine()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def analyze(engine, request):
    """Return what is found in one text."""
    found = engine.analyze(request["text"], "en", entities=request["entities"], score_threshold=request["threshold"])
    return [{"entity_type": one.entity_type, "start": one.start, "end": one.end} for one in found]


def anonymize(engine, request):
    """Return the reply to a request to anonymize, or its error."""
    try:
        operators = AppEntitiesConvertor.operators_config_from_json(request.get("anonymizers"))
        results = AppEntitiesConvertor.analyzer_results_from_json(request.get("analyzer_results"))
        return json.loads(engine.anonymize(request["text"], results, operators).to_json())
    except InvalidParamError as error:
        return {"error": error.err_msg}


def deanonymize(engine, request):
    """Return the reply to a request to decrypt."""
    entities = AppEntitiesConvertor.deanonymize_entities_from_json(request)
    operators = AppEntitiesConvertor.operators_config_from_json(request["deanonymizers"])
    return json.loads(engine.deanonymize(request["text"], entities, operators).to_json())


def all_entities():
    """Return the names of what any recognizer finds that needs neither a model nor another service."""
    found = set()
    for name in predefined_recognizers.__all__:
        try:
            found.update(getattr(predefined_recognizers, name)().supported_entities)
        except Exception:  # noqa: BLE001 - what it needs is not installed
            continue
    return sorted(found)


if __name__ == "__main__":
    requests = json.load(sys.stdin)
    answers = {}
    if requests.get("analyze"):
        own = analyzer()
        answers["analyze"] = [analyze(own, one) for one in requests["analyze"]]
    answers["anonymize"] = [anonymize(AnonymizerEngine(), one) for one in requests.get("anonymize", [])]
    answers["deanonymize"] = [deanonymize(DeanonymizeEngine(), one) for one in requests.get("deanonymize", [])]
    answers["entities"] = all_entities() if requests.get("entities") else []
    json.dump(answers, sys.stdout)
