"""Clients of Presidio use `/presidio/` as the servers that they know: statuses, members, places and errors.

The situations are those of its own end-to-end tests (e2e-tests/ of microsoft/presidio), in texts of our own.
"""

import base64
from collections.abc import Iterator

import httpx
import pytest

from vestibule.service_kit.auth.token_file import create_token

NO_RECOGNIZERS = "No matching recognizers were found to serve the request."
LICENCE = "Jane's drivers license is AC432223"
ZIP = {
    "name": "zip codes",
    "supported_entity": "ZIP",
    "patterns": [{"name": "five digits", "regex": r"(\b\d{5}(?:-\d{4})?\b)", "score": 0.01}],
}
AN_IBAN = "DE89370400440532013000"


@pytest.fixture
def http(system) -> Iterator[httpx.Client]:
    """A client of the interface."""
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    with httpx.Client(base_url=f"http://127.0.0.1:{system.base_port}/presidio", headers=headers, timeout=30) as client:
        yield client


def _places(found: list[dict]) -> list[tuple[str, int, int]]:
    members = {"analysis_explanation", "end", "entity_type", "score", "start"}
    assert all(set(one) == members and 0 < one["score"] <= 1 for one in found), found
    return sorted((one["entity_type"], one["start"], one["end"]) for one in found)


def _analyze(http: httpx.Client, text: object, **members: object) -> list:
    answer = http.post("/analyze", json={"text": text, "language": "en", **members})
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    return answer.json()


def _error(answer: httpx.Response) -> tuple[int, str]:
    assert "application/json" == answer.headers["content-type"]
    assert ["error"] == list(answer.json())
    return answer.status_code, answer.json()["error"]


def test_a_text_is_analyzed(http):
    """Findings have theirs members; explanations stand there where they are asked for, and unknown members do not."""
    (found,) = _analyze(http, LICENCE, trace="1", correlation_id="123", return_decision_process=0)
    assert ("US_DRIVER_LICENSE", 26, 34, None) == (
        found["entity_type"],
        found["start"],
        found["end"],
        found["analysis_explanation"],
    )
    (explained,) = _analyze(http, LICENCE, return_decision_process=True)
    reasons = explained["analysis_explanation"]
    assert {
        *("recognizer", "pattern_name", "pattern", "original_score", "score", "textual_explanation", "regex_flags"),
        *("score_context_improvement", "supportive_context_word", "validation_result"),
    } == set(reasons)
    assert "drivers license" == reasons["supportive_context_word"]
    assert "AC432223" not in str(reasons)


def test_options_narrow_what_is_found(http):
    """Threshold, entities by Presidio's names, context, and lists of texts."""
    assert [] == _analyze(http, LICENCE, score_threshold=0.9)
    text = f"mail jane@example.org, {AN_IBAN}"
    assert [("IBAN_CODE", 23, 45)] == _places(_analyze(http, text, entities=["IBAN_CODE"]))
    assert [("US_PASSPORT", 9, 18)] == _places(_analyze(http, "passport 912803456", entities=["US_PASSPORT"]))
    assert [] == _analyze(http, "it is AC432223", entities=["US_DRIVER_LICENSE"])
    by_context = _analyze(http, "it is AC432223", entities=["US_DRIVER_LICENSE"], context=["Driver license"])
    assert [("US_DRIVER_LICENSE", 6, 14)] == _places(by_context)
    several = _analyze(http, ["", "clean", text])
    assert [[], [], [("EMAIL_ADDRESS", 5, 21), ("IBAN_CODE", 23, 45)]] == [_places(one) for one in several]


