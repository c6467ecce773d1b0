"""Requests for revocation on paper, as after an outage, entered many at once (rules/issuance 6.5).

Each row is a revocation of its own. All rows that can be carried out are, and a faulty row stays behind with its errors: a
revocation is urgent and final, so an illegible number on one form must not delay the others, and nothing would be undone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from django.db.models.functions import Reverse, Upper

from issuance.authz import Action, Actor
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.eid_states import LIVE_EIDS
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.records.domain.ids import parse_swedish_number, same_hsa_id
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RequestFields, RevocationRequest
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotFound

SERIAL, ENDING = 19, 4
"""The length of a card's number, and of the end of it that is enough beside the person's number."""

_UNKNOWN = "Ingen sådan person inom din behörighet. Kontrollera numret."
_NO_EID = "Personen har inget sådant SITHS eID som du får spärra."
_NEEDED = {
    "requester": "Välj vem som begärde spärren.",
    "channel": "Välj hur begäran kom in.",
    "received_at": "Ange datum och klockslag då begäran kom in.",
}
_REFUSALS = (Conflict, Forbidden, Invalid, NotFound)


@dataclass(frozen=True)
class PaperRequest:
    """One paper form: its number in the list, the person and card as written on it, and the request.

    `person` is a person-id or an HSA-id. `serial` is the card's number, its last four digits, or empty if the person has one
    card. `eid` is the HSA-id of the only eID to revoke, or empty for the card.
    """

    row: int
    person: str
    serial: str
    eid: str
    request: RequestFields


@dataclass
class MatchedRequest:
    """A row with the carrier or eID that it names, or with its errors by field."""

    paper: PaperRequest
    carrier: Carrier | None = None
    eid: Eid | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def subject(self) -> UUID | None:
        """The id of the carrier or eID to revoke."""
        row = self.eid or self.carrier
        return row.pk if row else None

    @property
    def last(self) -> str:
        """The last digits of the card's number."""
        return self.carrier.card_serial[-ENDING:] if self.carrier else ""

    def refuse(self, name: str, message: str) -> None:
        """Records an error at a field."""
        self.errors.setdefault(name, []).append(message)

    def take(self, error: DomainError) -> None:
        """Records a refusal of the domain at its fields, else at the person."""
        for name, messages in (error.fields or {"person": [error.message]}).items():
            for message in messages:
                self.refuse(name, message)


@dataclass(frozen=True)
class CarriedOut:
    """What became of the rows: revoked, waiting for a second officer (ADR 0297), and left with errors."""

    revoked: tuple[MatchedRequest, ...]
    held: tuple[MatchedRequest, ...]
    faulty: tuple[MatchedRequest, ...]


def carry_out(*, actor: Actor, requests: Sequence[PaperRequest], shown: Mapping[int, UUID]) -> CarriedOut:
    """Revokes what each faultless row names, each in a transaction of its own that checks the scope again (S11).

    `shown` has by row what the officer saw and confirmed; a row that names something else by now is left.
    """
    revoked: list[MatchedRequest] = []
    held: list[MatchedRequest] = []
    faulty: list[MatchedRequest] = []
    for row in match(actor=actor, requests=requests):
        if not row.errors and row.subject != shown.get(row.paper.row):
            row.refuse("person", "Personens kort har ändrats. Kontrollera raden igen.")
        try:
            done = None if row.errors else _revoke(actor, row)
        except _REFUSALS as error:
            row.take(error)
            done = None
        if done is None:
            faulty.append(row)
        else:
            (held if isinstance(done, HeldRevocation) else revoked).append(row)
    return CarriedOut(tuple(revoked), tuple(held), tuple(faulty))


def _revoke(actor: Actor, row: MatchedRequest) -> Carrier | Eid | HeldRevocation:
    if row.eid is not None:
        return revocation.revoke_eid(actor=actor, eid_id=row.eid.pk, **row.paper.request)
    carrier_id = cast(Carrier, row.carrier).pk
    return revocation.revoke_carrier(actor=actor, carrier_id=carrier_id, **row.paper.request)


def match(*, actor: Actor, requests: Sequence[PaperRequest]) -> list[MatchedRequest]:
    """Returns what each row names, in a number of queries that does not depend on the rows. Changes nothing.

    Persons out of scope, protected ones without the right, and unknown ones have the same error.
    """
    existing = _Existing(actor, requests)
    rows = [_match(actor, paper, existing) for paper in requests]
    first: dict[UUID, int] = {}
    for row in rows:
        if row.subject is not None and first.setdefault(row.subject, row.paper.row) != row.paper.row:
            row.refuse("person", f"Samma spärr står redan på rad {first[row.subject]}.")
    return rows


