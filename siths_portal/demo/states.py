"""Makes cards in every state that the person page shows, through the services, and writes a guide to the people who have them.

Past cards are from the earlier CA (`demo-bulk`) and use a moved clock. The supplier simulator makes those ready for activation.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from issuance.authz import Actor, system
from issuance.carriers.models import Carrier
from issuance.housekeeping.services import deadlines
from issuance.imports.services import migration
from issuance.offices.models import OrganisationOffice
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, Post
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers.services import supplier_intake
from siths_portal.demo import newcomers
from siths_portal.demo.history import BULK_CA, DAY, YEAR, new_serials, officer, without_card
from siths_portal.demo.logotypes import SUPPLIER
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.atomic import write_atomically

PLACE = "TST2321000131-1000"
READY = 5
"""The number of people whose only card waits for activation."""

_ARTICLE = "631"


@dataclass(frozen=True)
class Shown:
    """A person of the guide, with a description of the person's cards."""

    person: Person
    text: str


class _Stage:
    """The organisation whose people are shown, its ID administrator and its office."""

    def __init__(self) -> None:
        self.organisation = Organisation.objects.get(hsa_id=PLACE)
        self.officer: Actor = officer(self.organisation)
        links = OrganisationOffice.objects.filter(organisation=self.organisation, office__closed_at=None).order_by("id")
        self.office_id = links[0].office_id

    def newcomer(self) -> Post:
        """Returns the next person without a card, from the end of the list that `history` does not use."""
        return without_card(Post.objects.filter(organisation=self.organisation)).order_by("-hsa_id")[0]

    def post_of(self, serial: str) -> Post:
        """Returns the assignment of the holder of this earlier card, or of a newcomer."""
        carrier = Carrier.objects.filter(card_serial=serial).first()
        return Post.objects.get(eids__carrier=carrier) if carrier else self.newcomer()

    def earlier_card(self, post: Post, number: int, *, made: dt.timedelta, years: int, eid_ends: dt.timedelta) -> Carrier:
        """Registers a card made `made` ago and activated two weeks later, whose eID ends `eid_ends` from now. Can be repeated."""
        made_at = clock.now().replace(microsecond=0) - made
        card = migration.MigratedCard(
            post_id=post.id, article_code=_ARTICLE, card_serial=serial_of(number), valid_from=made_at,
            valid_to=made_at + years * YEAR, eid_valid_from=made_at, eid_valid_to=clock.now() + eid_ends,
            activated_at=made_at + 14 * DAY, certificate_serials=new_serials(), mifare_id=serial_of(number)[-10:],
        )  # fmt: skip
        with clock.moved_to(card.activated_at + DAY):
            return migration.register_migrated_card(actor=system("migration"), card=card, ca=BULK_CA)

    def order(self, key: str, post: Callable[[], Post]) -> CardOrder:
        """Returns the order with this key, and submits it if it does not exist."""
        existing = CardOrder.objects.filter(idempotency_key=key).first()
        return existing or ordering.submit_order(
            actor=self.officer, post_id=post().id, article_code=_ARTICLE, office_id=self.office_id, idempotency_key=key
        )


def serial_of(number: int) -> str:
    """Returns the serial of an earlier card of this module."""
    return f"97529{number:014}"


def load(say: Callable[[str], None]) -> list[Shown]:
    """Makes the missing cards and writes the guide. Raises the services' errors; a repeated call then continues."""
    stage = _Stage()
    shown = [_whole_life(stage), _lost_assignment(stage), *_underway(stage), *_ready(stage)]
    deadlines.run()
    write_guide(shown)
    say(f"{len(shown)} personer med kort i olika lägen")
    return shown


def _whole_life(stage: _Stage) -> Shown:
    post = stage.post_of(serial_of(1))
    stage.earlier_card(post, 1, made=5 * YEAR + 60 * DAY, years=5, eid_ends=-3 * YEAR)
    lost = stage.earlier_card(post, 2, made=3 * YEAR, years=5, eid_ends=-YEAR)
    stage.earlier_card(post, 3, made=2 * YEAR - 20 * DAY, years=5, eid_ends=20 * DAY)
    with clock.moved_to(clock.now() - 2 * YEAR):
        reason = RevocationReason.LOST_OR_STOLEN.value
        revocation.revoke_carrier(actor=stage.officer, carrier_id=lost.id, reason=reason)
    stage.order("demo-states-renewal", lambda: post)
    return Shown(post.person, "ett aktivt kort som snart går ut, ett nytt på väg, ett utgånget och ett spärrat")


def _lost_assignment(stage: _Stage) -> Shown:
    post = stage.post_of(serial_of(4))
    carrier = stage.earlier_card(post, 4, made=YEAR, years=5, eid_ends=YEAR)
    reason = RevocationReason.ASSIGNMENT_ENDED.value
    revocation.revoke_eid(actor=stage.officer, eid_id=carrier.eids.get().id, reason=reason)
    return Shown(post.person, "ett aktivt kort vars SITHS eID är spärrat")


def _underway(stage: _Stage) -> list[Shown]:
    """Makes one order that the supplier has accepted and one that was cancelled at once."""
    taken = stage.order("demo-states-taken", stage.newcomer)
    if taken.state == OrderState.QUEUED:
        _unless_taken(lambda: supplier_intake.accept(client_ref=SUPPLIER, order_id=taken.id))
    withdrawn = stage.order("demo-states-withdrawn", stage.newcomer)
    _unless_taken(lambda: ordering.cancel_order(actor=stage.officer, order_id=withdrawn.id))
    return [
        Shown(taken.eid.post.person, "ett beställt kort hos leverantören"),
        Shown(withdrawn.eid.post.person, "en avbruten beställning"),
    ]


def _unless_taken(act: Callable[[], object]) -> None:
    """Runs `act` and ignores a DomainError: the running supplier may have processed the order already."""
    try:
        act()
    except DomainError:
        return


def _ready(stage: _Stage) -> list[Shown]:
    orders = [stage.order(f"demo-states-ready-{number}", stage.newcomer) for number in range(READY)]
    return [Shown(order.eid.post.person, "ett kort klart att aktivera") for order in orders]


def write_guide(shown: list[Shown]) -> None:
    """Writes `var/demo/guide.txt` with the people to search for, readable only by the user who started the demo."""
    lines = ["Personer att söka efter i portalen (påhittade, födda på 1800-talet):", ""]
    for one in shown:
        value = one.person.identifiers.get(valid_to=None).value
        lines.append(f"{value[:8]}-{value[8:]}  {one.text}")
    lines += newcomers.guide()
    write_atomically(settings.VAR_DIR / "demo" / "guide.txt", ("\n".join(lines) + "\n").encode(), mode=0o600)