def test_entities_that_are_not_served_are_named(http, system, wait_until):
    """In a header, and in one alert; where none of them is served the request is refused."""
    text = f"Jane {AN_IBAN}"
    # A token of its own: many tests cause alerts of this type, and a token gets a bounded number of files a minute.
    token, _ = create_token(system.data_dir / "keys" / "tokens.json", "unserved", ["scan"], None, "default")
    http.headers["Authorization"] = f"Bearer {token}"
    wait_until(lambda: http.get("/recognizers").status_code == 200, what="the token")
    answers = [
        http.post("/analyze", json={"text": text, "language": "en", "entities": ["PERSON", "IBAN_CODE", "my secret"]})
        for _ in range(3)
    ]
    assert {"PERSON, 1 unknown"} == {one.headers["x-presidio-entities-not-served"] for one in answers}
    assert {200} == {one.status_code for one in answers}
    alerts = httpx.get(
        f"http://127.0.0.1:{system.base_port}/alerts?type=InvalidInput&q=not+served",
        headers={"Authorization": "Bearer SECRET_TOKEN"},
    ).json()["alerts"]
    assert 1 == len(alerts)
    assert "my secret" not in alerts[0]["description"]
    refused = http.post("/analyze", json={"text": text, "language": "en", "entities": ["PERSON"]})
    assert (500, NO_RECOGNIZERS) == _error(refused)


def test_allow_lists(http):
    """A value that is allowed is no finding: exactly, or by an expression, whose flags the request chooses."""
    text = "mail: admin@GitHub.com"
    found = [("EMAIL_ADDRESS", 6, 22)]
    assert [] == _analyze(http, text, allow_list=["admin@GitHub.com"])
    assert found == _places(_analyze(http, text, allow_list=[".*@github.com"]))
    by_expression = {"allow_list": [".*@github.com"], "allow_list_match": "regex"}
    assert [] == _analyze(http, text, **by_expression)
    assert found == _places(_analyze(http, text, **by_expression, regex_flags=0))
    neither = http.post("/analyze", json={"text": text, "language": "en", "allow_list": ["a"], "allow_list_match": "x"})
    assert (500, "allow_list_match must either be set to 'exact' or 'regex'.") == _error(neither)


def test_recognizers_that_a_request_brings(http):
    """Patterns and deny lists; a word before a match raises its score; nothing overlaps."""
    text = f"{LICENCE}. Zip code: 10023"
    licence, code = ("US_DRIVER_LICENSE", 26, 34), ("ZIP", 46, 51)
    plain = _analyze(http, text, ad_hoc_recognizers=[ZIP])
    assert [licence, code] == _places(plain)
    near = _analyze(http, text, ad_hoc_recognizers=[{**ZIP, "context": ["zip", "code"]}])
    assert [licence, code] == _places(near)
    scores = [one["score"] for found in (plain, near) for one in found if one["entity_type"] == "ZIP"]
    assert [0.01, 0.4] == scores
    titles = [
        {"name": "Mr.", "supported_language": "en", "deny_list": ["Mr.", "Mister"], "supported_entity": "MR_TITLE"},
        {"name": "Ms.", "supported_language": "en", "deny_list": ["Ms.", "Miss"], "supported_entity": "MS_TITLE"},
    ]
    assert [("MR_TITLE", 0, 3)] == _places(_analyze(http, "Mr. Roe, Missouri", ad_hoc_recognizers=titles))
    assert [code] == _places(_analyze(http, text, ad_hoc_recognizers=[ZIP], entities=["ZIP"]))
    assert [licence] == [
        one
        for one in _places(_analyze(http, text, ad_hoc_recognizers=[{**ZIP, "supported_language": "es"}]))
        if one[0] != "POSTAL_CODE"
    ]


