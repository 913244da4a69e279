"""How a failed command ends: a problem in words or as the problem document, and its exit code."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from vestibule.cli.frame.exit_codes import ExitCode, exit_code_of
from vestibule.cli.frame.mistakes import told_mistake
from vestibule.cli.options import echo
from vestibule.contracts.errors import VestibuleError

WAIT_TIMED_OUT, UNREACHABLE = "wait-timed-out", "unreachable"


class CommandFailed(VestibuleError):
    """A command failed for a reason of its own, which no service answered."""

    slug, title = "command-failed", "The command failed"

    def __init__(self, detail: str, *, exit_code: int = ExitCode.FAILED) -> None:
        """Take the reason, and the exit code of the program."""
        super().__init__(detail)
        self.exit_code = int(exit_code)


class JobRunning(VestibuleError):
    """A job has not ended in time, and goes on: `command` is the command that waits further."""

    slug, title = WAIT_TIMED_OUT, "It has not ended in time"

    def __init__(self, job_id: str, timeout_s: float, command: str) -> None:
        """Take the id of the job, how long it was waited for, and the command that waits further."""
        super().__init__(f"{job_id} has not ended within {timeout_s:g} s; it goes on.")
        self.job_id = job_id
        self.timeout_s = timeout_s
        self.command = command


@contextmanager
def failing_on(*errors: type[Exception], before: str = "", exit_code: int = ExitCode.FAILED) -> Iterator[None]:
    """Make an error of these classes a `CommandFailed` with its message after `before`."""
    try:
        yield
    except errors as error:
        from vestibule.service_kit.settings import describe_mistakes

        detail = describe_mistakes(error) if isinstance(error, ValueError) else error
        raise CommandFailed(f"{before}{detail}", exit_code=exit_code) from None


def end_with_problem(error: VestibuleError, *, as_json: bool) -> NoReturn:
    """Print why the command failed and end the program.

    People read it on standard error. With --json the problem document is the one document on standard output.
    """
    if as_json:
        echo(json.dumps(problem_of(error), ensure_ascii=False))
    else:
        echo("vestibule: " + "\n".join(_lines_of(error)), err=True)
    own = error.exit_code if isinstance(error, CommandFailed) else exit_code_of(type(error)).value
    raise typer.Exit(own)


def problem_of(error: VestibuleError) -> Mapping[str, Any]:
    """Return the problem document that the service sent, or one for an error without an answer."""
    sent = getattr(error, "problem", None)
    if isinstance(sent, Mapping) and sent:
        return sent
    members = {name: getattr(error, name) for name in ("task_id", "job_id", "timeout_s") if hasattr(error, name)}
    return {"type": f"/problems/{error.slug}", "title": error.title, "detail": error.detail, **members}


def _lines_of(error: VestibuleError) -> Iterator[str]:
    problem = problem_of(error)
    title = str(problem.get("title", error.title))
    mistakes = list(_objects(problem, "errors"))
    if isinstance(error, CommandFailed):
        yield error.detail
    else:
        # The lines below say where a mistake is, in words of the command line.
        yield title if mistakes else f"{title}: {error.detail}"
    for mistake in mistakes:
        yield f"  {told_mistake(mistake)}"
    for finding in _objects(problem, "findings"):
        place = f"characters {finding.get('start')} to {finding.get('end')} of the {finding.get('field', 'text')}"
        yield f"  {finding.get('entity')} at {place}, score {finding.get('score')}"
    if "alert_id" in problem:
        yield f"  alert {problem['alert_id']} (`vestibule alert show {problem['alert_id']}`)"
    if error.slug == UNREACHABLE:
        yield "  Is it running? `vestibule up` starts it on this machine; `vestibule server list` shows others."
    if error.slug == WAIT_TIMED_OUT:
        command = getattr(error, "command", f"task wait {problem.get('task_id')}")
        yield f"  `vestibule {command}` goes on waiting"


def _objects(problem: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    listed = problem.get(name)
    yield from (one for one in listed if isinstance(one, Mapping)) if isinstance(listed, list) else ()
