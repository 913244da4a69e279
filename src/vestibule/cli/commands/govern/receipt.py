"""`vestibule receipt`: gets and verifies the signed receipts of decisions and erasures."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import echo, read_text

receipt = Noun(
    "vestibule receipt get ID",
    "vestibule receipt verify RECEIPT",
    "vestibule receipt key > key.json",
    "vestibule receipt verify - --key key.json < receipt.txt",
)


@receipt.verb("get", "vestibule receipt get ID", "vestibule receipt get ID --json")
@use_client
def get_receipt(
    session: Session, decision_id: Annotated[str, typer.Argument(help="The `decision_id` in an answer.")]
) -> None:
    """Print the signed receipt of a recorded decision."""
    signed = session.client.receipts.get(decision_id)
    session.output.done(signed, signed.receipt)


@receipt.verb("verify", "vestibule receipt verify RECEIPT", "vestibule receipt verify - --key key.json < receipt.txt")
@use_client
def verify(
    session: Session,
    given: Annotated[str, typer.Argument(metavar="RECEIPT", help="The receipt; `-` reads it from standard input.")],
    key: Annotated[
        Path | None,
        typer.Option(help="File with the public key as JWK or JWK set; read from the client service if not given."),
    ] = None,
) -> None:
    """Verify that a receipt was signed by this Vestibule and print it.

    Exit code 1: it was not.
    """
    from vestibule.client.receipts import ReceiptInvalid, verify_receipt

    text = read_text(given)
    keys = session.client.receipts.keys().raw if key is None else _read_key(key)
    try:
        claims = verify_receipt(text, keys)
    except ReceiptInvalid as error:
        raise CommandFailed(f"the receipt is invalid: {error}") from None
    if not session.output.as_json:
        echo("The receipt is valid.")
    session.output.fields(claims, _fields_of(claims))


@receipt.verb("key", "vestibule receipt key > key.json")
@use_client
def show_key(session: Session) -> None:
    """Print the public keys of a running Vestibule as a JWK set, to verify receipts elsewhere."""
    keys = dict(session.client.receipts.keys().raw)
    echo(json.dumps(keys, indent=None if session.output.as_json else 1))


def _read_key(key: Path) -> Any:
    try:
        return json.loads(key.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandFailed(f"cannot read the key {key} ({type(error).__name__})") from None


def _fields_of(claims: dict[str, Any]) -> dict[str, Any]:
    if "erased" in claims:
        counts = ", ".join(f"{count} {kind}" for kind, count in claims["erased"].items() if count)
        return {
            "erasure": claims.get("jti"),
            "ended": _time(claims.get("ended_at", 0)),
            "tenant": claims.get("tenant"),
            "token": claims.get("token_id"),
            "value": claims.get("fingerprint"),
            "erased": counts or "nothing",
            "unreadable": claims.get("unreadable"),
            "resumed": "yes, so the counts may be too low" if claims.get("resumed") else None,
        }
    return {
        "decision": claims.get("jti"),
        "time": _time(claims.get("decided_at", claims.get("iat", 0))),
        "request": claims.get("request_id"),
        "route": claims.get("route"),
        "outcome": claims.get("outcome"),
        "actions": _actions(claims.get("actions", {})) or "nothing was found",
        "would have": _actions(claims.get("would_have", {})),
        "policy": claims.get("policy"),
        "detectors": claims.get("detectors"),
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _actions(actions: dict[str, str]) -> str:
    return ", ".join(f"{entity} {action}" for entity, action in actions.items())
