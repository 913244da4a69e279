"""Random ids, made of random bytes that the system gives many of at a time: to ask for them is a call of the kernel.

They name things and protect nothing. Keys, nonces, salts and tokens are asked for one by one.
"""

import os
from collections import deque

_POOL_BYTES = 2048
_PIECE_BYTES = 8

_pieces: deque[str] = deque()
# A forked process would make the ids of its parent again.
os.register_at_fork(after_in_child=_pieces.clear)


def random_id(pieces: int = 1) -> str:
    """Return 16 random hexadecimal digits for each of `pieces`. Any thread may call."""
    try:
        return "".join([_pieces.pop() for _ in range(pieces)])
    except IndexError:
        return "".join(_new_pieces(pieces))


def _new_pieces(count: int) -> list[str]:
    """Return `count` pieces, and keep others for later."""
    digits, width = os.urandom(_POOL_BYTES).hex(), 2 * _PIECE_BYTES
    made = [digits[at : at + width] for at in range(0, len(digits), width)]
    _pieces.extend(made[count:])
    return made[:count]
