"""What can be wrong with a policy file."""

from pathlib import Path


class InvalidPolicy(ValueError):
    """A policy file is no policy; says where and why. Of what stands in the file, only names are repeated."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(f"the policy {place}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason
