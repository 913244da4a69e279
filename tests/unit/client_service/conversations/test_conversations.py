"""Conversations: what stands for a value is kept for a day under the id, for its tenant, and comes back in texts."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from httpx import ASGITransport, AsyncClient

from servers.peers import LocalPeer
from vestibule.client_service.conversations.marks import Marks
from vestibule.client_service.conversations.store import OWNER, TTL_S, ConversationId, Conversations
from vestibule.client_service.settings import ClientSettings
from vestibule.contracts.subjects import EraseRequest, FindKind
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Fingerprinter, KeyRingFile
from vestibule.policy.stand_ins import Change, StandIn, StandIns

MAIL = "jane.roe@example.org"
ID = ConversationId("north", "caller", "call-1")


@pytest.fixture
async def store(settings: ClientSettings) -> AsyncIterator[EntryClient]:
    """The entries of conversations in a database service in this process."""
    app = create_app(DatabaseSettings(data_dir=settings.data_dir, embedded=True))
    headers = {"Authorization": f"Bearer {settings.secret_file.read_text()}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
    ):
        yield EntryClient(DatabaseTransport(LocalPeer(client)), OWNER)


@pytest.fixture
def conversations(store: EntryClient, settings: ClientSettings) -> Conversations:
    """All conversations."""
    ring = KeyRingFile(settings.key_ring_path)
    return Conversations(store, ring, Fingerprinter(ring))


async def _number(conversations: Conversations, identity: ConversationId, *values: str) -> list[str]:
    conversation = await conversations.open(identity)
    return list((await conversation.apply(_numbering(*values))).values())


def _numbering(*values: str) -> Change:
    async def change(stand_ins: StandIns) -> Mapping[str, str]:
        return {value: stand_ins.number(value, "EMAIL_ADDRESS") for value in values}

    return change


async def test_a_conversation_goes_on(conversations: Conversations) -> None:
    """The same value has its number in the next request; another tenant, caller or id starts anew."""
    assert ["<EMAIL_ADDRESS_1>"] == await _number(conversations, ID, MAIL)
    assert ["<EMAIL_ADDRESS_2>", "<EMAIL_ADDRESS_1>"] == await _number(conversations, ID, "roe@example.org", MAIL)
    for other in (ID._replace(tenant="south"), ID._replace(caller="other"), ID._replace(id="call-2")):
        assert [] == list((await conversations.open(other)).stand_ins)
        assert ["<EMAIL_ADDRESS_1>"] == await _number(conversations, other, "doe@example.org")


async def test_only_who_has_the_id_can_open_it(conversations: Conversations, store: EntryClient) -> None:
    """The name and the record have nothing of the id and of the values, and open under no other id; a day is enough."""
    await _number(conversations, ID, MAIL)
    (entry,) = await store.read_all("")
    assert not any(text in f"{entry.key} {entry.value}" for text in ("call-1", "caller", "jane", "example"))
    assert [] == list(conversations.unseal(ID._replace(id="call-2"), entry.value))
    assert [MAIL] == [one.value for one in conversations.unseal(ID, entry.value)]
    assert [] == list(conversations.unseal(ID, '{"tenant": "north", "sealed": "AA==", "fingerprints": []}'))
    assert entry.expires_at is not None
    assert 86_400 == TTL_S


async def test_requests_that_come_at_once_share_no_number(conversations: Conversations) -> None:
    """Each value has one of its own, and all are kept."""
    values = [f"m{number}@example.org" for number in range(8)]
    numbers = await asyncio.gather(*(_number(conversations, ID, value) for value in values))
    assert 8 == len({number for (number,) in numbers})
    kept = (await conversations.open(ID)).stand_ins
    assert {value: number for value, (number,) in zip(values, numbers, strict=True)} == {
        one.value: one.text for one in kept
    }


async def test_an_erasure_removes_what_has_the_value(conversations: Conversations, store: EntryClient) -> None:
    """It finds the fingerprint, and nothing is opened; conversations of other tenants stay."""
    other = ID._replace(tenant="south")
    for identity, value in ((ID, MAIL), (other, MAIL), (ID._replace(id="call-2"), "roe@example.org")):
        await _number(conversations, identity, value)
    request = EraseRequest(value=MAIL, tenants=["north"], owner="north", kind=FindKind.CONVERSATION)
    page = await store.erase(request, 100, None)
    assert (1, {FindKind.CONVERSATION: 1}) == (page.erased, page.counts)
    assert [] == list((await conversations.open(ID)).stand_ins)
    assert [MAIL] == [one.value for one in (await conversations.open(other)).stand_ins]
    assert 2 == len(await store.read_all(""))


def test_marks_stand_aside_and_come_back() -> None:
    """As what they stood for, or as the value; a JSON document stays one, and foreign marks are text."""
    stand_ins = StandIns([StandIn("PERSON", 'Jane "J" Roe', "<PERSON_1>", is_number=True)])
    token = "<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ>"
    marks = Marks(stand_ins, {token: MAIL}.get)
    text = f"<PERSON_1> at {token}, not <PERSON_2> or <EMAIL_ADDRESS.v1.00000000.K7YQ>, \ue000gg\ue001"
    hidden = marks.hide(text)
    assert "<PERSON_1>" not in hidden
    assert token not in hidden
    assert (text, 2) == marks.restore(hidden, reveals=False)
    values = f'Jane "J" Roe at {MAIL}'
    assert (text.replace(f"<PERSON_1> at {token}", values), 2) == marks.restore(hidden, reveals=True)
    document = marks.hide('{"name": "<PERSON_1>"}')
    assert {"name": 'Jane "J" Roe'} == json.loads(marks.restore(document, reveals=True)[0])
    assert "<PERSON_1>" in Marks(StandIns()).hide(text)


async def test_a_request_that_began_earlier_goes_on_from_what_is_kept(conversations: Conversations) -> None:
    """Its texts are changed anew with the stand-ins that another request has kept meanwhile."""
    early = await conversations.open(ID)
    await _number(conversations, ID, MAIL)
    assert {"roe@example.org": "<EMAIL_ADDRESS_2>"} == await early.apply(_numbering("roe@example.org"))
    assert [MAIL, "roe@example.org"] == [one.value for one in (await conversations.open(ID)).stand_ins]
