"""`vestibule token`: creates, lists and revokes the tokens of callers."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.options import DATA_DIR, AsJson, DataDir, echo, exit_on, expect_instance, fail, show, split_list

if TYPE_CHECKING:
    from vestibule.service_kit.auth.token_file import TokenRecord

SCOPES = (
    *("add", "read", "keys", "delete", "run", "message", "scan", "alerts", "reveal", "erase", "receipts"),
    *("status", "heartbeat", "maintenance", "process", "operator"),
)

app = typer.Typer(help="Create, list and revoke the tokens of callers.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The name of the caller.")],
    scope: Annotated[str, typer.Option(help=f"What it may do, separated by commas: {', '.join(SCOPES)}, or *.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never if not given.")] = None,
    tenant: Annotated[
        str, typer.Option(help="The tenant whose data it reads and writes; tenants are isolated from each other.")
    ] = "default",
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it, once: only its hash is stored."""
    from vestibule.contracts.identity import TENANT_PATTERN
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, create_token

    scopes = split_list(scope)
    unknown = sorted(set(scopes) - {*SCOPES, "*"})
    if unknown or not scopes:
        raise typer.BadParameter(f"unknown: {', '.join(unknown) or '(none given)'}", param_hint="--scope")
    if not re.fullmatch(TENANT_PATTERN, tenant):
        raise typer.BadParameter(f"must match {TENANT_PATTERN}, such as `acme`", param_hint="--tenant")
    lifetime = timedelta(days=days) if days else None
    with exit_on(InvalidTokenFile, OSError):
        token, record = create_token(_token_file(data_dir), name, scopes, lifetime, tenant)
    show({"token": token, **_as_dict(record)}, as_json, token)
    if not as_json:
        description = f"Token {record.id} of {name} has the scopes {', '.join(scopes)} in the tenant {tenant}."
        echo(f"{description} It is not shown again.", err=True)


@app.command("list")
def list_tokens(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the tokens, without the tokens themselves."""
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    with exit_on(InvalidTokenFile, OSError):
        records = read_records(_token_file(data_dir))
    show([_as_dict(record) for record in records], as_json, "\n".join(map(_line, records)) or "No tokens.")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The id that `vestibule token list` shows.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Revoke a token; running services refuse it within a second."""
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, revoke_token

    with exit_on(InvalidTokenFile, OSError):
        is_revoked = revoke_token(_token_file(data_dir), token_id)
    if not is_revoked:
        fail("no token has that id")
    echo(f"Token {token_id} is revoked.")


def _as_dict(record: "TokenRecord") -> dict[str, Any]:
    return record.model_dump(mode="json", exclude={"sha256"})


def _line(record: "TokenRecord") -> str:
    until = f"until {record.expires_at:%Y-%m-%d}" if record.expires_at else "never expires"
    state = " (expired)" if record.is_expired(datetime.now(UTC)) else ""
    return f"{record.id}  {record.name}  {record.tenant}  {','.join(record.scopes)}  {until}{state}"


def _token_file(data_dir: Path) -> Path:
    return expect_instance(data_dir) / "keys" / "tokens.json"
