"""Registries: filled once, when first read, and never half full."""

import pytest

from siths_portal.lib import registry
from siths_portal.lib.registry import Registry, Slot


@pytest.fixture(autouse=True)
def own_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_fill", None)


def test_entries_come_in_their_order_and_then_that_of_registration() -> None:
    found = Registry[str](order=len)
    found.register("ccc", "b")
    found.register("a")
    assert list(found) == ["b", "a", "ccc"]


def test_an_entry_is_registered_once() -> None:
    found = Registry[str](key=str.casefold)
    found.register("a")
    with pytest.raises(ValueError, match="already registered: 'a'"):
        found.register("A")
    assert list(found) == ["a"]


def test_a_slot_holds_one_entry() -> None:
    slot = Slot[int]()
    with pytest.raises(LookupError):
        slot.get()
    slot.register(1)
    assert slot.get() == 1
    with pytest.raises(ValueError, match="already registered"):
        slot.register(2)


def test_the_first_reading_fills_all_registries_once() -> None:
    first, second = Registry[int](), Registry[int]()

    def register_all() -> None:
        first.register(1)
        second.register(2)

    registry.fill_by(register_all)
    assert (list(second), list(first), list(second)) == ([2], [1], [2])


def test_a_filling_that_fails_fails_each_time() -> None:
    """Otherwise a process would go on without what prevents, or follows, what it does."""
    found = Registry[int]()

    def register_all() -> None:
        found.register(1)
        raise RuntimeError("broken")

    registry.fill_by(register_all)
    with pytest.raises(RuntimeError, match="broken"):
        list(found)
    with pytest.raises(ValueError, match="already registered"):
        list(found)
