"""Redis is gone and comes back empty, workers die at any moment, and two of them work at once: each order is there once."""

import os
import random
import secrets
import time
from collections import Counter
from typing import Any

import pytest
import redis
from django.conf import settings

from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.suppliers.push.services import sending
from issuance.tasks import push_due
from tests.faults.tally import Tally
from tests.forking import working
from tests.issuance.suppliers.push.conftest import Receiver
from tests.issuance.suppliers.push.test_push import ME, make_due, states
from tests.pki.ocsp import outages

LONG = bool(os.environ.get("SITHS_LONG"))
ORDERS = 40 if LONG else 4
KILLS = 200 if LONG else 4
WITHOUT_REDIS, APART = (1200, 0.5) if LONG else (2, 0)
"""How many orders are placed while Redis is away, and the seconds between two of them: ten minutes in the long form."""


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SITHS_SOAK_SEED") or secrets.randbits(32))
    print(f"SITHS_SOAK_SEED={seed}")
    return random.Random(seed)


def push() -> None:
    """What a worker does when it is woken."""
    sending.push_to(ME)


def check(tally: Tally, receiver: Receiver) -> None:
    """Compares what was ordered with what the supplier has, and with the events of its answers."""
    ordered = [str(id_) for id_ in CardOrder.objects.values_list("pk", flat=True)]
    tally.run(ordered, receiver.taken(), "orders of the supplier")
    accepted = Event.objects.filter(action="order.accepted").values_list("subject_ref", flat=True)
    tally.run(ordered, accepted, "accepted orders")
    assert states() == {"delivered": len(ordered)}


def send_the_rest() -> None:
    """What the scheduler does until nothing is due."""
    push_due()
    make_due()
    while sending.push_to(ME):
        make_due()


def test_orders_are_accepted_without_redis_and_sent_by_the_sweeper(world: Any, receiver: Receiver, tally: Tally) -> None:
    with outages.redis_stopped():
        for _ in range(WITHOUT_REDIS):
            world.order()
            time.sleep(APART)
        assert receiver.orders() == [], "nobody was woken"
    assert redis.Redis.from_url(settings.REDIS_URL).dbsize() == 0, "it came back empty"
    send_the_rest()
    check(tally, receiver)


@pytest.mark.soak
def test_workers_killed_at_any_moment_send_each_order_once(
    world: Any, receiver: Receiver, rng: random.Random, tally: Tally
) -> None:
    """The first worker lives, and shows how long a worker takes. The others are killed at any moment of that time."""
    world.order()
    start = time.monotonic()
    with working(push) as worker:
        worker.join()
        whole = time.monotonic() - start
    assert receiver.orders(), "it sends"
    for _ in range(KILLS):
        world.order()
        make_due()
        with working(push) as worker:
            worker.join(rng.uniform(0, whole))
    send_the_rest()
    check(tally, receiver)


def test_two_workers_at_once_send_each_order_once(world: Any, receiver: Receiver, tally: Tally) -> None:
    ordered = [str(world.order().pk) for _ in range(ORDERS)]
    with working(push) as first, working(push) as second:
        first.join()
        second.join()
        assert (first.exitcode, second.exitcode) == (0, 0)
    tally.run(ordered, receiver.called(), "calls")
    check(tally, receiver)


@pytest.mark.parametrize("fault", ["hang_up", "fail_after_storing"])
def test_a_supplier_that_takes_orders_without_an_answer_has_each_once(
    world: Any, receiver: Receiver, fault: str, tally: Tally
) -> None:
    receiver.behave(**{fault: True})
    for _ in range(ORDERS):
        world.order()
    sending.push_to(ME)
    assert not Event.objects.filter(action="order.accepted").exists()
    assert set(CardOrder.objects.values_list("state", flat=True)) == {"queued"}
    lost = receiver.called()  # all orders, or those before the breaker opened
    assert lost
    receiver.behave()
    send_the_rest()
    assert Counter(receiver.called()) == Counter(lost) + Counter(receiver.orders())
    check(tally, receiver)
