"""Check digits and checksums of identifiers and wallet addresses; all take the value as written."""

import hashlib
import re
from math import log2

_DOUBLED = bytes.maketrans(b"0123456789", bytes(2 * d if d < 5 else 2 * d - 9 for d in range(10)))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_NOT_DIGIT = re.compile(r"[^0-9]")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")


def digits_of(value: str) -> str:
    """Return the ASCII digits of `value`."""
    return _NOT_DIGIT.sub("", value)


def compact(value: str) -> str:
    """Return the ASCII letters, in upper case, and digits of `value`."""
    return _NOT_ALNUM.sub("", value).upper()


def passes_luhn(value: str) -> bool:
    """Check the last digit. Source: ISO/IEC 7812-1, annex B."""
    digits = digits_of(value).encode()
    return bool(digits) and (sum(digits[-2::-2].translate(_DOUBLED)) + sum(digits[-1::-2].translate(_PLAIN))) % 10 == 0


def passes_mod97(value: str) -> bool:
    """Check the whole number, with letters as 10 to 35. Source: ISO/IEC 7064, MOD 97-10."""
    return int("".join(str(int(char, 36)) for char in compact(value))) % 97 == 1


def weighted_sum(digits: str, weights: tuple[int, ...]) -> int:
    """Return the sum of digit times weight, from the left, as far as the weights go."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_one_digit_repeated(digits: str) -> bool:
    """Tell whether all digits are equal, as in 000000, which is never issued."""
    return len(set(digits)) <= 1


def entropy_bits(value: str) -> float:
    """Return the Shannon entropy in bits per character."""
    size = len(value)
    if not size:
        return 0.0
    # A value has few characters: counting each is cheaper than building a table.
    counts = [value.count(char) for char in set(value)]
    return log2(size) - sum([count * log2(count) for count in counts if count > 1]) / size


_BASE58 = {char: value for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32 = {char: value for value, char in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS = (1, 0x2BC830A3)
_CASH_GENERATOR = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
_MASK = (1 << 64) - 1


def passes_base58(value: str) -> bool:
    """Check the last four bytes. Source: Bitcoin, Base58Check."""
    number = 0
    for char in value:
        if char not in _BASE58:
            return False
        number = number * 58 + _BASE58[char]
    data = number.to_bytes(max((number.bit_length() + 7) // 8, 25), "big")
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def passes_bech32(value: str) -> bool:
    """Check the last six characters. Source: BIP 173, BIP 350."""
    prefix, _, data = value.lower().rpartition("1")
    if not prefix or any(char not in _BECH32 for char in data) or value not in {value.lower(), value.upper()}:
        return False
    spread = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = 1
    for symbol in spread + [_BECH32[char] for char in data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ symbol
        for bit, factor in enumerate(_GENERATOR):
            check ^= factor if top >> bit & 1 else 0
    return check in _BECH32_SUMS


def passes_cash_address(value: str) -> bool:
    """Check the last eight characters. Source: Bitcoin Cash, CashAddr."""
    prefix, _, data = value.lower().rpartition(":")
    prefix = prefix or "bitcoincash"
    if any(char not in _BECH32 for char in data):
        return False
    check = 1
    for symbol in [*(ord(char) & 31 for char in prefix), 0, *(_BECH32[char] for char in data)]:
        top = check >> 35
        check = (check & 0x07FFFFFFFF) << 5 ^ symbol
        for bit, factor in enumerate(_CASH_GENERATOR):
            check ^= factor if top >> bit & 1 else 0
    return check == 1


def passes_eip55(value: str) -> bool:
    """Check the case of the letters; a value in a single case has no checksum. Source: EIP-55."""
    digits = value.removeprefix("0x")
    if digits in {digits.lower(), digits.upper()}:
        return len(set(digits.lower())) > 4
    marks = keccak_256(digits.lower().encode()).hex()
    return all(
        char == (char.upper() if int(mark, 16) > 7 else char.lower()) for char, mark in zip(digits, marks, strict=False)
    )


def keccak_256(data: bytes) -> bytes:
    """Hash as Ethereum does: Keccak before it became SHA-3 (another padding). Source: keccak.team."""
    rate = 136
    padded = _pad(data, rate)
    lanes = [0] * 25
    for at in range(0, len(padded), rate):
        for lane in range(rate // 8):
            lanes[lane] ^= int.from_bytes(padded[at + 8 * lane : at + 8 * lane + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _pad(data: bytes, rate: int) -> bytes:
    padding = bytearray(rate - len(data) % rate)
    padding[0] |= 0x01
    padding[-1] |= 0x80
    return data + bytes(padding)


def _permute(lanes: list[int]) -> list[int]:
    register = 1
    for _ in range(24):
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[(x + 4) % 5] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[at % 5] for at, lane in enumerate(lanes)]
        lanes = _move(lanes)
        lanes = [
            lanes[at] ^ (~lanes[at - at % 5 + (at + 1) % 5] & _MASK & lanes[at - at % 5 + (at + 2) % 5])
            for at in range(25)
        ]
        for bit in range(7):
            register = ((register << 1) ^ ((register >> 7) * 0x71)) & 0xFF
            if register & 2:
                lanes[0] ^= 1 << ((1 << bit) - 1)
    return lanes


def _move(lanes: list[int]) -> list[int]:
    moved = list(lanes)
    x, y, current = 1, 0, lanes[1]
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        at = x + 5 * y
        moved[at], current = _rotate(current, (step + 1) * (step + 2) // 2), lanes[at]
    return moved


def _rotate(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _MASK if by else lane
