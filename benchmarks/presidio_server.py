"""Presidio's analyzer behind HTTP as its own server has it, with pattern recognizers alone; runs in its environment.

Its own `app.py` is in no package. As there: Flask under gunicorn with one worker, `AnalyzerRequest`, and the batch
engine in batches of 500.
"""

import json
import sys
from pathlib import Path

from flask import Flask, Response, request
from presidio_analyzer import AnalyzerRequest, BatchAnalyzerEngine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "presidio"))
from use_presidio import analyzer

app = Flask(__name__)
engine = BatchAnalyzerEngine(analyzer())


@app.post("/analyze")
def analyze():
    """Answer one text or a list of them."""
    asked = AnalyzerRequest(request.get_json())
    is_batch = isinstance(asked.text, list)
    texts = asked.text if is_batch else [asked.text]
    found = engine.analyze_iterator(
        texts=texts,
        batch_size=min(len(texts), 500),
        language=asked.language,
        score_threshold=asked.score_threshold,
        entities=asked.entities,
        n_process=1,
    )
    results = []
    for several in found:
        for one in several:
            del one.recognition_metadata
        results.append(several)
    content = json.dumps(results if is_batch else results[0], default=lambda one: one.to_dict(), sort_keys=True)
    return Response(content, content_type="application/json")
