"""The registry: entries of several packages in one order, each key once."""

import pytest

from issuance.records.registry import Registry


def test_entries_have_an_order_of_their_own_and_keys_are_unique() -> None:
    registry: Registry[tuple[str, int]] = Registry(key=lambda entry: entry[0], order=lambda entry: entry[1])
    registry.register(("history", 100), ("text", 20))
    registry.register(("data", 10), ("card", 20))
    assert [key for key, _position in registry] == ["data", "text", "card", "history"]
    with pytest.raises(ValueError, match="already registered: 'card'"):
        registry.register(("card", 30))
    assert len(list(registry)) == 4