@pytest.mark.parametrize(
    ("members", "status", "error"),
    [
        ({"text": None, "language": "en"}, 500, "No text provided"),
        ({"text": [], "language": "en"}, 500, "No text provided"),
        ({"language": None}, 500, "No language provided"),
        ({"language": "zz"}, 500, NO_RECOGNIZERS),
        (
            {"ad_hoc_recognizers": [{**ZIP, "patterns": [{"type": "a", "bebex": "b", "confidence": 0.1}]}]},
            400,
            "Failed to parse /analyze request for AnalyzerEngine.analyze(). "
            "Pattern.__init__() got an unexpected keyword argument 'type'",
        ),
        (
            {"ad_hoc_recognizers": [{"supported_entity": "ZIP"}]},
            500,
            "Pattern recognizer should be initialized with patterns or with deny list",
        ),
    ],
    ids=str,
)
def test_what_the_analyzer_refuses(http, members, status, error):
    """By the statuses and in the words of Presidio."""
    assert (status, error) == _error(http.post("/analyze", json={"text": "a", "language": "en", **members}))


def test_no_error_repeats_what_was_sent(http):
    """Not a value, not an expression, and not a name that is none of the interface."""
    pattern = {"name": AN_IBAN, "regex": rf"(\w){AN_IBAN}\1", "score": 0.5}
    requests = [
        ("/analyze", {"text": AN_IBAN, "language": AN_IBAN}),
        ("/analyze", {"text": {AN_IBAN: 1}, "language": "en"}),
        ("/analyze", {"text": "a", "language": "en", "ad_hoc_recognizers": [{AN_IBAN: 1, **ZIP}]}),
        ("/analyze", {"text": "a", "language": "en", "ad_hoc_recognizers": [{**ZIP, "patterns": [pattern]}]}),
        ("/analyze", {"text": "a", "language": "en", "allow_list": [f"({AN_IBAN}"], "allow_list_match": "regex"}),
        ("/anonymize", {"text": AN_IBAN, "anonymizers": {"DEFAULT": {"type": AN_IBAN}}, "analyzer_results": [AN_IBAN]}),
        ("/anonymize", {"text": AN_IBAN, "analyzer_results": [{"start": AN_IBAN, "end": 1, "entity_type": "A"}]}),
        ("/deanonymize", {"text": AN_IBAN, "deanonymizers": {"A": {"type": "decrypt", "key": AN_IBAN}}}),
    ]
    answers = [http.post(path, json=body) for path, body in requests]
    assert [500, 400, 400, 500, 500, 500, 422, 200] == [one.status_code for one in answers]
    assert [] == [one.text for one in answers[:-1] if AN_IBAN in one.text]


def _span(start: int, end: int, entity: str, score: float = 0.8) -> dict:
    return {"start": start, "end": end, "entity_type": entity, "score": score}


def _item(start: int, end: int, entity: str, text: str, operator: str) -> dict:
    return {"start": start, "end": end, "entity_type": entity, "text": text, "operator": operator}


def test_a_text_is_anonymized(http):
    """Contained findings are dropped, the default replaces, and items go from the end to the start in the new text."""
    answer = http.post(
        "/anonymize",
        json={
            "text": "I am Jane Roe, call 034453334 or 034453335",
            "anonymizers": {
                "PHONE_NUMBER": {"type": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": True},
                "NAME": {"type": "replace", "new_value": "X"},
            },
            "analyzer_results": [
                _span(5, 13, "NAME"),
                _span(5, 9, "FIRST_NAME"),
                _span(10, 13, "LAST_NAME", 0.6),
                _span(20, 29, "PHONE_NUMBER", 0.95),
                _span(33, 42, "OTHER"),
            ],
        },
    )
    assert {
        "text": "I am X, call 03445**** or <OTHER>",
        "items": [
            _item(26, 33, "OTHER", "<OTHER>", "replace"),
            _item(13, 22, "PHONE_NUMBER", "03445****", "mask"),
            _item(5, 6, "NAME", "X", "replace"),
        ],
    } == answer.json()
    several = {"text": ["a Jane", "b"], "analyzer_results": [[_span(2, 6, "NAME")], []]}
    assert ["a <NAME>", "b"] == [one["text"] for one in http.post("/anonymize", json=several).json()]
    assert 422 == http.post("/anonymize", json={**several, "text": ["a Jane"]}).status_code
    for text in ("", "nothing in it"):
        empty = http.post("/anonymize", json={"text": text, "analyzer_results": []})
        assert {"text": text, "items": []} == empty.json()


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("keep", "replace", "I'm Ann London<PLACE>"),
        ("replace", "keep", "I'm <NAME>London Road"),
        ("keep", "keep", "I'm Ann LondonLondon Road"),
    ],
)
def test_findings_that_overlap_in_part_are_both_treated(http, name, place, text):
    """Each with all of its text, as Presidio does."""
    body = {
        "text": "I'm Ann London Road",
        "anonymizers": {"NAME": {"type": name}, "PLACE": {"type": place}},
        "analyzer_results": [_span(4, 14, "NAME"), _span(8, 19, "PLACE")],
    }
    assert text == http.post("/anonymize", json=body).json()["text"]


