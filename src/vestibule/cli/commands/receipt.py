"""`vestibule receipt`: verifies receipts and prints the public keys for it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vestibule.cli.http_client import AsJson, HttpClient, TokenOption, UrlOption, fail

app = typer.Typer(help="Verify the signed receipts of decisions.", no_args_is_help=True)

KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", help="File with the public key as JWK or JWK set; read from the client service if not given."
    ),
]


@app.command()
def verify(
    receipt: Annotated[str, typer.Argument(help="The receipt; `-` reads it from standard input.")],
    key: KeyOption = None,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Verify that a receipt was signed by this Vestibule and print it. Exit code 1 if it was not."""
    from vestibule.policy.receipts import ReceiptInvalid, verify_receipt

    given = typer.get_text_stream("stdin").read() if receipt == "-" else receipt
    try:
        claims = verify_receipt(given, _public_keys(key, url, token))
    except ReceiptInvalid as error:
        fail(f"the receipt does not hold: {error}")
    if as_json:
        typer.echo(json.dumps(claims))
        return
    typer.echo("The receipt holds.")
    for name, value in _lines(claims):
        typer.echo(f"  {name}: {value}")


@app.command("key")
def show_key(url: UrlOption = "", token: TokenOption = "") -> None:
    """Print the public keys of a running Vestibule as a JWK set, to verify receipts elsewhere."""
    typer.echo(json.dumps(HttpClient(url, token).call("GET", "/receipts/key"), indent=1))


def _public_keys(key: Path | None, url: str, token: str) -> Any:
    if key is None:
        return HttpClient(url, token).call("GET", "/receipts/key")
    try:
        return json.loads(key.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"cannot read the key {key} ({type(error).__name__})")


def _lines(claims: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("decision", claims.get("jti")),
        ("time", datetime.fromtimestamp(claims.get("iat", 0), UTC).isoformat()),
        ("request", claims.get("request_id")),
        ("route", claims.get("route")),
        ("outcome", claims.get("outcome")),
        ("actions", _actions(claims.get("actions", {})) or "nothing was found"),
        ("would have", _actions(claims.get("would_have", {}))),
        ("policy", claims.get("policy")),
        ("detectors", claims.get("detectors")),
    ]
    return [(name, str(value)) for name, value in lines if value]


def _actions(actions: dict[str, str]) -> str:
    return ", ".join(f"{entity} {action}" for entity, action in actions.items())
