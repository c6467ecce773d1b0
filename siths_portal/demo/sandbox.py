"""The sandbox: an order for each case of `sandbox_cases`, for a supplier under test that has no simulator.

The orders belong to the customisations of `sandbox_print`, so only that supplier sees them. They come in rounds; a round has one
order of each case.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from issuance.authz import Actor, Role
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import verify_customisation
from issuance.offices.models import Office
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.people.ports import DirectoryPost, PersonKey, PersonRegister, RegisteredAddress, RegisterPerson
from issuance.people.services import catalogue, photos
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from siths_portal.demo import places, sandbox_bundle, sandbox_letters, sandbox_print
from siths_portal.demo.logotypes import put_logotype
from siths_portal.demo.newcomers import FIRST as FIRST_NEWCOMER
from siths_portal.demo.ordering import NobodyLeft
from siths_portal.demo.people import DemoPerson, person, person_id_of
from siths_portal.demo.places import VASTRA_GOTALAND, Place
from siths_portal.demo.portraits import portrait_of
from siths_portal.demo.sandbox_cases import CASES, Case, nothing
from siths_portal.demo.tls import SANDBOX_REF
from siths_portal.lib import ports

ROUNDS = 25
"""The number of rounds that there are people for."""

OFFICE = "5594135672"
PLAIN = Place(
    "TST2321000131-1080", "Leverantörsprov", "2321000131", "leverantorsprov.example.org", 0,
    parent=VASTRA_GOTALAND.places[0].hsa_id, offices=(OFFICE,), customisation=sandbox_print.PLAIN,
)  # fmt: skip
CHANGING = replace(
    PLAIN, hsa_id="TST2321000131-1081", name="Leverantörsprov med ny text", customisation=sandbox_print.CUSTOMISATION
)
"""The organisation whose card customisation changes."""

PLACES = (PLAIN, CHANGING)
_FIRST_PERSON = FIRST_NEWCOMER + 1_000
_ADDRESS = RegisteredAddress(("Provgränd 8",), "123 45", "Demostad", "SE")
_ENDED = (OrderState.SENT, OrderState.FAILED, OrderState.RETURNED, OrderState.CANCELLED)
_KEY = re.compile(r"sandbox-(\d\d)-(.+)")
_WITH_PERSON = [case for case in CASES if not case.bundle]


@dataclass(frozen=True)
class Outcome:
    """A case of a round, its order, and whether the order ended as it should: `right`, `wrong`, or `open`.

    `missed` means that the supplier sent the card before the sandbox had revoked it. `note` says what is wrong, or who has the
    next step; it is empty if the verdict is `right`.
    """

    case: Case
    order: CardOrder
    verdict: str
    note: str


def everyone() -> list[DemoPerson]:
    """Returns the people of all rounds, as they are in the person register after their orders."""
    return [_person(number, case) for number in range(1, ROUNDS + 1) for case in _WITH_PERSON]


def _person(number: int, case: Case) -> DemoPerson:
    """Returns the person of a case in a round."""
    index = (number - 1) * len(_WITH_PERSON) + _WITH_PERSON.index(case)
    person_id = person_id_of(_FIRST_PERSON + index)
    named, place = person(index).register, CHANGING if case.own_print else PLAIN
    register = RegisterPerson(named.given_names, named.given_name_in_use, named.surname, False, False, False, _ADDRESS)
    post = DirectoryPost(
        hsa_id=f"TST2321000131-{place.hsa_id[-2:]}S{index:06X}",
        organisation_hsa_id=place.hsa_id,
        person=PersonKey(person_id.kind.value, person_id.value),
        given_name=register.given_name_in_use,
        surname=register.surname,
        title="Undersköterska",
        mail=f"prov{index}@{place.domain}",
        upn=f"prov{index}@ad.{place.domain}",
    )
    return DemoPerson(_FIRST_PERSON + index, person_id, replace(register, **case.register), (post,))


def clerk() -> Actor:
    """Returns the ID administrator who orders: one of the parent organisation with the add-on for protected persons."""
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, organisation__hsa_id=PLAIN.parent, valid_to=None)
    return actor_of_person(grants.order_by("-protected_persons", "id")[0].person_id)


def load() -> None:
    """Creates the organisations with their card customisations, and verifies the one that does not change, unless this is done.

    Its supplier may have put a logotype since the last call.
    """
    area = Organisation.objects.select_related("area").get(hsa_id=PLAIN.parent).area
    for place in PLACES:
        places.load_place(area, VASTRA_GOTALAND, place)
    sandbox_bundle.load(Organisation.objects.get(hsa_id=PLAIN.hsa_id))
    ids = [place.customisation.customisation_id for place in PLACES if place.customisation]
    for row in CardCustomisation.objects.filter(customisation_id__in=ids, logotype=None):
        put_logotype(row)
        verify_customisation(actor=places.SETUP, customisation_id=row.pk)
    for row in CardCustomisation.objects.filter(customisation_id=sandbox_print.PLAIN.customisation_id, verified_at=None):
        verify_customisation(actor=places.SETUP, customisation_id=row.pk)


def orders() -> dict[int, dict[str, CardOrder]]:
    """Returns the orders of each round, by number and by the case's code."""
    found: dict[int, dict[str, CardOrder]] = {}
    for order in CardOrder.objects.with_card().filter(supplier_ref=SANDBOX_REF, idempotency_key__startswith="sandbox-"):
        if parts := _KEY.fullmatch(order.idempotency_key):
            found.setdefault(int(parts[1]), {})[parts[2]] = order
    return found


