"""Stand-ins of one conversation: for each value the same one, by a number or by a fake, and the way back."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from vestibule.policy.fakes import Faker

# What a conversation keeps; beyond it a value becomes `<ENTITY>`, for good.
MOST_STAND_INS, MOST_CHARS = 2_000, 128 * 1024
_NUMBERED = re.compile(r"<(?P<entity>[A-Z][A-Z0-9_]{0,63})_(?P<number>[0-9]{1,6})>")


class StandIn(NamedTuple):
    """A value of an entity, and what stands for it."""

    entity: str
    value: str
    text: str
    is_number: bool


class StandIns:
    """The stand-ins of a conversation. The same value of the same entity has the same one."""

    def __init__(self, known: Iterable[StandIn] = ()) -> None:
        self._by_value: dict[tuple[str, str, bool], StandIn] = {}
        self._by_text: dict[str, StandIn] = {}
        self._values: set[str] = set()
        # The highest number of each entity.
        self._numbers: dict[str, int] = {}
        self._chars = 0
        # Entities of which a value got a number, because no fake could be made.
        self.without_fake: set[str] = set()
        for one in known:
            self._add(one)
        self.is_changed = False

    def number(self, value: str, entity: str) -> str:
        """Return `<PERSON_1>`: the next number of the entity in the conversation for a value that is new."""
        known = self._by_value.get((entity, value, True))
        if known is not None:
            return known.text
        number = self._numbers.get(entity, 0) + 1
        while f"<{entity}_{number}>" in self._by_text:
            number += 1
        return self._kept(StandIn(entity, value, f"<{entity}_{number}>", is_number=True))

    def reserve(self, texts: Iterable[str]) -> None:
        """Give no value a number that stands in one of these texts already, such as one of another conversation."""
        for text in texts:
            for found in _NUMBERED.finditer(text) if "<" in text else ():
                self._note_number(found["entity"], int(found["number"]))

    def fake(self, value: str, entity: str, faker: Faker) -> str:
        """Return a fake of the value, or a number where there is none."""
        known = self._by_value.get((entity, value, False))
        if known is not None:
            return known.text
        made = faker.fake(value, entity, lambda text: text in self._by_text or text in self._values)
        if made is None:
            self.without_fake.add(entity)
            return self.number(value, entity)
        return self._kept(StandIn(entity, value, made, is_number=False))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_value)

    def __iter__(self) -> Iterator[StandIn]:
        """Iterate over them, the oldest first."""
        return iter(self._by_value.values())

    def replace(self, text: str, replacement: Callable[[StandIn], str]) -> str:
        """Return `text` with each stand-in replaced, but not within a longer word or number."""
        present = sorted((one for one in self._by_text if one in text), key=len, reverse=True)
        if not present:
            return text
        expression = rf"(?<!\w)(?:{'|'.join(map(re.escape, present))})(?!\w)"
        return re.sub(expression, lambda found: replacement(self._by_text[found[0]]), text)

    def _kept(self, one: StandIn) -> str:
        if len(self._by_value) >= MOST_STAND_INS or self._chars + len(one.value) > MOST_CHARS:
            return f"<{one.entity}>"
        self._add(one)
        self.is_changed = True
        return one.text

    def _add(self, one: StandIn) -> None:
        self._by_value[one.entity, one.value, one.is_number] = one
        self._by_text[one.text] = one
        self._values.add(one.value)
        if (found := _NUMBERED.fullmatch(one.text)) is not None:
            self._note_number(one.entity, int(found["number"]))
        self._chars += len(one.value)

    def _note_number(self, entity: str, number: int) -> None:
        self._numbers[entity] = max(self._numbers.get(entity, 0), number)


Change = Callable[[StandIns], Awaitable[Mapping[str, str]]]
