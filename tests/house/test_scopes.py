"""The scopes: one table says which one every route needs, and the services, the program and the documents follow it."""

import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from typer.testing import CliRunner

from vestibule.cli.commands.deployment_secrets import SCOPES as FIRST_SCOPES
from vestibule.cli.main import app as program
from vestibule.contracts.scopes import ALL_SCOPES, ANY_TOKEN, OPEN_ROUTES, ROUTES, SCOPES, SERVICE_SCOPES, SERVICES_ONLY

ROOT = Path(__file__).parents[2]


def _operations(app: FastAPI) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for methods in app.openapi()["paths"].values()
        for operation in methods.values()
    }


def test_every_route_is_in_the_table_with_the_scope_that_it_checks(apps: dict[str, FastAPI]) -> None:
    """A route that is missing, or has another scope than the table, and a line without a route are named."""
    checked = {}
    for service, app in apps.items():
        for operation_id, operation in _operations(app).items():
            (scheme,) = operation.get("security") or [{}]
            scopes = scheme.get("HTTPBearer", ())
            if scopes or operation_id not in OPEN_ROUTES:
                checked[service, operation_id] = next(iter(scopes), None)
    tabled = {
        (service, operation_id): access.scope
        for service, some in ROUTES.items()
        for operation_id, access in some.items()
    }
    assert tabled == checked


def test_every_scope_is_described_and_of_use() -> None:
    """The table names no scope that has no description, and no scope is described that no route knows."""
    for service, routes in ROUTES.items():
        known = SERVICE_SCOPES if service in SERVICES_ONLY else SCOPES
        named = {scope for access in routes.values() for scope in (access.scope, *access.beside)} - {ANY_TOKEN}
        assert named <= known.keys(), service
    of_callers = {
        scope
        for service, routes in ROUTES.items()
        if service not in SERVICES_ONLY
        for access in routes.values()
        for scope in (access.scope, *access.beside)
    }
    assert of_callers - {ANY_TOKEN} == SCOPES.keys()
    assert all(re.fullmatch(r"[A-Z].*\.", meaning) for meaning in SCOPES.values())
    assert set(FIRST_SCOPES) <= SCOPES.keys()


def test_the_description_of_each_route_says_what_it_needs(apps: dict[str, FastAPI]) -> None:
    """The scope and those beside it, in words."""
    assert ROUTES.keys() == apps.keys()
    for service, app in apps.items():
        for operation_id, operation in _operations(app).items():
            access = ROUTES[service].get(operation_id)
            last = operation["description"].splitlines()[-1]
            begins = ("Needs the scope", "Needs no scope", "Only for other services")
            assert last.startswith(begins) == (access is not None), operation_id
            if access is not None and access.scope != ANY_TOKEN and service not in SERVICES_ONLY:
                assert [access.scope, *access.beside] == re.findall(r"`([a-z]+)`(?= and|\.| for| with|$)", last)[
                    : 1 + len(access.beside)
                ], operation_id


def test_the_document_and_the_program_list_all_scopes() -> None:
    """The table of operations.md repeats each scope with its sentence; `vestibule token create` names them."""
    table = (ROOT / "docs/operations.md").read_text().partition("## Scopes and tenants")[2].partition("\n\nThe desc")[0]
    rows = dict(re.findall(r"^\| `([a-z*]+)` \| (.*) \|$", table, re.MULTILINE))
    assert {ALL_SCOPES: "Every scope but `operator`.", **SCOPES} == rows
    refused = CliRunner().invoke(program, ["token", "create", "--name", "x", "--scope", "nothing", "--data-dir", "."])
    helped = CliRunner().invoke(program, ["token", "create", "--help"], env={"COLUMNS": "400"}).output
    assert 2 == refused.exit_code
    assert [] == [scope for scope in SCOPES if not re.search(rf"\b{scope}\b", helped)]