def last_round() -> int:
    """Returns the number of the newest round, or 0."""
    return max(orders(), default=0)


def open_round(actor: Actor, *, new: bool = False) -> int:
    """Returns the number of the round under way. Queues a round if there is none, if all its cases are decided, or if `new`.

    Needs `load` and the running HSA directory and person register. An interrupted call is completed by the next. Raises
    NobodyLeft if all people have cards, and the errors of `ordering.submit_order`.
    """
    known = orders()
    number = max(known, default=0)
    complete = number > 0 and len(known[number]) == len(CASES)
    if not number or (complete and (new or all(outcome.verdict != "open" for outcome in outcomes(number)))):
        number += 1
    if number > ROUNDS:
        raise NobodyLeft(f"All people of {ROUNDS} rounds have cards.")
    for case in CASES:
        if case.code not in known.get(number, {}):
            _queue(actor, number, case)
    return number


def _queue(actor: Actor, number: int, case: Case) -> None:
    """Registers the case's person, orders the card, and does what happens at once."""
    key = f"sandbox-{number:02}-{case.code}"
    if case.bundle:
        sandbox_bundle.order(Organisation.objects.get(hsa_id=PLAIN.hsa_id), key)
        return
    one = _person(number, case)
    catalogue.register_people(actor=places.SETUP, people=[one.for_catalogue()])
    post = Post.objects.get(hsa_id=one.posts[0].hsa_id)
    if case.own_print:
        row = CardCustomisation.objects.get(organisations=post.organisation_id)
        verify_customisation(actor=places.SETUP, customisation_id=row.pk)  # an earlier round may have left it unverified
    office = Office.objects.get(office_number=OFFICE).pk
    if case.letter:
        sandbox_letters.order(actor, post, office, key)
        return
    photo = photos.store(actor=actor, person_id=post.person_id, content=portrait_of(one.index)) if _has_photo(case) else None
    with _register_before(case):
        order = ordering.submit_order(
            actor=actor,
            post_id=post.pk,
            article_code=case.article,
            office_id=office,
            idempotency_key=key,
            photo_id=photo.pk if photo else None,
        )
    case.at_once(actor, order)


def _has_photo(case: Case) -> bool:
    return next(article.photo for article in places.ARTICLES if article.number == case.article.removesuffix("-REK"))


class _RegisterBefore:
    """The person register as it was at the order: the person is alive and has an address, or is protected."""

    def __init__(self, register: PersonRegister) -> None:
        self._register = register

    def read_person(self, person: PersonKey) -> RegisterPerson:
        """Returns the person."""
        found = self._register.read_person(person)
        return replace(found, deceased=False, registered_address=None if found.is_protected else _ADDRESS)

    def read_persons(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, RegisterPerson]:
        """Returns the persons as the register has them now."""
        return self._register.read_persons(persons)


@contextmanager
def _register_before(case: Case) -> Iterator[None]:
    """Connects the register as it was at the order of a case that changes it."""
    register = ports.get(PersonRegister)
    if case.register:
        ports.connect(PersonRegister, _RegisterBefore(register))
    try:
        yield
    finally:
        ports.connect(PersonRegister, register)


def outcomes(number: int) -> list[Outcome]:
    """Returns the outcome of each case of a round, in the order of CASES."""
    known = orders().get(number, {})
    return [outcome(case, known[case.code]) for case in CASES if case.code in known]


def outcome(case: Case, order: CardOrder) -> Outcome:
    """Returns the outcome of a case so far."""
    verdict = _verdict(case, order)
    return Outcome(case, order, verdict, _note(case, order, verdict))


def _note(case: Case, order: CardOrder, verdict: str) -> str:
    if verdict == "wrong":
        return case.unproven if order.state == case.ends else f"It ended as {order.state}, not as {case.ends}."
    if verdict == "missed":
        return "The card was sent before the customer had revoked it."
    if verdict == "right":
        return ""
    if not _is_revoked(order) and case.due(order):
        return "The sandbox has the next step: run it again."
    return f"Your client has the next step{': the card is revoked' if _is_revoked(order) else ''}."


def _verdict(case: Case, order: CardOrder) -> str:
    if order.state == case.ends:
        return "right" if case.proof(order) else "wrong"
    if order.state not in _ENDED or (order.state, case.ends) == (OrderState.SENT, OrderState.RETURNED):
        return "open"
    return "missed" if order.state == OrderState.SENT and case.act is not nothing and not _is_revoked(order) else "wrong"


def act(actor: Actor, number: int) -> list[str]:
    """Does what is due in the open cases of a round. Returns the codes of the cases in which something happened."""
    due = [one for one in outcomes(number) if one.verdict == "open" and not _is_revoked(one.order) and one.case.due(one.order)]
    for one in due:
        one.case.act(actor, one.order)
    return [one.case.code for one in due]


def _is_revoked(order: CardOrder) -> bool:
    newest = max(order.items.all(), key=lambda item: item.number)
    return newest.subject_card.state == CarrierState.REVOKED
