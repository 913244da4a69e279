"""`vestibule token`: creates, lists and revokes the tokens of callers."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

SCOPES = (
    "add",
    "read",
    "keys",
    "delete",
    "run",
    "message",
    "scan",
    "alerts",
    "reveal",
    "erase",
    "receipts",
    "status",
    "heartbeat",
    "maintenance",
    "process",
)

app = typer.Typer(help="Create, list and revoke the tokens of callers.", no_args_is_help=True)

DataDir = Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The name of the caller.")],
    scope: Annotated[str, typer.Option(help=f"What it may do, separated by commas: {', '.join(SCOPES)}, or *.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never if not given.")] = None,
    tenant: Annotated[
        str, typer.Option(help="The tenant whose data it reads and writes; tenants are isolated from each other.")
    ] = "default",
    data_dir: DataDir = Path("var"),
    as_json: AsJson = False,
) -> None:
    """Create a token and print it, once: only its hash is stored."""
    from vestibule.contracts.identity import TENANT_PATTERN
    from vestibule.service_kit.auth.token_file import create_token

    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    unknown = sorted(set(scopes) - {*SCOPES, "*"})
    if unknown or not scopes:
        raise typer.BadParameter(f"unknown: {', '.join(unknown) or '(none given)'}", param_hint="--scope")
    if not re.fullmatch(TENANT_PATTERN, tenant):
        raise typer.BadParameter(f"a name such as `acme`: {TENANT_PATTERN}", param_hint="--tenant")
    lifetime = timedelta(days=days) if days else None
    token, record = create_token(_token_file(data_dir), name, scopes, lifetime, tenant)
    if as_json:
        typer.echo(json.dumps({"token": token, **record.model_dump(mode="json", exclude={"sha256"})}))
    else:
        typer.echo(f"{token}")
        typer.echo(
            f"Token {record.id} of {name} may {', '.join(scopes)} in the tenant {tenant}. It is not shown again.",
            err=True,
        )


@app.command("list")
def list_tokens(data_dir: DataDir = Path("var"), as_json: AsJson = False) -> None:
    """List the tokens, without the tokens themselves."""
    from vestibule.service_kit.auth.token_file import read_records

    records = read_records(_token_file(data_dir))
    if as_json:
        typer.echo(json.dumps([record.model_dump(mode="json", exclude={"sha256"}) for record in records]))
        return
    for record in records:
        until = f"until {record.expires_at:%Y-%m-%d}" if record.expires_at else "without end"
        state = " (expired)" if record.is_expired(datetime.now(UTC)) else ""
        typer.echo(f"{record.id}  {record.name}  {record.tenant}  {','.join(record.scopes)}  {until}{state}")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The id that `vestibule token list` shows.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Revoke a token; running services refuse it within a second."""
    from vestibule.service_kit.auth.token_file import revoke_token

    if not revoke_token(_token_file(data_dir), token_id):
        typer.echo("vestibule: no token has that id", err=True)
        raise typer.Exit(1)
    typer.echo(f"Token {token_id} is revoked.")


def _token_file(data_dir: Path) -> Path:
    return data_dir / "keys" / "tokens.json"
