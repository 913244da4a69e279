"""What a service refuses is told by the words that were typed, and never by a regular expression."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from vestibule.cli.frame.mistakes import told_mistake

PATTERN = "String should match pattern '^[0-9a-f]{32}$'"


@pytest.mark.parametrize(
    ("where", "expected", "told"),
    [
        ("query/severity", "Input should be 'info'", "--severity: Input should be 'info'"),
        ("body/hours", "Input should be greater than 0", "--for: Input should be greater than 0"),
        ("body/ttl_s", "Field required", "--ttl: required"),
        ("path/erasure_id", PATTERN, "ID: must be as a list or the help shows it"),
        ("body/samples/0/text", "a text", "body/samples/0/text: a text"),
    ],
)
def test_a_mistake_is_told_by_the_option(where: str, expected: str, told: str) -> None:
    """A place that no option has keeps its name of the API."""
    program = typer.Typer(add_completion=False)

    @program.command()
    def act(
        job_id: Annotated[str, typer.Argument(metavar="ID")],
        kind: Annotated[str, typer.Option("--severity")] = "",
        length: Annotated[str, typer.Option("--for")] = "",
        ttl: str = "",
    ) -> None:
        """Print the mistake."""
        assert (kind, length, ttl) == ("", "", "")
        print(job_id, told_mistake({"where": where, "expected": expected}))

    assert f"x {told}\n" == CliRunner().invoke(program, ["x"]).output


def test_without_a_command_the_place_is_that_of_the_api() -> None:
    """As in a test, or a library."""
    assert "query/limit: a number" == told_mistake({"where": "query/limit", "expected": "a number"})
