"""`vestibule token`: creates, lists, rotates and revokes the tokens of callers, in a file or over the API."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.installation import Installation, use_installation
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed, failing_on
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import Duration, duration_option, echo, expect_instance, split_list
from vestibule.cli.terminal.table import Column
from vestibule.contracts.scopes import ALL_SCOPES, ROLES, SCOPES

if TYPE_CHECKING:
    from vestibule.service_kit.auth.token_file import TokenRecord

PAGE_SIZE = 1000
DAY = Duration(days=1)
IN_FILE = "file"
TokenId = Annotated[
    str, typer.Argument(help="The id that `vestibule token list` shows.", autocompletion=completion.tokens)
]

LIST = (
    Column("TOKEN", lambda one: one["id"]),
    Column("NAME", lambda one: one["name"], shrinks=True),
    Column("TENANT", lambda one: one["tenant"], shrinks=True),
    Column("SCOPES", lambda one: one["scopes"], shrinks=True),
    Column("EXPIRES", lambda one: one.get("expires_at")),
    Column("LAST USED", lambda one: one.get("last_used_at")),
    Column("REFUSED", lambda one: one.get("refused"), is_right=True),
    Column("LEAKS", lambda one: one.get("leaks"), is_right=True),
    Column("SOURCE", lambda one: one.get("source", IN_FILE)),
)

token = Noun(
    "vestibule token create --name importer --scope add,read --expires-in 90d",
    "vestibule token list",
    "vestibule token rotate ID --overlap 1d",
    "vestibule token revoke ID",
    "vestibule token list --url http://127.0.0.1:8000",
)


@token.verb(
    "create",
    "vestibule token create --name importer --scope add,read --expires-in 90d",
    "vestibule token create --name ops --role operator --url http://127.0.0.1:8000",
)
@use_installation
def create(
    place: Installation,
    name: Annotated[str, typer.Option(help="The name of the caller.")],
    scope: Annotated[str, typer.Option(help=f"What it may do, separated by commas: {', '.join(SCOPES)}, or *.")] = "",
    role: Annotated[str, typer.Option(help=f"A bundle of scopes: {', '.join(ROLES)}.")] = "",
    expires_in: Annotated[
        timedelta | None, duration_option("--expires-in", help="Time until it expires; never if not given.")
    ] = None,
    tenant: Annotated[
        str, typer.Option(help="The tenant whose data it reads and writes; tenants are isolated from each other.")
    ] = "default",
) -> None:
    """Create a token and print it, once: only its hash is stored."""
    scopes = _scopes_of(scope, role)
    _check_tenant(tenant)
    if place.client is not None:
        lifetime_s = None if expires_in is None else round(expires_in.total_seconds())
        made = place.client.tokens.create(name, scopes=scopes, tenant=tenant, expires_in_s=lifetime_s)
        _show_once(place, made.token, made.raw)
        return
    from vestibule.contracts.audit import Act
    from vestibule.service_kit.audit.outbox import auditing
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, create_token

    path = _token_file(place)
    with failing_on(InvalidTokenFile, OSError), auditing(place.data_dir, Act.TOKEN_MADE):
        secret, record = create_token(path, name, scopes, expires_in, tenant)
    _show_once(place, secret, _as_dict(record))


@token.verb("list", "vestibule token list", "vestibule token list --url http://127.0.0.1:8000 --json")
@use_installation
def list_tokens(place: Installation) -> None:
    """List the tokens, without the tokens themselves."""
    if place.client is not None:
        found = list(place.client.tokens.list(page_size=PAGE_SIZE))
        rows = [{**one.raw, "expires_at": one.expires_at, "last_used_at": one.last_used_at} for one in found]
        place.output.rows(rows, LIST, "No tokens.", document=found)
        return
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    with failing_on(InvalidTokenFile, OSError):
        records = read_records(_token_file(place))
    rows = [{**_as_dict(record), "expires_at": record.expires_at} for record in records]
    place.output.rows(rows, LIST, "No tokens.", document=[_as_dict(record) for record in records])


@token.verb("self", "vestibule token self", "vestibule token self --json")
@use_client
def show_own(session: Session) -> None:
    """Show whose token this command line uses, and what it may do."""
    found = session.client.tokens.own()
    shown: dict[str, object] = {
        "token": found.id,
        "name": found.name,
        "tenant": found.tenant,
        "scopes": ", ".join(found.scopes),
        "expires": session.output.time(found.expires_at) if found.expires_at else "never",
    }
    session.output.fields(found, shown)


@token.verb("rotate", "vestibule token rotate ID --overlap 1d", "vestibule token rotate ID --yes --json")
@use_installation
def rotate(
    place: Installation,
    token_id: TokenId,
    overlap: Annotated[
        timedelta, duration_option("--overlap", help="How long the token before it is accepted; 0s: not at all.")
    ] = DAY,
    yes: Yes = False,
) -> None:
    """Replace a token and print the new one, once; id, scopes and expiry stay, and both work for a time."""
    if not overlap:
        ask_back(f"The present token {token_id} is refused from now on. Rotate it?", is_sure=yes)
    if place.client is not None:
        rotated = place.client.tokens.rotate(_checked(token_id), overlap_s=round(overlap.total_seconds()))
        _show_once(place, rotated.token, rotated.raw)
        return
    from vestibule.contracts.audit import Act
    from vestibule.service_kit.audit.outbox import auditing
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, rotate_token

    path = _token_file(place)
    with failing_on(InvalidTokenFile, OSError), auditing(place.data_dir, Act.TOKEN_ROTATED):
        replaced = rotate_token(path, token_id, overlap)
        if replaced is None:
            raise _unknown()
    _show_once(place, replaced[0], _as_dict(replaced[1]))


@token.verb("revoke", "vestibule token revoke ID --yes")
@use_installation
def revoke(place: Installation, token_id: TokenId, yes: Yes = False) -> None:
    """Revoke a token; running services refuse it within two seconds."""
    ask_back(f"Whoever uses the token {token_id} is refused from now on. Revoke it?", is_sure=yes)
    if place.client is not None:
        place.client.tokens.revoke(_checked(token_id))
    else:
        _revoke_in_file(place, token_id)
    place.output.done({"id": token_id, "revoked": True}, f"Token {token_id} is revoked.")


def _revoke_in_file(place: Installation, token_id: str) -> None:
    from vestibule.contracts.audit import Act
    from vestibule.service_kit.audit.outbox import auditing
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, revoke_token

    path = _token_file(place)
    with failing_on(InvalidTokenFile, OSError), auditing(place.data_dir, Act.TOKEN_REVOKED):
        if not revoke_token(path, token_id):
            raise _unknown()


def _scopes_of(scope: str, role: str) -> Sequence[str]:
    if role and role not in ROLES:
        raise typer.BadParameter(f"must be one of {', '.join(ROLES)}", param_hint="--role")
    scopes = split_list(scope)
    unknown = sorted(set(scopes) - {*SCOPES, ALL_SCOPES})
    if unknown or not (scopes or role):
        raise typer.BadParameter(f"unknown: {', '.join(unknown) or '(none given)'}", param_hint="--scope")
    return list(dict.fromkeys([*scopes, *sorted(ROLES.get(role, ()))]))


def _check_tenant(tenant: str) -> None:
    import re

    from vestibule.contracts.identity import TENANT_PATTERN

    if not re.fullmatch(TENANT_PATTERN, tenant):
        expected = "must be 1 to 63 lower-case letters, digits, `-` and `_`, and begin with a letter or digit"
        raise typer.BadParameter(f"{expected}, such as `acme`", param_hint="--tenant")


def _checked(token_id: str) -> str:
    import re

    from vestibule.contracts.identity import SENDER_PATTERN

    if not re.fullmatch(SENDER_PATTERN, token_id):
        raise _unknown()
    return token_id


def _unknown() -> CommandFailed:
    return CommandFailed("no token has that id", exit_code=ExitCode.NOT_FOUND)


def _show_once(place: Installation, secret: str, record: Any) -> None:
    place.output.done({**record, "token": secret}, secret)
    if not place.output.as_json:
        scopes = ", ".join(record["scopes"])
        description = f"Token {record['id']} of {record['name']} has the scopes {scopes} in the tenant"
        echo(f"{description} {record['tenant']}, in {place.name}. It is not shown again.", err=True)


def _as_dict(record: "TokenRecord") -> dict[str, Any]:
    return record.model_dump(mode="json", exclude={"sha256"})


def _token_file(place: Installation) -> Path:
    return expect_instance(place.data_dir) / "keys" / "tokens.json"
