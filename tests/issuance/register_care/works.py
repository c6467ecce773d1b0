"""Cards and orders with something wrong, and nights, for tests of register care."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.register_care.models import CareRun, WorkItem
from issuance.register_care.services import nightly
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Refused, Unavailable
from siths_portal.lib.mail import Mailer, Message
from tests.issuance.day.test_day import card, sent, unsigned

__all__ = ["active", "card", "later", "night", "sent", "unsigned"]


def active(world: Any, post: Post) -> Carrier:
    """A card in use, whose order is done."""
    made = card(world, post, state="active", origin="migrated")
    CardOrder.objects.filter(items__carrier=made).update(state="sent")
    return made


def night() -> CareRun:
    """The comparison of this night, done or done again."""
    return nightly.work_now()


@contextmanager
def later(days: int) -> Iterator[None]:
    """At noon so many days from now."""
    today = clock.now().astimezone(clock.STOCKHOLM).date()
    noon = dt.datetime.combine(today + dt.timedelta(days=days), dt.time(12), clock.STOCKHOLM)
    with clock.moved_to(noon):
        yield


def found(kind: str, *, state: str = "open") -> list[WorkItem]:
    """The rows of a kind in a state, in the order of their causes."""
    return list(WorkItem.objects.filter(kind=kind, state=state).order_by("found_at", "pk"))


class Mails:
    """A mail server in memory. It is away as long as `away`, and refuses every address as long as `refuses`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.away = self.refuses = False

    def send(self, message: Message) -> None:
        if self.away:
            raise Unavailable("mail-unavailable", "Borta.")
        if self.refuses:
            raise Refused("mail-refused", "Nej.", status=550)
        self.sent.append(message)


@contextmanager
def mail_server() -> Iterator[Mails]:
    """Connects the port to a server in memory."""
    server, before = Mails(), ports.get(Mailer)
    ports.connect(Mailer, server)
    try:
        yield server
    finally:
        ports.connect(Mailer, before)