class _Existing:
    """The persons that the rows name by a number, and their carriers and eIDs, as far as the actor may revoke them."""

    def __init__(self, actor: Actor, requests: Sequence[PaperRequest]) -> None:
        written = {_number(paper.person) for paper in requests}
        people = Person.objects.visible_to(actor, Action.REVOKE_CARRIER)
        identifiers = PersonIdentifier.objects.filter(value__in=written, valid_to=None, person__in=people)
        backwards = [number[::-1] for number in written]
        posts = Post.objects.visible_to(actor).alias(key=Reverse(Upper("hsa_id"))).filter(key__in=backwards, person__in=people)
        self.people: dict[str, set[UUID]] = {}
        named = [*identifiers.values_list("value", "person"), *posts.values_list("hsa_id", "person")]
        for number, person_id in named:
            self.people.setdefault(number.upper(), set()).add(person_id)
        ids = {person_id for _, person_id in named}
        self.carriers: dict[UUID, list[Carrier]] = {}
        carriers = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).filter(person__in=ids)
        for carrier in carriers.select_related("person").defer("card_key_spki").order_by("pk"):
            self.carriers.setdefault(carrier.holder_id, []).append(carrier)
        self.eids: dict[UUID, list[Eid]] = {}
        eids = Eid.objects.visible_to(actor, Action.REVOKE_EID).filter(carrier__person__in=ids, state__in=LIVE_EIDS)
        for eid in eids.select_related("carrier__person", "organisation").order_by("pk"):
            self.eids.setdefault(eid.carrier.holder_id, []).append(eid)


def _number(text: str) -> str:
    """Returns a person-id or HSA-id as it is stored, letters in upper case."""
    text = "".join(text.split())
    try:
        return parse_swedish_number(text, today=clock.today()).value
    except ValueError:
        return text.upper()


def _match(actor: Actor, paper: PaperRequest, existing: _Existing) -> MatchedRequest:
    row = MatchedRequest(paper)
    people = existing.people.get(_number(paper.person), set())
    serial = "".join(paper.serial.split())
    if not paper.person.strip():
        row.refuse("person", "Skriv innehavarens person-id eller tjänste-id.")
    elif not people:
        row.refuse("person", _UNKNOWN)
    elif len(people) > 1:
        row.refuse("person", "Flera personer har haft det numret. Skriv person-id.")
    if serial and (not serial.isdecimal() or len(serial) not in (SERIAL, ENDING)):
        row.refuse("serial", "Skriv kortets 19 siffror, eller de 4 sista.")
    if not row.errors:
        (person_id,) = people
        if paper.eid.strip():
            _name_eid(row, serial, existing.eids.get(person_id, []))
        else:
            _name_carrier(row, serial, existing.carriers.get(person_id, []))
    _check_request(actor, row)
    return row


def _name_carrier(row: MatchedRequest, serial: str, carriers: Sequence[Carrier]) -> None:
    found = [carrier for carrier in carriers if carrier.card_serial.endswith(serial)]
    live = [carrier for carrier in found if carrier.state not in carrier_states.INVALID]
    if len(live) == 1:
        row.carrier = live[0]
    elif live:
        row.refuse("serial", "Personen har flera sådana kort. Skriv alla 19 siffror.")
    elif found and serial:
        row.refuse("serial", "Kortet gäller inte längre, så det finns inget att spärra.")
    else:
        row.refuse("serial", "Personen har inget sådant kort som du får spärra.")


def _name_eid(row: MatchedRequest, serial: str, eids: Sequence[Eid]) -> None:
    on_card = [eid for eid in eids if eid.carrier.card_serial.endswith(serial)]
    found = [eid for eid in on_card if same_hsa_id(eid.hsa_id, row.paper.eid.strip())]
    if len(found) == 1:
        row.eid, row.carrier = found[0], found[0].carrier
    else:
        row.refuse("eid", "Personen har flera sådana SITHS eID. Skriv kortets nummer." if found else _NO_EID)


def _check_request(actor: Actor, row: MatchedRequest) -> None:
    """Records what the request lacks. A form has all of it (rules/issuance 6.2), also what a page need not ask for."""
    given = row.paper.request
    for name, message in _NEEDED.items():
        if not given.get(name):
            row.refuse(name, message)
    try:
        since = revocation.known_since(row.carrier) if row.carrier else None
        revocation.check(actor=actor, request=RevocationRequest(**given), since=since)
    except Invalid as error:
        for name, messages in error.fields.items():
            if name not in row.errors:
                row.errors[name] = list(messages)
