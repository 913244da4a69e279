"""A job that has not ended in time goes on; the message says how to wait for it further."""

import json

import pytest
import typer

from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.problems import JobRunning, end_with_problem

JOB = "0123456789abcdef"


def test_a_job_that_goes_on_has_its_own_code_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    """For people."""
    with pytest.raises(typer.Exit) as ended:
        end_with_problem(JobRunning(JOB, 30, f"subject show {JOB} --wait 10m"), as_json=False)
    assert ExitCode.TIMED_OUT == ended.value.exit_code
    told = capsys.readouterr()
    assert "" == told.out
    assert f"`vestibule subject show {JOB} --wait 10m` goes on waiting" in told.err


def test_a_program_gets_the_id_of_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    """In the problem document."""
    with pytest.raises(typer.Exit):
        end_with_problem(JobRunning(JOB, 30, "subject show"), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert ("/problems/wait-timed-out", JOB, 30) == (document["type"], document["job_id"], document["timeout_s"])
