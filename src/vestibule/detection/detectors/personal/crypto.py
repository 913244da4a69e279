"""Addresses that cryptographic currencies are sent to, by their check sums."""

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import (
    passes_base58,
    passes_bech32,
    passes_cash_address,
    passes_eip55,
)

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"

DETECTOR = Detector(
    entity="CRYPTO",
    rules=(
        Rule(
            name="base58",  # Bitcoin 1 and 3, Litecoin L and M, Dogecoin D and A, Dash X, Tron T
            pattern=rf"[13LMDAXT]{_BASE58}{{25,33}}",
            prefilter=r"(?:^|[^\w])[13LMDAXT][1-9A-HJ-NP-Za-km-z]{25}",
            score=0.9,
            check=passes_base58,
        ),
        Rule(
            name="ripple",
            pattern=rf"r{_BASE58}{{24,34}}",
            score=0.25,
        ),
        Rule(
            name="bech32",
            pattern=r"(?:bc1|tb1|ltc1|addr1|cosmos1|BC1|TB1|LTC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{20,98}",
            anchors=("bc1", "tb1", "ltc1", "addr1", "cosmos1"),
            score=0.95,
            check=passes_bech32,
        ),
        Rule(
            name="cash-address",
            pattern=r"bitcoincash:[qp][02-9ac-hj-np-z]{41}",
            anchors=("bitcoincash:",),
            score=0.95,
            check=passes_cash_address,
        ),
        Rule(
            name="ethereum",
            pattern=r"0x[0-9A-Fa-f]{40}",
            anchors=("0x",),
            score=0.85,
            check=passes_eip55,
        ),
        Rule(name="monero", pattern=rf"[48][0-9AB]{_BASE58}{{93}}", prefilter=r"[48][0-9AB][1-9A-Za-z]{20}", score=0.6),
    ),
    labels=("wallet", "bitcoin", "btc", "ethereum", "eth", "ripple", "xrp", "crypto", "litecoin", "monero", "dogecoin"),
    examples=(
        "[[1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2]]",
        "send to [[bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4]]",
        "eth [[0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed]]",
        "[[bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a]]",
        "xrp wallet: [[rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh]]",
        "[[4A" + "aB3dE6gH9k" * 9 + "xyz]]",
    ),
    counter_examples=(
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x0000000000000000000000000000000000000000",
    ),
    sources=(
        "Base58Check encoding (Bitcoin)",
        "BIP 173",
        "BIP 350",
        "EIP-55",
        "CashAddr",
        "xrpl.org, address encodings",
    ),
)