def test_what_is_encrypted_can_be_decrypted_with_the_key_alone(http):
    """Here, and what Presidio itself has encrypted; with another key it fails, and says nothing."""
    text, keys = "Jane Roe owes Max Mustermann", {"NAME": "1" * 16, "OTHER": "2" * 32}
    encrypted = http.post(
        "/anonymize",
        json={
            "text": text,
            "anonymizers": {entity: {"type": "encrypt", "key": key} for entity, key in keys.items()},
            "analyzer_results": [_span(0, 8, "NAME"), _span(14, 28, "OTHER")],
        },
    ).json()
    assert "Jane" not in encrypted["text"]
    request = {
        "text": encrypted["text"],
        "deanonymizers": {entity: {"type": "decrypt", "key": key} for entity, key in keys.items()},
        "anonymizer_results": encrypted["items"],
    }
    assert text == http.post("/deanonymize", json=request).json()["text"]
    theirs = "e6HnOMnIxbd4a8Qea44LshQDnjvxwzBIaAz+YqHNnMW2mC5r3AWoay8Spsoajyyy"
    of_theirs = {
        "text": theirs,
        "deanonymizers": {"N": {"type": "decrypt", "key": "1" * 16}},
        "anonymizer_results": [{"start": 0, "end": 64, "entity_type": "N"}],
    }
    expected = {"text": "text_for_encryption", "items": [_item(0, 19, "N", "text_for_encryption", "decrypt")]}
    assert expected == http.post("/deanonymize", json=of_theirs).json()
    request["deanonymizers"]["NAME"]["key"] = "3" * 16
    assert 500 == http.post("/deanonymize", json=request).status_code
    assert {"text": theirs, "items": []} == http.post("/deanonymize", json={"text": theirs}).json()
    assert {"text": "", "items": []} == http.post("/deanonymize", json={"key": "1" * 16}).json()


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        ("anonymize", "{}", 400, "Invalid request json"),
        ("deanonymize", "{ }", 400, "Invalid request json"),
        (
            "anonymize",
            '{"text": "a",}',
            400,
            "The browser (or proxy) sent a request that this server could not understand.",
        ),
        ("anonymize", '{"text": "a"}', 422, "Invalid input, request must contain analyzer results"),
        (
            "anonymize",
            '{"text": "a", "anonymizers": {"DEFAULT": {"type": "custom"}}, "analyzer_results": []}',
            400,
            "Custom type anonymizer is not supported",
        ),
        (
            "deanonymize",
            '{"text": "ab", "deanonymizers": {"A": {"type": "decrypt", "key": "short"}}, '
            '"anonymizer_results": [{"start": 0, "end": 2, "entity_type": "A"}]}',
            422,
            "Invalid input, key must be of length 128, 192 or 256 bits",
        ),
    ],
)
def test_what_the_anonymizer_refuses(http, path, content, status, error):
    """By the statuses and in the words of Presidio."""
    answer = http.post(f"/{path}", content=content, headers={"Content-Type": "application/json"})
    assert (status, error) == _error(answer)


