"""Makes `synchronous/` of `asynchronous/`: `python -m vestibule.client.unasync`. A house test holds both in step."""

import re
from pathlib import Path

HERE = Path(__file__).parent
SOURCE, TARGET = HERE / "asynchronous", HERE / "synchronous"
# In this order.
REPLACEMENTS = (
    (r"AsyncGenerator\[(.+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bawaits? ", ""),
    (r"\b__aiter__\b", "__iter__"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\baread\b", "read"),
    (r"\baclose\b", "close"),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bhttpx\.AsyncClient\b", "httpx.Client"),
    (r"\bAsync([A-Z]\w+)\b", r"\1"),
    (r"\basynchronous\b", "synchronous"),
)


def unasync(text: str, name: str) -> str:
    """Return the synchronous form of an asynchronous module."""
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    doc = text.index('"""', 3) + 3
    origin = f"# Made of asynchronous/{name} by `python -m vestibule.client.unasync`; change that one."
    return f"{text[:doc]}\n\n{origin}{text[doc:]}"


def synchronous_modules() -> dict[str, str]:
    """Return the text of each synchronous module by its name."""
    return {path.name: unasync(path.read_text(), path.name) for path in sorted(SOURCE.glob("*.py"))}


if __name__ == "__main__":
    for module, content in synchronous_modules().items():
        (TARGET / module).write_text(content)
