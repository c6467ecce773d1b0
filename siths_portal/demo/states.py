"""Makes cards in every state that the person page shows, through the services, and writes a guide to the people who have them.

Past cards are from the earlier CA (`demo-bulk`) and use a moved clock. The supplier simulator makes those ready for activation.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from issuance.activation.domain.identity_documents import OF_AGE
from issuance.authz import Actor, system
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.housekeeping.services import deadlines
from issuance.imports.services import migration
from issuance.offices.models import OrganisationOffice
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.services import people
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from siths_portal.demo import cases, guide, newcomers, reserve_articles
from siths_portal.demo.history import BULK_CA, DAY, YEAR, make, new_serials, officer, report_failed, report_returned, without_card
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError

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
    shown = [_whole_life(stage), _lost_assignment(stage), *_underway(stage), *_ready(stage), _mobile(stage)]
    shown += [*_returned(stage), *_failed(stage), _two_assignments(stage), *_news(stage)]
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
    """Makes one order whose card the supplier began and then said nothing about, and one that was cancelled at once."""
    ordered_at = clock.now() - 20 * DAY
    with clock.moved_to(ordered_at):
        taken = stage.order("demo-states-taken", stage.newcomer)
    make(taken, serial_of(7), ordered_at, until=OrderState.IN_PRODUCTION)
    withdrawn = stage.order("demo-states-withdrawn", stage.newcomer)
    _unless_taken(lambda: ordering.cancel_order(actor=stage.officer, order_id=withdrawn.id))
    return [
        Shown(taken.eid.post.person, "ett beställt kort hos leverantören, som inte har hört av sig"),
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


def _mobile(stage: _Stage) -> Shown:
    post = stage.post_of(serial_of(5))
    stage.earlier_card(post, 5, made=YEAR, years=5, eid_ends=YEAR)
    if not Carrier.objects.filter(person=post.person, kind=MOBILE_EID.code).exists():
        made_at = clock.now().replace(microsecond=0) - 90 * DAY
        mobile = migration.MigratedMobile(
            post_id=post.id, device=f"{post.person.given_name_in_use}s telefon", valid_from=made_at, valid_to=made_at + 2 * YEAR,
            activated_at=made_at, certificate_serials=new_serials(migration.MOBILE_PROFILES),
        )  # fmt: skip
        with clock.moved_to(made_at + DAY):
            migration.register_migrated_mobile(actor=system("migration"), mobile=mobile, ca=BULK_CA)
    return Shown(post.person, "Mobilt SITHS och ett aktivt kort")


def _returned(stage: _Stage) -> list[Shown]:
    """Makes a card that came back. Returns nothing if the running supplier took the order before the earlier one did."""
    key, ordered_at = "demo-states-returned", clock.now().replace(microsecond=0) - 8 * DAY
    known = CardOrder.objects.filter(idempotency_key=key).exists()
    with clock.moved_to(ordered_at):
        order = stage.order(key, stage.newcomer)
    if not known and make(order, serial_of(6), ordered_at):
        report_returned(order)
    came_back = OrderItem.objects.filter(order=order, carrier__revocation_reason=OrderState.RETURNED.value)
    return [Shown(order.eid.post.person, "ett kort som kom i retur")] if came_back.exists() else []


def _failed(stage: _Stage) -> list[Shown]:
    """Makes an order whose card could not be made. Returns nothing if the running supplier took the order before."""
    key, ordered_at = "demo-states-failed", clock.now().replace(microsecond=0) - 5 * DAY
    known = CardOrder.objects.filter(idempotency_key=key).exists()
    with clock.moved_to(ordered_at):
        order = stage.order(key, stage.newcomer)
    if not known and make(order, serial_of(8), ordered_at, until=OrderState.IN_PRODUCTION):
        report_failed(order)
    order.refresh_from_db()
    text = "en beställning vars kort inte gick att tillverka, som också står på Driftläge"
    return [Shown(order.eid.post.person, text)] if order.state == OrderState.FAILED else []


def _two_assignments(stage: _Stage) -> Shown:
    """Orders the card on which an extra eID can be ordered once it is active: it is made here, so the portal knows its key."""
    number = cases.two_assignments().person_id.value
    post = Post.objects.get(person__identifiers__value=number, organisation=stage.organisation)
    stage.order("demo-states-two-assignments", lambda: post)
    then = "när det är aktivt kan du beställa ett extra SITHS eID till det, eller uppdatera det som finns"
    return Shown(post.person, f"två uppdrag och ett kort klart att aktivera; {then}")


def _news(stage: _Stage) -> list[Shown]:
    """Gives a card to each person about whom register or catalogue has news, and reads the person live as a visit does."""
    shown = []
    for number, one in enumerate(cases.news(), start=11):
        person = PersonIdentifier.objects.select_related("person").get(value=one.before.person_id.value, valid_to=None).person
        if not Carrier.objects.filter(card_serial=serial_of(number)).exists():
            post = Post.objects.select_related("person", "organisation").get(person=person)
            stage.earlier_card(post, number, made=YEAR, years=5, eid_ends=YEAR)
            people.remember(post_id=post.pk, live=people.read_live(post))
        shown.append(Shown(person, one.text))
    return shown


def write_guide(shown: list[Shown]) -> None:
    """Writes the people to search for to the guide."""
    place = Organisation.objects.get(hsa_id=PLACE).name
    lines = [f"Personer i {place} att söka efter i portalen (påhittade, födda på 1800-talet):", ""]
    for one in shown:
        lines.append(f"{_written(one.person.identifiers.get(valid_to=None).value)}  {one.text}")
    lines += [*minors_guide(), *newcomers.guide()]
    guide.write_people(lines)


def minors_guide() -> list[str]:
    """Returns the lines of the guide about those under 18, and who can attest for one of them."""
    name, number = cases.guardian()
    today = clock.today()
    minors = [one for one in cases.minors() if (one.person_id.age_on(today) or 0) < OF_AGE]
    place = Organisation.objects.get(hsa_id=reserve_articles.PLACE).name
    about = f"Personer i {place} under 18 år, som kan få ett reservkort på tillitsnivå 2"
    lines = ["", f"{about} (kontoret har reservkort när genomgången av ett kort är klar):", ""]
    lines += [f"  {_written(one.person_id.value)}  {one.person_id.age_on(today)} år" for one in minors]
    return [*lines, f"  Vårdnadshavare som kan intyga: {name}, {_written(number.value)}"]


def _written(number: str) -> str:
    return f"{number[:8]}-{number[8:]}"
