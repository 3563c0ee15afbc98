"""The file in which a client keeps what is not sent yet."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.protocol import Object
from chatcore_client import FileStore
from chatcore_client.file_store import HEADER_SIZE, REWRITE_ABOVE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox"


def item(key: str, body: str = "hi", **fields: object) -> Object:
    return {"user": "alice", "room": "r", "key": key, "body": body, **fields}


def test_items_are_kept_in_order_and_private(path: Path) -> None:
    store = FileStore(path)
    assert list(store.load()) == []
    for key in "abc":
        store.put(item(key))
    store.drop("b")
    store.put(item("a", error={"code": "forbidden"}))
    kept = [item("a", error={"code": "forbidden"}), item("c")]
    assert list(store.load()) == list(FileStore(path).load()) == kept
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_empty_store_is_only_a_header(path: Path) -> None:
    store = FileStore(path)
    for key in "ab":
        store.put(item(key))
    for key in "ab":
        store.drop(key)
    assert path.stat().st_size == HEADER_SIZE


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_line_that_was_cut_off_is_dropped_and_the_next_one_counts(path: Path, cut: int) -> None:
    FileStore(path).put(item("a"))
    FileStore(path).put(item("b"))
    os.truncate(path, path.stat().st_size - cut)
    store = FileStore(path)
    assert list(store.load()) == [item("a")]
    store.put(item("c"))
    assert list(FileStore(path).load()) == [item("a"), item("c")]


@pytest.mark.parametrize("size", [0, 1, 50, HEADER_SIZE - 1])
def test_header_that_was_cut_off_is_written_anew(path: Path, size: int) -> None:
    FileStore(path).put(item("a"))
    os.truncate(path, size)
    store = FileStore(path)
    assert list(store.load()) == []
    store.put(item("b"))
    assert list(FileStore(path).load()) == [item("b")]


def test_line_that_is_no_json_is_ignored(path: Path) -> None:
    FileStore(path).put(item("a"))
    with path.open("ab") as file:
        file.write(b"\x00\x00\n[1]\n")
    store = FileStore(path)
    store.put(item("b"))
    assert list(FileStore(path).load()) == [item("a"), item("b")]


@pytest.mark.parametrize("text", ["notes of mine\n", "{}\n", '{"chatcore_client": "outbox"}\n', "x" * 1_000])
def test_file_of_another_kind_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes"
    path.write_text(text, encoding="utf-8")
    for use in (lambda store: store.load(), lambda store: store.put(item("a")), lambda store: store.drop("a")):
        with pytest.raises(ValueError, match=r"is not an outbox of chatcore_client\. Choose another path"):
            use(FileStore(path))
    assert path.read_text(encoding="utf-8") == text


def test_folder_in_the_place_of_the_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        FileStore(tmp_path).load()


def test_file_is_rewritten_when_most_of_it_does_not_count(path: Path) -> None:
    store, other = FileStore(path), FileStore(path)
    store.put(item("first"))
    assert list(other.load()) == [item("first")]
    large = "x" * 10_000
    for number in range(2 * REWRITE_ABOVE // len(large)):
        store.put(item(str(number), large))
        store.drop(str(number))
    assert path.stat().st_size < REWRITE_ABOVE + 2 * len(large)
    other.put(item("second"))
    assert list(store.load()) == [item("first"), item("second")]
    assert [file.name for file in path.parent.iterdir()] == ["outbox"]


def test_removed_file_begins_anew(path: Path) -> None:
    store = FileStore(path)
    store.put(item("a"))
    path.unlink()
    assert list(store.load()) == []
    store.put(item("b"))
    assert list(FileStore(path).load()) == [item("b")]


def test_item_that_is_no_json_changes_nothing(path: Path) -> None:
    store = FileStore(path)
    for wrong in (float("nan"), object()):
        with pytest.raises((TypeError, ValueError)):
            store.put(item("a", data={"x": wrong}))
    assert list(store.load()) == []


keys = st.sampled_from("abcd")
steps = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["put", "drop", "load", "reopen"]), keys), max_size=30)


@settings(max_examples=30)  # each step syncs a file
@given(steps)
def test_stores_of_one_file_always_agree(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "outbox"
    stores = [FileStore(path) for _ in range(3)]
    model: dict[str, Object] = {}
    for number, (which, step, key) in enumerate(steps):
        match step:
            case "put":
                model[key] = item(key, str(number))
                stores[which].put(model[key])
            case "drop":
                model.pop(key, None)
                stores[which].drop(key)
            case "reopen":
                stores[which] = FileStore(path)
            case _:
                pass
        assert list(stores[which].load()) == list(model.values())
