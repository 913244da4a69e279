"""The entry point of the `vestibule` program."""

import os
import signal
import sys

# These run for long, and many times on one machine: without the other commands each starts a tenth of a second earlier
# and takes 2 MB less.
PARTS = ("serve", "worker")
# As shells have it: 128 and the number of SIGINT.
INTERRUPTED = 130
TERMINATED = 143


def run() -> None:
    """Run the program. Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted by Ctrl-C."""
    if os.getpid() == 1:
        # The kernel gives the first process of a container no signal that it does not handle; a part that still starts
        # would be killed ten seconds later. Its own handler follows.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    try:
        # The imports take most of the time of a short command, in which Ctrl-C would print a traceback.
        if sys.argv[1:2] and sys.argv[1] in PARTS:
            from vestibule.cli.program import add_parts, create_program

            program = create_program()
            add_parts(program)
        else:
            from vestibule.cli.main import app as program
        program()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
