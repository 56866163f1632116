"""What is kept encrypted: under which key, and for whom."""

from typing import Any

import pytest

from wallaroo_ui.connections.encryption import (
    CannotUnseal,
    is_sealed_under_newest,
    seal,
    unseal,
)

OLD, NEW = "old-" * 8, "new-" * 8


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]


def test_what_was_sealed_is_read_back() -> None:
    sealed = seal("open sesame ✓", owner="a")
    assert "sesame" not in sealed
    assert unseal(sealed, owner="a") == "open sesame ✓"


def test_the_same_text_never_looks_the_same() -> None:
    assert seal("x", owner="a") != seal("x", owner="a")


def test_what_was_sealed_for_another_is_not_read() -> None:
    with pytest.raises(CannotUnseal):
        unseal(seal("x", owner="b"), owner="a")


@pytest.mark.parametrize("altered", ["", "x", "é", "gAAAAA"])
def test_what_is_no_seal_is_not_read(altered: str) -> None:
    with pytest.raises(CannotUnseal):
        unseal(altered, owner="a")
    assert not is_sealed_under_newest(altered, owner="a")


def test_an_altered_seal_is_not_read() -> None:
    sealed = seal("x", owner="a")
    altered = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]
    with pytest.raises(CannotUnseal):
        unseal(altered, owner="a")


def test_the_newest_key_seals_and_every_key_unseals(settings: Any) -> None:
    before = seal("x", owner="a")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    after = seal("x", owner="a")

    assert unseal(before, owner="a") == unseal(after, owner="a") == "x"
    assert not is_sealed_under_newest(before, owner="a")
    assert is_sealed_under_newest(after, owner="a")


def test_nothing_is_read_without_its_key(settings: Any) -> None:
    sealed = seal("x", owner="a")
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CannotUnseal) as error:
        unseal(sealed, owner="a")
    assert error.value.__cause__ is None