def test_lists_of_names(http):
    """Entities and recognizers by language, operators, and a health check without a token."""
    names = http.get("/supportedentities", params={"language": "en"}).json()
    assert {"US_PASSPORT", "US_DRIVER_LICENSE", "UK_NHS", "CREDIT_CARD", "IBAN_CODE", "API_KEY"} < set(names)
    assert names == http.get("/supportedentities", params={"unknown": "input"}).json()
    assert "CreditCardRecognizer" in http.get("/recognizers").json()
    assert (500, NO_RECOGNIZERS) == _error(http.get("/supportedentities", params={"language": "he"}))
    assert ["encrypt", "hash", "keep", "mask", "redact", "replace"] == http.get("/anonymizers").json()
    assert ["deanonymize_keep", "decrypt"] == http.get("/deanonymizers").json()
    assert 200 == httpx.get(f"{http.base_url}health").status_code
    asked = http.post("/analyze", json={"text": AN_IBAN, "language": "en", "entities": names})
    assert [("IBAN_CODE", 0, 22)] == _places(asked.json())


def test_a_token_comes_in_any_form_that_clients_have(system):
    """A bearer token, `x-api-key`, or the password of the address; without one Basic is asked for."""
    address = f"http://127.0.0.1:{system.base_port}/presidio/anonymizers"
    password = base64.b64encode(b"anybody:SECRET_TOKEN").decode()
    for headers in ({"x-api-key": "SECRET_TOKEN"}, {"Authorization": f"Basic {password}"}):
        assert 200 == httpx.get(address, headers=headers).status_code
    assert 200 == httpx.get(address.replace("//", "//user:SECRET_TOKEN@")).status_code
    refused = httpx.get(address)
    assert 401 == _error(refused)[0]
    assert ["Bearer", 'Basic realm="vestibule", charset="UTF-8"'] == refused.headers.get_list("www-authenticate")


def test_what_the_frame_refuses_is_in_their_form_too(http):
    """An unknown route, a wrong method, too long a body and another media type."""
    assert 404 == _error(http.get("/nothing"))[0]
    wrong = http.delete("/analyze")
    assert (405, "POST") == (_error(wrong)[0], wrong.headers["allow"])
    assert 413 == _error(http.post("/analyze", json={"text": "a" * 5_000_000, "language": "en"}))[0]
    assert 413 == _error(http.post("/analyze", json={"text": "a" * 1_100_000, "language": "en"}))[0]
    assert 415 == _error(http.post("/analyze", content="{}", headers={"Content-Type": "text/plain"}))[0]


def test_mistakes_of_clients_are_no_errors_of_the_service(http, system):
    """What is a 500 to a client of Presidio is a 422 in the metrics, from which the alerts about us are made."""
    assert 500 == http.post("/analyze", json={}).status_code
    metrics = httpx.get(f"http://127.0.0.1:{system.base_port}/metrics").text
    counted = [
        line for line in metrics.splitlines() if "requests_total" in line and 'route="/presidio/analyze"' in line
    ]
    assert any('status="422"' in line for line in counted)
    assert not any('status="5' in line for line in counted)


def test_slow_expressions_and_long_texts_do_not_keep_the_service(http):
    """Expressions that take a backtracking engine hours, on a text made for them."""
    patterns = [
        {"name": str(number), "regex": regex, "score": 0.5}
        for number, regex in enumerate((r"(a+)+$", r"(a|aa)+b", r"a.*a.*a.*b", r"(?:a?){50}a{50}c"))
    ]
    slow = {**ZIP, "patterns": patterns}
    answer = http.post("/analyze", json={"text": "a" * 60_000, "language": "en", "ad_hoc_recognizers": [slow]})
    assert answer.status_code in (200, 422)
    assert answer.elapsed.total_seconds() < 10
