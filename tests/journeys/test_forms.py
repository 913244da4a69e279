"""Forms of the policy file over HTTP: what comes in, what is stored, what is refused, and who may send."""

import json

import httpx
import pytest

from vestibule.service_kit.auth.token_file import create_token

MAIL, CARD = "jane.roe.7714@example.org", "4539148803436467"
PAGE = "https://www.example.org"
POLICY = f"""\
[entities]
PHONE_NUMBER = "redact"

[[rules]]
fields   = ["email"]
entities = ["EMAIL_ADDRESS"]
action   = "tokenize"

[[rules]]
key_prefixes = ["forms/free/"]
entities     = ["EMAIL_ADDRESS"]
action       = "alert"

[[retention]]
key_prefixes  = ["forms/contact/"]
default_ttl_s = 86400.0

[forms.contact]
origins  = ["{PAGE}"]
honeypot = "website"
tenant   = "default"

[forms.contact.fields]
name    = {{ required = true, max_chars = 50 }}
email   = {{}}
phone   = {{}}
message = {{}}
tags    = {{}}

[forms.free]
other_fields = true

[forms.loud]
fields.text = {{ required = true }}
processor = "uppercase"
write_to  = "loud/"
tokens    = ["page"]

[forms.open]
fields.text = {{ required = true, max_chars = 30 }}
public    = true
origins   = ["{PAGE}"]
redirect  = "{PAGE}/thanks"
redirect_refused = "{PAGE}/again"
requests_per_address = 20

[forms.few]
fields.text = {{}}
public    = true
origins   = ["{PAGE}"]
requests_per_address = 2

[forms.busy]
fields.text = {{}}
public    = true
origins   = ["{PAGE}"]
requests_per_minute  = 2
requests_per_address = 100

[forms.wrong]
fields.text = {{}}
processor = "no_such_processor"

[forms.theirs]
fields.text = {{}}
tenant = "other"
"""
FORM_TYPE = "application/x-www-form-urlencoded"
BOUNDARY = "----WebKitFormBoundaryQ7iBbCqPzGZ0aTnB"
MULTIPART_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The policy file."""
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text(POLICY)
    return file


@pytest.fixture(scope="module")
def own(start_for_module, policy):
    """A system with forms."""
    return start_for_module(VESTIBULE_POLICY_FILE=str(policy)).ask_again()


@pytest.fixture(scope="module")
def page(own):
    """A client with a token that may send forms and nothing else."""
    token, _ = create_token(own.data_dir / "keys" / "tokens.json", "page", ["forms"])
    with own.client(token) as http:
        yield http


@pytest.fixture(scope="module")
def stranger(own):
    """A client without a token."""
    with httpx.Client(base_url=own.url, timeout=40) as http:
        yield http


def _stored(own, answer):
    assert 201 == answer.status_code, answer.text
    found = own.http.get("/read", params={"key": answer.json()["key"]}).raise_for_status().json()
    return json.loads(found["value"]), found


def _multipart(pairs):
    """Return what a browser sends, with a field for a file that nobody has chosen."""
    parts = [(f'name="{name}"', value) for name, value in pairs]
    absent = 'name="photo"; filename=""\r\nContent-Type: application/octet-stream'
    lines = [f"--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n{text}\r\n" for about, text in parts]
    last = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {absent}\r\n\r\n\r\n--{BOUNDARY}--\r\n"
    return "".join([*lines, last]).encode()


def test_the_three_media_types_are_stored_alike_and_in_order(own, page):
    """Values of one name become a list; a file field without a file, and `_charset_`, are no fields."""
    wanted = {"name": "Jürgen", "tags": ["a", "b"], "message": "x & y"}
    pairs = [("name", "Jürgen"), ("tags", "a"), ("_charset_", "UTF-8"), ("message", "x & y"), ("tags", "b")]
    urlencoded = str(httpx.QueryParams(pairs))
    answers = [
        page.post("/forms/contact", json=wanted),
        page.post("/forms/contact", content=urlencoded, headers={"Content-Type": FORM_TYPE}),
        page.post("/forms/contact", content=_multipart(pairs), headers={"Content-Type": MULTIPART_TYPE}),
    ]
    values = [_stored(own, answer) for answer in answers]
    assert [list(wanted.items())] * 3 == [list(value.items()) for value, _ in values]
    keys = [answer.json()["key"] for answer in answers]
    assert sorted(keys) == keys
    # The retention of the prefix applies, and the tags of versions are as those of `/add`.
    assert ['"1"'] * 3 == [answer.headers["etag"] for answer in answers]
    assert all(found["expires_at"] for _, found in values)


def test_findings_name_the_field_and_each_has_its_own_action(own, page):
    """The address is a token in its own field, and blocks elsewhere; a number is screened as its text is."""
    answer = page.post("/forms/contact", json={"name": "Jane", "email": MAIL, "phone": 493012345678, "tags": [1, None]})
    value, _ = _stored(own, answer)
    assert value["email"].startswith("<EMAIL_ADDRESS.v1.")
    assert ("<PHONE_NUMBER>", [1, None]) == (value["phone"], value["tags"])
    found = {(one["field"], one["entity"], one["action"]) for one in answer.json()["findings"]}
    assert {("email", "EMAIL_ADDRESS", "tokenize"), ("phone", "PHONE_NUMBER", "redact")} == found

    refused = page.post("/forms/contact", json={"name": "Jane", "tags": ["x", f"pay with {CARD}"], "message": MAIL})
    assert (422, "/problems/personal-data") == (refused.status_code, refused.json()["type"])
    assert ["message", "tags/1"] == sorted(one["field"] for one in refused.json()["findings"])
    assert MAIL not in refused.text


def test_names_are_checked_and_only_defined_ones_are_repeated(own, page):
    """A name that the caller made up is named by its place, in the answer as in alerts and decisions."""
    refused = page.post("/forms/free", json={"text": "x", MAIL: "x"})
    assert ["name 2"] == [one["field"] for one in refused.json()["findings"]]
    let_in = page.post("/forms/free", json={"wholly-unheard-of": MAIL})
    assert ["field 1"] == [one["field"] for one in let_in.json()["findings"]]
    assert b"wholly-unheard-of" not in own.everything_written()
    assert MAIL.encode() not in own.everything_written()


@pytest.mark.parametrize(
    ("sent", "kinds"),
    [
        ({}, {"name": "missing"}),
        ({"name": ""}, {"name": "missing"}),
        ({"name": "n" * 51, "more": "x"}, {"name": "too_long", "field 2": "extra_forbidden"}),
        ({"name": "Jane", "website": "https://spam"}, {"website": "filled_in"}),
    ],
)
def test_a_form_is_held_to_its_definition(own, page, sent, kinds):
    """Each mistake names its field; what visitors do wrong raises no alert."""
    before = len(own.reports("InvalidInput"))
    refused = page.post("/forms/contact", json=sent)
    assert (422, "/problems/form-invalid") == (refused.status_code, refused.json()["type"])
    assert kinds == {one["field"]: one["kind"] for one in refused.json()["errors"]}
    assert before == len(own.reports("InvalidInput"))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"files": {"name": ("a.txt", b"text")}}, 415),
        ({"content": "name=J%FC", "headers": {"Content-Type": FORM_TYPE}}, 422),
        ({"content": "name=J", "headers": {"Content-Type": f"{FORM_TYPE}; charset=iso-8859-1"}}, 415),
        ({"content": "name=J&_charset_=windows-1252", "headers": {"Content-Type": FORM_TYPE}}, 415),
        ({"content": "name=J", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": "&".join(["tags=x"] * 201), "headers": {"Content-Type": FORM_TYPE}}, 422),
        ({"json": {"name": {"first": "Jane"}}}, 422),
        ({"json": ["Jane"]}, 422),
        ({"json": {"name": "J", "m" * 101: "x"}}, 422),
    ],
)
def test_what_is_no_form_is_refused(page, sent, status):
    """A file, another encoding, too many values, and what is nested."""
    refused = page.post("/forms/contact", **sent)
    assert (status, "application/problem+json") == (refused.status_code, refused.headers["content-type"])
    assert (status == 415) == ("accept-post" in refused.headers)


def test_a_form_is_processed_where_its_definition_says_so(own, page):
    """The result stands under the id of the form, and the token of the page can read neither."""
    sent = page.post("/forms/loud", data={"text": "hello"}, headers={"Prefer": "receipt"})
    assert (201, "receipt") == (sent.status_code, sent.headers["preference-applied"])
    reply = sent.json()
    assert "succeeded" == own.http.get(reply["status_url"], params={"wait": 20}).json()["state"]
    result = own.http.get("/read", params={"key": f"loud/{reply['key'].rpartition('/')[2]}"}).json()
    assert '{"TEXT": "HELLO"}' == result["value"]
    statuses = {page.get("/read", params={"key": reply["key"]}).status_code, page.get("/keys").status_code}
    assert {403} == statuses | {page.get(reply["status_url"]).status_code}
    everything, _ = create_token(own.data_dir / "keys" / "tokens.json", "everything", ["*"])
    with own.client(everything) as other:
        assert 403 == other.post("/forms/loud", json={"text": "hello"}).status_code


def test_a_repetition_stores_nothing_twice(own, page):
    """The first reply again, also where a browser separates the parts by another boundary."""
    headers = {"Idempotency-Key": "form-1"}
    answers = [page.post("/forms/free", files={"a": (None, "x")}, headers=headers) for _ in range(2)]
    assert 1 == len({answer.json()["key"] for answer in answers})
    assert "true" == answers[1].headers["idempotency-replayed"]
    assert 422 == page.post("/forms/free", files={"a": (None, "y")}, headers=headers).status_code


def test_a_public_form_takes_what_its_pages_send(own, stranger):
    """Without a token: with the origin of a page that may, and to the fixed addresses for browsers without script."""
    sent = {"data": {"text": "hello"}, "headers": {"Origin": PAGE, "Accept": "text/html,*/*;q=0.8"}}
    thanks = stranger.post("/forms/open?redirect=https://evil.example", **sent)
    assert 422 == thanks.status_code
    thanks = stranger.post("/forms/open", **sent)
    assert (303, f"{PAGE}/thanks") == (thanks.status_code, thanks.headers["location"])
    again = stranger.post("/forms/open", **sent | {"data": {"text": MAIL}})
    assert (303, f"{PAGE}/again") == (again.status_code, again.headers["location"])
    (key,) = own.http.get("/keys", params={"prefix": "forms/open/"}).json()["keys"]
    assert '{"text": "hello"}' == own.http.get("/read", params={"key": key}).json()["value"]
    # By script the answer is JSON.
    read = stranger.post("/forms/open", data={"text": MAIL}, headers={"Origin": PAGE, "Accept": "*/*"})
    assert (422, PAGE) == (read.status_code, read.headers["access-control-allow-origin"])


def test_other_pages_and_programs_are_refused(own, page, stranger):
    """A public form needs the origin of its page; a form with tokens refuses that of another."""
    for headers in ({}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": f"{PAGE}, {PAGE}"}):
        refused = stranger.post("/forms/open", data={"text": "x"}, headers=headers)
        assert (403, "/problems/origin-refused") == (refused.status_code, refused.json()["type"])
        assert "access-control-allow-origin" not in refused.headers
    foreign = {"Origin": "https://evil.example"}
    assert 403 == page.post("/forms/contact", json={"name": "Jane"}, headers=foreign).status_code
    assert 401 == stranger.post("/forms/contact", json={"name": "Jane"}, headers={"Origin": PAGE}).status_code
    assert [404, 404] == [page.post(f"/forms/{name}", json={"text": "x"}).status_code for name in ("nil", "theirs")]
    assert 401 == stranger.post("/forms/nil", json={"text": "x"}).status_code


def test_an_address_may_send_a_few_in_a_minute(stranger):
    """Then it is told how long to wait, in headers that the page may read."""
    sent = {"json": {"text": "x"}, "headers": {"Origin": PAGE}}
    answers = [stranger.post("/forms/few", **sent) for _ in range(3)]
    assert [201, 201, 429] == [answer.status_code for answer in answers]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert "Retry-After" in answers[2].headers["access-control-expose-headers"]
    assert "requests_per_address" == answers[2].json()["quota"]


def test_a_public_form_has_a_quota_of_its_own(stranger):
    """As a token has; two fit into a minute of the clock, and five into no two of them."""
    sent = {"json": {"text": "x"}, "headers": {"Origin": PAGE}}
    refused = [answer for answer in (stranger.post("/forms/busy", **sent) for _ in range(5)) if answer.is_error]
    assert (429, "requests_per_minute") == (refused[0].status_code, refused[0].json()["quota"])


def test_browsers_may_ask_before_they_send(stranger):
    """For the origins of a form alone, without credentials, and on no other route."""
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = stranger.options("/forms/contact", headers=asked)
    assert (204, PAGE, "POST", "600") == (
        allowed.status_code,
        allowed.headers["access-control-allow-origin"],
        allowed.headers["access-control-allow-methods"],
        allowed.headers["access-control-max-age"],
    )
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert ("Origin", False) == (allowed.headers["vary"], "access-control-allow-credentials" in allowed.headers)
    refused = [
        stranger.options("/forms/contact", headers=asked | {"Origin": "https://evil.example"}),
        stranger.options("/forms/nil", headers=asked),
        stranger.options("/add", headers=asked),
        stranger.options("/forms/contact", headers={"Origin": PAGE}),
    ]
    assert [403, 403, 405, 405] == [answer.status_code for answer in refused]
    assert not any("access-control-allow-methods" in answer.headers for answer in refused)


def test_a_subject_is_found_and_erased_within_a_form(own, page, wait_until):
    """The stored object holds the value, and is gone with it."""
    value = "ada.form.erase@example.org"
    kept = page.post("/forms/free", json={"a": "x"}).json()["key"]
    gone = page.post("/forms/free", json={"a": "x", "b": ["y", f"write to {value}"]}).json()["key"]
    own.http.request("DELETE", "/subjects", json={"value": value}).raise_for_status()

    def statuses():
        return [own.http.get("/read", params={"key": key}).status_code for key in (gone, kept)]

    # A search that takes long is answered before it ends.
    wait_until(lambda: statuses() == [404, 200], what="the erasure")


def test_a_change_of_the_definition_counts_while_the_system_runs(own, page, policy, wait_until):
    """The policy file is read again; one with a mistake changes nothing, and an alert names its line."""
    assert 404 == page.post("/forms/later", json={"text": "x"}).status_code
    policy.write_text(f"{POLICY}\n[forms.later]\nfields.text = {{}}\n")
    wait_until(lambda: page.post("/forms/later", json={"text": "x"}).status_code == 201, what="the form")
    policy.write_text(f"{POLICY}\n[forms.later]\nfields.text = {{}}\npublic = true\n")
    (report,) = wait_until(lambda: own.reports("PolicyBroken"), what="the alert")
    assert f"line {POLICY.count(chr(10)) + 2}: `later`: a public form needs origins" in report.read_text()
    assert 201 == page.post("/forms/later", json={"text": "x"}).status_code


def test_visitors_learn_nothing_of_the_processors_from_a_form_that_names_an_unknown_one(own, page):
    """The operator reads it in the log."""
    refused = httpx.post(f"{own.url}/forms/wrong", json={"text": "hello"}, headers=dict(page.headers), timeout=40)
    assert (503, "unavailable") == (refused.status_code, refused.json()["type"].rpartition("/")[2])
    assert "processor" not in refused.text
    assert own.log_lines(event="form_misconfigured", form="wrong")
