"""Keys as folders, and versions without their values."""

from datetime import UTC, datetime, timedelta

from vestibule.client.results.entries import Revision
from vestibule.console.pages.store.listings import KeyLevel, versions_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _revision(version: int, value: str | None, kind: str = "written", **members: object) -> Revision:
    return Revision(version=version, kind=kind, at=NOW, value=value, **members)  # type: ignore[arg-type]


def _level(keys: list[str], prefix: str = "", cursor: str | None = None) -> KeyLevel:
    level = KeyLevel(prefix)
    level.add(keys, cursor)
    return level


def test_keys_are_shown_one_level_at_a_time() -> None:
    """What goes on after a slash is a folder, with the number of keys in it."""
    level = _level(["a", "b/1", "b/2", "b/c/3", "d/1"])
    assert [("b/", "b", 3), ("d/", "d", 1)] == [(one.prefix, one.name, one.count) for one in level.folders]
    assert ([("a", "a")], 3, None) == (level.keys, level.size, level.cursor)
    level = _level(["b/1", "b/c/3"], "b/")
    assert ([("b", "b/")], [("1", "b/1")]) == (level.above, level.keys)
    assert ["b/c/"] == [one.prefix for one in level.folders]


def test_a_prefix_may_end_within_a_name() -> None:
    """Folders are those of the name up to the last slash."""
    level = _level(["x/orders/1", "x/orders/2", "x/ordinary"], "x/ord")
    assert (["x/orders/"], [("ordinary", "x/ordinary")]) == ([one.prefix for one in level.folders], level.keys)


def test_slashes_of_every_kind_are_names_too() -> None:
    """At the beginning, at the end, and several of them."""
    level = _level(["/", "//a"])
    assert [("/", "", 2)] == [(one.prefix, one.name, one.count) for one in level.folders]
    assert [("", "/")] == _level(["/", "//a"], "/").keys


def test_the_rest_of_a_large_folder_is_passed_over() -> None:
    """The next page begins behind it, where a key may follow; after a key it begins there."""
    level = _level(["a/1", "b/1"], cursor="b/1")
    assert [False, True] == [one.has_more for one in level.folders]
    assert level.cursor is not None
    assert "b/\U0001f511" < level.cursor < "b0"
    assert level.cursor.isprintable()
    level.add(["b0", "c/1", "d"], "d")
    assert (["a/", "b/", "c/"], "d") == ([one.prefix for one in level.folders], level.cursor)


def test_versions_say_what_changed_and_nothing_of_the_value() -> None:
    """Length, writer and expiry."""
    later = NOW + timedelta(hours=1)
    versions = versions_of(
        [
            _revision(5, "hello!", by="t-2", expires_at=later),
            _revision(4, "hello", by="t-1", expires_at=NOW),
            _revision(3, "hello", by="t-1"),
            _revision(2, "hallo", by="t-1"),
            _revision(1, "hé", by="t-1"),
        ]
    )
    assert [
        ["1 B longer", "by another token", "another expiry"],
        ["the same value", "expires now"],
        ["another value of the same size"],
        ["2 B longer"],
        [],
    ] == [one.changes for one in versions]
    assert [6, 5, 5, 5, 3] == [one.size for one in versions]
    assert "hello" not in repr(versions)


def test_a_deleted_entry_has_no_size() -> None:
    """What stays of it is that it was."""
    (deleted,) = versions_of([_revision(2, None, "deleted")])
    assert (None, "deleted", []) == (deleted.size, deleted.kind, deleted.changes)
