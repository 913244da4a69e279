"""Vestibule: the entrance hall for data. Everything that comes in is checked before it is stored or processed."""

__version__: str


def __getattr__(name: str) -> str:
    # Reading the installed version takes 70 ms, which a scan from the command line need not wait for.
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("vestibule-intake")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
