"""Registries: filled once, when first read, and never half full."""


import pytest

from siths_portal.lib import registry
from siths_portal.lib.registry import AlreadyRegistered, NotRegistered, Registry, Slot


@pytest.fixture(autouse=True)
def own_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_fill", None)


def test_entries_come_in_the_order_of_registration() -> None:
    found = Registry[int]()
    found.register("b", 1)
    found.register("a", 2)
    assert (list(found), found.names()) == ([1, 2], ("b", "a"))


def test_a_name_is_registered_once() -> None:
    found = Registry[int]()
    found.register("a", 1)
    with pytest.raises(AlreadyRegistered, match="a"):
        found.register("a", 2)
    assert list(found) == [1]


def test_a_slot_holds_one_entry() -> None:
    slot = Slot[int]()
    with pytest.raises(NotRegistered):
        slot.get()
    slot.register(1)
    assert slot.get() == 1
    with pytest.raises(AlreadyRegistered):
        slot.register(2)


def test_the_first_reading_fills_all_registries_once() -> None:
    first, second = Registry[int](), Registry[int]()

    def register_all() -> None:
        first.register("a", 1)
        second.register("b", 2)

    registry.fill_by(register_all)
    assert (list(second), list(first), list(second)) == ([2], [1], [2])


def test_a_filling_that_fails_fails_each_time() -> None:
    """Otherwise a process would go on without what prevents, or follows, what it does."""
    found = Registry[int]()

    def register_all() -> None:
        found.register("a", 1)
        raise ValueError("broken")

    registry.fill_by(register_all)
    with pytest.raises(ValueError, match="broken"):
        list(found)
    with pytest.raises(AlreadyRegistered):
        list(found)
