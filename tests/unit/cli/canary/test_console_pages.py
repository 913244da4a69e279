"""The pages of the console are read as a browser reads them, and walked by their links."""

import httpx

from vestibule.cli.canary.console import PageForm, PageLinks, kind_of, walk, without_fields

PAGE = """<a href="/tasks?state=failed">x</a><link href="/style.css"><div hx-get="/parts/now"></div>
<form method="get" action="/tasks"><input name="state"></form>
<form method="post" action="/tasks/5/retry"><input type="hidden" name="csrf" value="c&amp;1">
<select name="hours"><option value="1">1 h</option><option value="8">8 h</option></select>
<input type="checkbox" name="all"><textarea name="reason"></textarea><input name="key"><button>Go</button></form>"""


def test_a_page_leads_to_its_links_and_actions() -> None:
    """Links and parts that are loaded, but no file of the browser; of forms those that act, with what they send."""
    found = PageLinks.of(PAGE)
    assert ["/tasks?state=failed", "/parts/now"] == found.addresses
    hidden = {"csrf": "c&1", "hours": "1", "all": "on"}
    assert [PageForm("/tasks/5/retry", hidden, ("reason", "key"))] == found.forms


def test_pages_of_one_kind_differ_in_ids_and_values() -> None:
    """An id, a key or a number in the path, and the values of the query, make no other kind."""
    assert kind_of("/tasks/0f1e2d3c4b5a?state=failed") == kind_of("/tasks/7?state=queued")
    assert kind_of("/tasks/dead") != kind_of("/tasks/7")
    assert kind_of("/tasks?state=failed") != kind_of("/tasks")


def test_a_walk_ends_and_stays_at_home() -> None:
    """Each address once, a few of a kind, none of another host, and none of what never ends."""
    links = "".join(f'<a href="/things/{n}">x</a>' for n in range(100))
    page = f'<a href="/">x</a><a href="https://example.org/">x</a><a href="/requests/events?x=1">x</a>{links}'
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, html=page)

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://console") as http:
        found = [address for address, _ in walk(http)]
    assert ["/", "/things/0", "/things/1", "/things/2"] == found == asked


def test_what_a_form_gives_back_is_not_what_a_page_shows() -> None:
    """The fields themselves are left out, and nothing else."""
    page = (
        b'<input name="key" value="v"><textarea id="r" name="reason">v</textarea><p>v</p><input name="other" value="v">'
    )
    left = without_fields(page, ["key", "reason"])
    assert b'<textarea id="r" name="reason"><p>v</p><input name="other" value="v">' == left
    marked = b'<output for="key"><mark>v</mark></output><output for="other">v</output>'
    assert b'<output for="key"><output for="other">v</output>' == without_fields(marked, ["key"])
