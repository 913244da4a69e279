"""The entry point of the `vestibule` program."""

import os
import signal
import sys

# As shells have it: 128 and the number of SIGINT.
INTERRUPTED = 130
TERMINATED = 143
# Loaded by commands that call a server, and by those alone.
CLIENT = "vestibule.client.http_library"


def run() -> None:
    """Run the program; `frame.exit_codes` has its exit codes."""
    if os.getpid() == 1:
        # The kernel gives the first process of a container no signal that it does not handle; a part that still starts
        # would be killed ten seconds later. Its own handler follows.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    try:
        # The imports take most of the time of a short command, in which Ctrl-C would print a traceback.
        if sys.argv[1:] == ["--version"]:
            _print_version()
            return
        from vestibule.cli.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of the pipe, such as `head`, has what it wanted.
        sys.exit(1)
    except SystemExit as ended:
        if CLIENT in sys.modules and isinstance(ended.code, int):
            _end_at_once(ended.code)
        raise
    finally:
        _flush_output()


def _print_version() -> None:
    from vestibule.cli.version import installed_version

    sys.stdout.write(f"vestibule {installed_version()}\n")


def _end_at_once(code: int) -> None:
    """End without taking the interpreter apart, which takes a fifth of a command's time and has no use here.

    A command that calls a server has closed its connections and its files; where a thread is left, it is waited for as
    usual.
    """
    import threading

    if threading.active_count() == 1:
        _flush_output()
        sys.stderr.flush()
        os._exit(code)


def _flush_output() -> None:
    """Write what is left, if it is still wanted."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would report it when it flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        # Standard output was closed before the program started, or cannot be written.
        pass
