"""The business logic service answers at once, by the same processors as the workers."""

from pathlib import Path

import pytest
from httpx import AsyncClient

from vestibule.alerts import AlertArchive, AlertType
from vestibule.business_logic_service.main import create_app
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.encryption import KeyRingFile, Tokenizer
from vestibule.processing import ProcessorRegistry, examples_of
from vestibule.service_kit.auth.service_secret import ServiceSecretMissing
from vestibule.service_kit.auth.token_file import create_token


async def test_without_a_processor_the_text_comes_back_in_upper_case(client: AsyncClient) -> None:
    """The default is the mission's."""
    answer = await client.post("/process", json={"data": "grüße 🔑"})
    assert (200, {"processed_data": "GRÜSSE 🔑"}) == (answer.status_code, answer.json())


async def test_only_services_name_a_request(client: AsyncClient, settings: BusinessLogicSettings) -> None:
    """The id stands in the log and in alerts, and 32 digits may be an address: an id of another caller is not taken."""
    given = b"jane@example.com".hex()
    token, _ = create_token(settings.token_file, "able", ["process"])
    ids = []
    for bearer in (settings.secret_file.read_text(), token, "nobody-knows"):
        headers = {"X-Request-ID": given, "Authorization": f"Bearer {bearer}"}
        ids.append((await client.post("/process", json={"data": "x"}, headers=headers)).headers["X-Request-ID"])
    assert [given] == [one for one in ids if one == given]


# Nothing is to leave this machine.
PROCESSORS = [name for name in ProcessorRegistry.discover().names if name != "http_forward"]


@pytest.mark.parametrize("processor", PROCESSORS)
async def test_every_processor_is_served(client: AsyncClient, processor: str) -> None:
    """What a worker can do, this service can: the examples come true here too."""
    examples = list(examples_of(ProcessorRegistry.discover().find(processor)))
    assert examples
    for example in examples:
        work = {"data": example.data, "processor": processor, "options": example.options}
        answer = await client.post("/process", json=work)
        assert (200, example.result) == (answer.status_code, answer.json().get("processed_data"))


@pytest.mark.parametrize(
    ("work", "status", "kind"),
    [
        ({"data": "{}", "processor": "json_pointer", "options": {"pointer": "/a"}}, 422, "PointerLeadsNowhere"),
        ({"data": "{}", "processor": "json_pointer", "options": {"pointer": "a"}}, 422, None),
        ({"data": "x", "processor": "http_forward", "options": {"url": "https://example.org/"}}, 422, None),
    ],
)
async def test_what_cannot_be_processed_is_said(client: AsyncClient, work: object, status: int, kind: str) -> None:
    """A caller learns why by a kind, and which option was wrong by its name."""
    answer = await client.post("/process", json=work)
    assert (status, kind) == (answer.status_code, answer.json().get("kind"))
    assert kind or answer.json()["errors"][0]["where"].startswith("body/options/")


async def test_only_services_say_on_whose_behalf_they_ask(client: AsyncClient, settings: BusinessLogicSettings) -> None:
    """A value is tokenized for the tenant that a service names; a caller gets its own tenant's, whatever it says."""
    north, _ = create_token(settings.token_file, "north", ["process"], tenant="north")
    work: dict[str, object] = {
        "data": "write to jane@example.org",
        "processor": "redact",
        "options": {"action": "tokenize"},
        "origin": {"tenant": "south"},
    }
    tokens = Tokenizer(KeyRingFile(settings.key_ring_path))
    for headers, tenant in (({}, "south"), ({"Authorization": f"Bearer {north}"}, "north")):
        answer = await client.post("/process", json=work, headers=headers)
        expected = f"write to {tokens.tokenize('jane@example.org', 'EMAIL_ADDRESS', tenant)}"
        assert expected == answer.json()["processed_data"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"data": "x", "processor": "Zq7MARKER"}, "unknown-processor"),
        ({"data": 1}, "invalid-input"),
        ({}, "invalid-input"),
        ({"data": "x", "Zq7MARKER": 1}, "invalid-input"),
    ],
)
async def test_a_malformed_request_is_refused_and_alerted(
    client: AsyncClient, settings: BusinessLogicSettings, body: object, kind: str
) -> None:
    """A 422 says what was wrong, an alert says that it happened, and neither repeats what was sent."""
    answer = await client.post("/process", json=body)
    assert (422, f"/problems/{kind}") == (answer.status_code, answer.json()["type"])
    (alert,) = AlertArchive(settings.alert_record_path).page(limit=10).alerts
    assert (AlertType.INVALID_INPUT, "business_logic", "service") == (alert.type, alert.service, alert.token_id)
    assert "MARKER" not in answer.text + alert.description


async def test_a_caller_needs_the_scope(client: AsyncClient, settings: BusinessLogicSettings) -> None:
    """A token of a caller works here with `process` and not without; a stranger is alerted."""
    able, _ = create_token(settings.token_file, "able", ["process"])
    unable, _ = create_token(settings.token_file, "unable", ["add"])
    statuses = [
        (await client.post("/process", json={"data": "x"}, headers={"Authorization": f"Bearer {token}"})).status_code
        for token in (able, unable, "nobody-knows", "SECRET_TOKEN")
    ]
    assert [200, 403, 401, 200] == statuses
    assert 1 == len(AlertArchive(settings.alert_record_path).page(limit=10).alerts)


def test_without_the_secret_nothing_starts(tmp_path: Path) -> None:
    """A service without the secret does not start."""
    with pytest.raises(ServiceSecretMissing):
        create_app(BusinessLogicSettings(data_dir=tmp_path))
