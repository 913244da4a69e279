"""Names, in which `_`, `.` and `-` part the words, so that they would hide the value that stands between them."""

import re
from itertools import pairwise

_SEPARATOR = re.compile(r"[._-]+")
# Less than this is neither an account, a card, a national id nor a key: most names need one scan alone.
_MAY_HIDE = re.compile(r"[0-9](?:[._-]?[0-9]){8}|[A-Za-z0-9]{16}")
# An account or a card behind letters, as in `jobDE89...`.
_GLUED = re.compile(r"(?<![0-9A-Z])[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}|(?<![0-9])[0-9]{12,19}(?![0-9])")
# A key may have separators itself: `sk_live_...`.
_WORDS_OF_A_KEY = 3


def readings(name: str) -> str:
    """Return the text to scan for a name: the name, and on lines below it its parts."""
    if _MAY_HIDE.search(name) is None:
        return name
    separators = [match.span() for match in _SEPARATOR.finditer(name)]
    bounds = [(0, 0), *separators, (len(name), len(name))]
    words = [(before[1], after[0]) for before, after in pairwise(bounds)]
    # The longest first, so that a value is not read behind the word before it a second time.
    texts = [name[start:] for start, _ in words]
    for at, (start, _) in enumerate(words):
        texts += (name[start:end] for _, end in words[at : at + _WORDS_OF_A_KEY])
    texts += _GLUED.findall(name)
    return "\n".join(dict.fromkeys(texts))
