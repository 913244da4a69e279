"""Headers by name."""

from vestibule.service_kit.request_headers import headers_of


def test_the_first_of_several_counts_and_they_are_collected_once() -> None:
    """As the framework's own view has it."""
    scope = {"headers": [(b"host", b"a"), (b"accept", b"x"), (b"accept", b"y")]}
    assert {b"host": b"a", b"accept": b"x"} == headers_of(scope)
    assert headers_of(scope) is headers_of(scope)
