"""Requests that two parsers could read differently are refused, and what hides behind them is never served.

Source: RFC 9112, HTTP/1.1, sections 2.2, 5 to 7 and 11.2.
"""

import re
import socket
from contextlib import suppress
from typing import Any

import pytest

HIDDEN = b"smuggled"
AUTH = b"Authorization: Bearer SECRET_TOKEN\r\n"
START = b"POST /scan HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + AUTH
BODY = b'{"text": "hello"}'
INNER = b"POST /add?key=" + HIDDEN + b"&value=x HTTP/1.1\r\nHost: 127.0.0.1\r\n" + AUTH + b"Content-Length: 0\r\n\r\n"
CL = b"Content-Length: %d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
END = b"0\r\n\r\n"
WHOLE = CHUNK + END

# What follows the first lines of a request: framing that says two things, or one that only some parsers take.
AMBIGUOUS = {
    "length and chunks": CL % len(WHOLE) + CHUNKED + b"\r\n" + WHOLE,
    "chunks and length": CHUNKED + CL % 4 + b"\r\n" + WHOLE,
    "two lengths": CL % len(BODY) + CL % (len(BODY) + len(INNER)) + b"\r\n" + BODY,
    "a list of lengths": b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY) + 1) + BODY,
    "a length with a sign": b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a negative length": b"Content-Length: -1\r\n\r\n" + BODY,
    "a length in hexadecimal": b"Content-Length: 0x11\r\n\r\n" + BODY,
    "an endless length": b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + BODY,
    "a space before the colon": b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "a tab before the colon": b"Transfer-Encoding\t: chunked\r\n\r\n" + WHOLE,
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\n" + CL % len(BODY) + b"\r\n" + BODY,
    "chunked twice": CHUNKED + CHUNKED + b"\r\n" + WHOLE,
    "another coding": b"Transfer-Encoding: chunked, identity\r\n\r\n" + WHOLE,
    "a coding that is none": b"Transfer-Encoding: xchunked\r\n" + CL % len(BODY) + b"\r\n" + BODY,
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n" + CL % len(BODY) + b"\r\n" + BODY,
    "a NUL in a name": b"Content-Length\0: %d\r\n\r\n" % len(BODY) + BODY,
    "a NUL in a value": b"X-Some: a\0b\r\n" + CL % len(BODY) + b"\r\n" + BODY,
    "a bare CR": b"X-Some: a\rContent-Length: 0\r\n" + CL % len(BODY) + b"\r\n" + BODY,
    "a chunk that is no number": CHUNKED + b"\r\nzz\r\n" + BODY + b"\r\n" + END,
    "a chunk with a sign": CHUNKED + b"\r\n-11\r\n" + BODY + b"\r\n" + END,
    "a huge chunk": CHUNKED + b"\r\nffffffffffffffffff\r\n" + BODY,
    "a chunk longer than it says": CHUNKED + b"\r\n5\r\n" + BODY + b"\r\n" + END,
}
# What every parser reads alike; what comes behind it is the next request of the same caller.
PLAIN = {
    "a length": CL % len(BODY) + b"\r\n" + BODY,
    "chunks": CHUNKED + b"\r\n" + WHOLE,
    "chunks with an extension": CHUNKED + b"\r\n%x;a=b\r\n%b\r\n" % (len(BODY), BODY) + END,
    "chunks with a trailer": CHUNKED + b"\r\n" + CHUNK + b"0\r\nX-Some: a\r\n\r\n",
}


@pytest.fixture(scope="module")
def attacked(start_for_module: Any) -> Any:
    """A system of this module's own."""
    return start_for_module()


def answers_to(port: int, request: bytes) -> list[int]:
    """Return the statuses that one connection is answered until the server ends it, or says nothing for a second."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request)
        connection.settimeout(1)
        answer = b""
        with suppress(TimeoutError, ConnectionResetError):
            while some := connection.recv(65_536):
                answer += some
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_request_is_refused_and_ends_its_connection(attacked: Any, rest: bytes) -> None:
    """One answer, a 400, however the request goes on; the request that hides behind it is not served."""
    statuses = answers_to(attacked.base_port, START + rest + INNER)
    assert [400] == statuses
    assert 404 == attacked.http.get("/read", params={"key": HIDDEN.decode()}).status_code


@pytest.mark.parametrize("rest", PLAIN.values(), ids=PLAIN)
def test_a_plain_request_is_one_request(attacked: Any, rest: bytes) -> None:
    """It is answered once, and the one behind it is another."""
    assert [200, 200] == answers_to(attacked.base_port, START + rest + b"GET /health HTTP/1.1\r\nHost: v\r\n\r\n")


def test_ambiguous_heads_reach_no_service(attacked: Any) -> None:
    """The same behind a good request on one connection, at each of the services; a neighbour is served meanwhile."""
    for offset, (name, rest) in enumerate(AMBIGUOUS.items()):
        port = attacked.base_port + offset % 4
        good = b"GET /health HTTP/1.1\r\nHost: v\r\n\r\n"
        statuses = answers_to(port, good + START + rest + INNER)
        # The good one may go unanswered where both came together: the connection ends at once.
        assert statuses in ([400], [200, 400]), (name, statuses)
        assert 200 == attacked.http.get("/health").status_code
    assert 404 == attacked.http.get("/read", params={"key": HIDDEN.decode()}).status_code
    assert HIDDEN not in attacked.everything_written()
