"""What deciding costs, with policies of 1 to 500 rules: a clean request, one with findings, and the receipt of each.

    python benchmarks/policy.py [--seconds 0.3]

Prints microseconds a call, the best of five rounds. A clean request must not feel how many rules there are.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vestibule.detection import Finding
from vestibule.policy import Policy, Situation, Vocabulary
from vestibule.policy.receipts import DecidedFacts, ReceiptSigner, generate_key, load_keys

ENTITIES = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "PASSWORD", "API_KEY")
VOCABULARY = Vocabulary(frozenset(ENTITIES), {"secrets": frozenset({"PASSWORD", "API_KEY"})}, frozenset({"/add"}))
SIZES = (1, 10, 100, 500)
FOUND = [Finding("EMAIL_ADDRESS", 9, 30, 1.0), Finding("CREDIT_CARD", 40, 59, 0.9)]


def policy_of(size: int, folder: Path) -> Policy:
    """Return a policy with `size` rules for tokens, prefixes and entities, as a large house would have."""
    lines = ["[entities]", 'secrets = "block"', 'EMAIL_ADDRESS = "redact"', 'CREDIT_CARD = "mask"']
    for number in range(size):
        entity = ENTITIES[number % len(ENTITIES)]
        lines += ["[[rules]]", f'tokens = ["team-{number % 50}"]', f'entities = ["{entity}"]']
        lines += [f'key_prefixes = ["area-{number}/"]', 'action = "alert"']
    path = folder / f"{size}.toml"
    path.write_text("\n".join(lines))
    return Policy.read(path, VOCABULARY)


def best_us(call: Callable[[], object], seconds: float) -> float:
    """Return the microseconds that one call takes in the best of five rounds."""
    rounds = []
    for _ in range(5):
        calls, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 5:
            for _ in range(100):
                call()
            calls += 100
        rounds.append((time.perf_counter() - began) / calls * 1e6)
    return min(rounds)


def measure(policy: Policy, signer: ReceiptSigner, seconds: float) -> tuple[float, float, float]:
    """Return what a clean request, one with two findings and a receipt take, in microseconds."""
    here = Situation("/add", "t-1", "team-7", "area-7/customers/4711")
    decision = policy.decide(here, {"value": FOUND})
    facts = DecidedFacts(
        "0" * 16, 0, "0" * 32, "/add", decision.policy_version, "0" * 12, decision.outcome, decision.actions
    )
    return (
        best_us(lambda: policy.decide(here, {"key": [], "value": []}), seconds),
        best_us(lambda: policy.decide(here, {"key": [], "value": FOUND}), seconds),
        best_us(lambda: signer.sign(facts), seconds),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.3)
    seconds = parser.parse_args().seconds
    signer = ReceiptSigner(load_keys(generate_key()))
    print(f"{'rules':>5} {'read (ms)':>10} {'clean':>7} {'2 findings':>11} {'receipt':>8}   (us)")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            began = time.perf_counter()
            policy = policy_of(size, Path(folder))
            read_ms = (time.perf_counter() - began) * 1000
            clean, found, receipt = measure(policy, signer, seconds)
            print(f"{size:5} {read_ms:10.1f} {clean:7.2f} {found:11.2f} {receipt:8.1f}")


if __name__ == "__main__":
    main()
