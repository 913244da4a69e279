"""The entry point of the `vestibule` program."""

import sys

from vestibule.cli.program import add_parts, create_program

# These run for long, and many times on one machine: without the other commands each starts a tenth of a second earlier
# and takes 2 MB less.
PARTS = ("serve", "worker")


def run() -> None:
    """Run the program. Exit codes: 0 done, 1 failed or refused, 2 wrong usage."""
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        program = create_program()
        add_parts(program)
    else:
        from vestibule.cli.main import app as program
    program()
