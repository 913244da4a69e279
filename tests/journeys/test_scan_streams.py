"""`POST /scan` with options, and streams of lines and rows: each is answered at once, of any length, and by itself."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

MAIL = "jane.roe.4711@example.org"
IBAN = "DE89 3704 0044 0532 0130 00"
NDJSON, CSV = {"Content-Type": "application/x-ndjson"}, {"Content-Type": "text/csv"}
CLEAN = "the quick brown fox jumps over the lazy dog and on " * 400


class _Stream:
    """A request whose body is sent piece by piece, while its answer is read."""

    def __init__(self, system) -> None:
        self._socket = socket.create_connection(("127.0.0.1", system.base_port), timeout=30)
        head = "POST /scan HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer SECRET_TOKEN\r\n"
        self._socket.sendall(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        self._answers = self._socket.makefile("rb")

    def send(self, line: object) -> None:
        content = json.dumps(line).encode() + b"\n"
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(content), content))

    def head(self) -> bytes:
        """Return the status line; what follows is an answer."""
        status = self._answers.readline()
        while self._answers.readline().strip():
            pass
        return status

    def answer(self):
        size = int(self._answers.readline(), 16)
        content = self._answers.read(size)
        self._answers.readline()
        return json.loads(content)

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


@pytest.fixture
def streams(system) -> Iterator[ExitStack]:
    """What closes the streams of a test."""
    with ExitStack() as stack:
        yield stack


def _open(system, streams: ExitStack) -> _Stream:
    stream = _Stream(system)
    streams.callback(stream.close)
    return stream


def _scan(system, headers, content, **query):
    answer = system.http.post("/scan", headers=headers, content=content, params=query)
    assert 200 == answer.status_code, answer.text
    assert NDJSON["Content-Type"] == answer.headers["content-type"]
    return [json.loads(line) for line in answer.text.splitlines()]


def _entities(answer) -> list[str]:
    return [one["entity"] for one in answer["findings"]]


def test_each_line_is_answered_before_the_next_is_sent(system, streams):
    """A program may keep a stream open and ask line by line."""
    stream = _open(system, streams)
    stream.send({"text": f"to {MAIL}", "id": "first"})
    assert b"HTTP/1.1 200 OK\r\n" == stream.head()
    expected = {"entity": "EMAIL_ADDRESS", "start": 3, "end": 3 + len(MAIL), "score": 0.95}
    assert {"line": 1, "id": "first", "findings": [expected]} == stream.answer()
    stream.send({"text": "nothing", "id": 2})
    assert {"line": 2, "id": 2, "findings": []} == stream.answer()


def test_a_token_has_four_streams_at_the_same_time(system, streams):
    """A fifth is refused, a plain scan is not, and a stream that ended makes room."""
    opened = [_open(system, streams) for _ in range(4)]
    for stream in opened:
        stream.send({"text": "x"})
        assert b"200" in stream.head()
    headers = {**NDJSON, "Authorization": "Bearer SECRET_TOKEN"}
    refused = httpx.post(f"{system.url}/scan", headers=headers, content=b'{"text": "x"}', timeout=30)
    assert (429, "/problems/too-many-waiting") == (refused.status_code, refused.json()["type"])
    assert 200 == system.http.post("/scan", json={"texts": ["x"]}).status_code
    opened[0].send({"text": "y"})
    assert [] == opened[1].answer()["findings"]


def test_a_stream_may_be_longer_than_any_other_body(system):
    """Ten megabytes, of which the service keeps one line at a time; the limit of 4 MiB holds for a line."""
    lines = [json.dumps({"text": CLEAN, "id": number}) for number in range(300)]
    content = "\n".join([*lines, json.dumps({"text": "x" * (4 * 2**20)}), json.dumps({"text": MAIL})]).encode()
    assert len(content) > 2 * 4 * 2**20
    answers = _scan(system, NDJSON, content)
    assert [*range(300), None, None] == [one.get("id") for one in answers]
    assert (413, ["EMAIL_ADDRESS"]) == (answers[-2]["problem"]["status"], _entities(answers[-1]))
    declared = {"Authorization": "Bearer SECRET_TOKEN", "Content-Type": "application/json"}
    assert 413 == httpx.post(f"{system.url}/scan", headers=declared, content=content, timeout=30).status_code
    assert 401 == httpx.post(f"{system.url}/scan", headers=NDJSON, content=b"{}\n", timeout=30).status_code


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"options": {}}\n'])
def test_a_stream_without_a_text_has_no_answers(system, content):
    """Nothing to scan is no mistake."""
    assert [] == _scan(system, NDJSON, content)


def test_a_line_that_is_not_valid_is_answered_by_its_problem(system):
    """Its number is that in the body, nothing of it is repeated, and the rest goes on."""
    lines = [b'{"text": "a"}', b"", MAIL.encode(), b'{"text": 1}', b'{"text": "b", "x": 1}', b"\xff", b'{"text": "c"}']
    answers = _scan(system, NDJSON, b"\n".join(lines))
    assert [(1, True), (3, False), (4, False), (5, False), (6, False), (7, True)] == [
        (one["line"], "findings" in one) for one in answers
    ]
    assert {"/problems/invalid-input"} == {one["problem"]["type"] for one in answers if "problem" in one}
    assert MAIL not in json.dumps(answers)


@pytest.mark.parametrize("place", ["body", "query", "line"])
def test_the_options_are_the_same_wherever_they_stand(system, place):
    """In the JSON body, in the query, and in the first line of a stream."""
    text, options = f"{MAIL} and {IBAN}", {"entities": ["IBAN_CODE"], "explain": True, "min_score": 0.5}
    if place == "body":
        (answer,) = [system.http.post("/scan", json={"text": text, **options}).json()]
    elif place == "query":
        query = {"entities": "IBAN_CODE", "explain": "true", "min_score": "0.5"}
        (answer,) = _scan(system, NDJSON, json.dumps({"text": text}).encode(), **query)
    else:
        lines = [{"options": options}, {"text": text}]
        (answer,) = _scan(system, NDJSON, "\n".join(map(json.dumps, lines)).encode())
    assert ["IBAN_CODE"] == _entities(answer)
    assert "number" == answer["findings"][0]["because"]["rule"]


def test_the_name_of_the_field_is_context(system):
    """Nine digits are a number in one field and a passport in another; a line may name its own."""
    plain, named = {"text": "L898902C3"}, {"text": "L898902C3", "field": "passport"}
    assert [] == _entities(system.http.post("/scan", json=plain).json())
    of_lines = _scan(system, NDJSON, f"{json.dumps(plain)}\n{json.dumps(named)}".encode())
    assert [[], _entities(system.http.post("/scan", json=named).json())] == [_entities(one) for one in of_lines]
    assert [] != _entities(of_lines[1])


@pytest.mark.parametrize("headers", [NDJSON, CSV, None])
def test_an_unknown_entity_is_refused_with_the_nearest(system, headers):
    """In every form, before anything is scanned; the name is not repeated."""
    if headers is None:
        answer = system.http.post("/scan", json={"text": "x", "entities": ["EMAIL_ADRES"]})
    else:
        answer = system.http.post("/scan", params={"entities": "EMAIL_ADRES"}, headers=headers, content=b"a\nb\n")
    (mistake,) = answer.json()["errors"]
    assert (422, "unknown_entity") == (answer.status_code, mistake["kind"])
    assert "nearest are EMAIL_ADDRESS" in mistake["expected"]
    assert "EMAIL_ADRES" not in answer.text.replace("EMAIL_ADDRESS", "")


def test_findings_in_rows_name_row_and_column(system):
    """Each cell is scanned in the context of its column; only chosen columns are."""
    content = f'name,passport,note\nJane,L898902C3,"a,\n{MAIL}"\nJoe,,{MAIL}\n1,2,3,4\n'.encode()
    first, second, third = _scan(system, CSV, content)
    found = [(one["column"], one["column_number"], one["start"]) for one in first["findings"]]
    assert [("passport", 2, 0), ("note", 3, 3)] == found
    assert (2, 4, [("note", 3)]) == (
        second["row"], second["line"], [(one["column"], one["column_number"]) for one in second["findings"]]
    )  # fmt: skip
    assert 422 == third["problem"]["status"]
    chosen = _scan(system, CSV, content, columns="name,passport")
    assert [1, 0] == [len(one["findings"]) for one in chosen[:2]]


def test_treat_says_what_the_policy_would_do_and_does_nothing(system):
    """The default policy rejects, so no text would be stored; nothing is recorded, and no alert is raised."""
    before = len(system.reports())
    one = system.http.post("/scan", json={"text": f"to {MAIL}", "treat": True}).json()
    assert ("blocked", None) == (one["outcome"], one["text"])
    assert [("block", True)] == [(each["action"], bool(each["rule"])) for each in one["findings"]]
    (line,) = _scan(system, NDJSON, b'{"text": "nothing"}', treat="true")
    assert ("let_in", "nothing", []) == (line["outcome"], line["text"], line["findings"])
    (row,) = _scan(system, CSV, f"a,b\n{MAIL},c\n".encode(), treat="true")
    assert ("blocked", {"1": None}) == (row["outcome"], row["values"])
    assert before == len(system.reports())


@pytest.mark.parametrize(
    ("headers", "query", "content", "where"),
    [
        (NDJSON, {"columns": "a"}, b"{}", "query/columns"),
        (CSV, {"field": "a"}, b"a\n", "query/field"),
        (CSV, {"delimiter": "a"}, b"a\n", "query/delimiter"),
        (CSV, {"columns": "c"}, b"a,b\n", "query/columns/0"),
        (CSV, {}, b"", "body"),
        (CSV, {"wrong": "1"}, b"a\n", "query"),
        (CSV, {"min_score": "2"}, b"a\n", "query/min_score"),
        (NDJSON, {}, b'{"options": {"wrong": 1}}', "body/options"),
        (NDJSON, {}, b'{"options": {"allow_patterns": ["(a+)+$"]}}', "body/allow_patterns"),
    ],
)
def test_options_that_are_not_valid_are_refused_before_the_stream_begins(system, headers, query, content, where):
    """The problem names the place."""
    answer = system.http.post("/scan", headers=headers, params=query, content=content)
    assert (422, where) == (answer.status_code, answer.json()["errors"][0]["where"])


def test_a_body_in_another_encoding_is_refused(system):
    """A table in Latin-1 would be read wrongly."""
    headers = {"Content-Type": "text/csv; charset=latin-1"}
    assert 415 == system.http.post("/scan", headers=headers, content=b"a\n").status_code
