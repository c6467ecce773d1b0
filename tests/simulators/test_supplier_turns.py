"""A single round beside the resident supplier waits for its turn, so that no card is made twice."""

import threading
from pathlib import Path
from typing import Any, cast

from siths_portal.simulators.supplier import Supplier
from siths_portal.simulators.supplier_client import Api
from siths_portal.simulators.supplier_records import Records


class EmptyQueue:
    """A portal without orders, which notes that it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def changes(self, after: int) -> list[dict[str, Any]]:
        return []

    def orders(self, status: str) -> list[dict[str, Any]]:
        self.asked.set()
        return []


def test_a_round_waits_until_another_process_has_had_its_turn(tmp_path: Path) -> None:
    queue = EmptyQueue()
    supplier = Supplier(cast(Api, queue), Records(tmp_path), tmp_path / "cards", None, print)
    round_beside = threading.Thread(target=supplier.round)
    with Records(tmp_path).turn():
        round_beside.start()
        assert not queue.asked.wait(0.3)
    assert queue.asked.wait(30)
    round_beside.join()
