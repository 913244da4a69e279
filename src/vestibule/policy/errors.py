"""The errors of policy files."""

from pathlib import Path


class InvalidPolicy(ValueError):
    """The policy file is invalid; the message has the line and the reason, and repeats only names."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(f"the policy {place}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason
