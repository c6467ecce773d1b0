"""A small region for tests, built by the services: an area with an issuer, a sub-organisation, a city, and a second area."""

import datetime as dt
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.authz import Action, Actor, Role, system
from issuance.authz.roles import GLOBAL_ROLES, QUALIFIED_ROLES
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import register_customisation, verify_customisation
from issuance.offices.models import Office
from issuance.offices.services import connect_office, create_office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.organisations import create_organisation
from issuance.people.models.persons import Person, Post
from issuance.people.ports import DirectoryPost, PersonKey, RegisteredAddress, RegisterPerson
from issuance.people.services import catalogue
from issuance.records.domain.ids import PersonId, PersonIdKind, luhn_check_digit
from issuance.records.models.events import Document
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import qualifications, role_assignment
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from tests.first_rows import first_rows
from tests.issuance.outside import Outside

SETUP = system("setup")
ADDRESS = RegisteredAddress(("Provgatan 1",), "123 45", "Provstad", "SE")
_NUMBERS = itertools.count()


def person_number(born: dt.date | None = None, *, coordination: bool = False) -> PersonId:
    """A valid number that nobody has: born in the nineteenth century unless told otherwise, birth number 980-999."""
    count = next(_NUMBERS)
    born = born or dt.date(1850, 1, 1) + dt.timedelta(days=count // 20)
    day = born.day + (60 if coordination else 0)
    nine = f"{born:%y%m}{day:02}{980 + count % 20}"
    kind = PersonIdKind.SAMORDNINGSNUMMER if coordination else PersonIdKind.PERSONNUMMER
    return PersonId(kind, f"{born.year // 100}{nine}{luhn_check_digit(nine)}")


@dataclass
class World:
    """The rows that tests start from."""

    outside: Outside
    area: IssuingArea = field(init=False)
    region: Organisation = field(init=False)
    clinic: Organisation = field(init=False)
    city: Organisation = field(init=False)
    stranger: Organisation = field(init=False)
    office: Office = field(init=False)
    officers: dict[tuple[object, ...], Actor] = field(default_factory=dict)
    qualifies: bool = True
    """Whether `officer` records training and person check, without which nobody issues."""

    def __post_init__(self) -> None:
        for name, value in first_rows("region", "issuance", self._make).items():
            setattr(self, name, value)

    def _make(self) -> dict[str, Any]:
        for code, photo, registered in (("631", False, False), ("631-REK", False, True), ("610", True, False)):
            Article.objects.create(
                code=code, number=code[:3], name="Kort", kind="ordinary", orientation="landscape", photo=photo,
                registered_mail=registered, valid_from=dt.date(2020, 1, 1),
            )  # fmt: skip
        self.area = create_area(actor=SETUP, name="Regionen", invoice_reference="9200101")
        self.region = self.organisation("Regionen", "TST2321000131-1000", "2321000131", area=self.area, issuing=True)
        self.clinic = self.organisation("Kliniken", "TST2321000131-1004", "2321000131", area=self.area, parent=self.region)
        self.city = self.organisation("Staden", "TST2120001561-1000", "2120001561", area=self.area)
        other = create_area(actor=SETUP, name="Annan region")
        self.stranger = self.organisation("Annan region", "TST2321000016-1000", "2321000016", area=other, issuing=True)
        self.office = create_office(actor=SETUP, area_id=self.area.id, name="Kontor A", invoice_comment="A")
        for organisation, number in ((self.region, "7837803902"), (self.city, "7837803903")):
            verified_customisation(organisation, number)
        for organisation in (self.region, self.clinic, self.city):
            connect_office(actor=SETUP, organisation_id=organisation.id, office_id=self.office.id)
            for code in ("631", "631-REK", "610"):
                offer_article(actor=SETUP, organisation_id=organisation.id, article_code=code, orderable=True)
        return {name: getattr(self, name) for name in ("area", "region", "clinic", "city", "stranger", "office")}

    @staticmethod
    def organisation(
        name: str, hsa_id: str, number: str, *, area: IssuingArea, parent: Organisation | None = None, issuing: bool = False
    ) -> Organisation:
        return create_organisation(
            actor=SETUP, area_id=area.id, name=name, hsa_id=hsa_id, organisation_number=number,
            parent_id=parent.id if parent else None, issuing=issuing,
        )  # fmt: skip

    def post(
        self,
        organisation: Organisation | None = None,
        *,
        person_id: PersonId | None = None,
        protected: bool = False,
        given_name: str = "Prov",
        surname: str = "Provsson",
        **register: object,
    ) -> Post:
        """A post of a new person (or of `person_id`), here and outside."""
        organisation = organisation or self.region
        person_id = person_id or person_number()
        key = PersonKey(person_id.kind.value, person_id.value)
        hsa_id = f"{organisation.hsa_id.split('-')[0]}-{uuid.uuid4().hex[:8].upper()}"
        found = DirectoryPost(
            hsa_id, organisation.hsa_id, key, given_name, surname, "Undersköterska", "prov@example.org", "prov@upn.example.org"
        )
        values = {
            "given_names": f"{given_name} Andra", "given_name_in_use": given_name, "surname": surname,
            "protected_person_indicator": protected, "protected_population_record": False, "deceased": False,
            "registered_address": None if protected else ADDRESS,
        }  # fmt: skip
        record = RegisterPerson(**{**values, **register})  # type: ignore[arg-type]
        self.outside.posts[hsa_id.upper()] = found
        self.outside.persons[key] = record
        catalogue.register_people(actor=SETUP, people=[catalogue.CataloguePerson(person_id, record, (found,))])
        return Post.objects.select_related("person", "organisation").get(hsa_id=hsa_id)

    def officer(
        self, organisation: Organisation | None = None, role: Role = Role.ID_ADMINISTRATOR, *, protected: bool = False
    ) -> Actor:
        """An actor with the role over the organisation; the same arguments give the same actor."""
        organisation = organisation or self.region
        key = (organisation.id, role, protected)
        if key not in self.officers:
            person = self.post(organisation, given_name="Handläggare").person
            reach = {"organisation_id": organisation.id}
            if role is Role.RESPONSIBLE_ISSUER:
                reach = {"area_id": organisation.area_id}
            elif role in GLOBAL_ROLES:
                reach = {}
            if self.qualifies and role in QUALIFIED_ROLES:
                qualify(person.id)
            role_assignment.assign_role(actor=SETUP, person_id=person.id, role=role, protected_persons=protected, **reach)
            self.officers[key] = actor_of_person(person.id)
        return self.officers[key]

    def clerk_of(self, organisation: Organisation, *, post: Post | None = None) -> RoleGrant:
        """The role of a new ID-administrator of the organisation who may issue; with `post` that of its person."""
        person = (post or self.post()).person
        qualify(person.id)
        return RoleGrant.objects.create(
            person=person, role=Role.ID_ADMINISTRATOR.value, organisation=organisation, valid_from=clock.now()
        )

    def order(
        self,
        post: Post | None = None,
        *,
        actor: Actor | None = None,
        article: str = "631",
        key: str | None = None,
        office: Office | None = None,
    ) -> CardOrder:
        """An order by an ID-administrator of the region."""
        post = post or self.post()
        return ordering.submit_order(
            actor=actor or self.officer(),
            post_id=post.id,
            article_code=article,
            office_id=(office or self.office).id,
            idempotency_key=key or uuid.uuid4().hex,
        )

    @staticmethod
    def targets(order: CardOrder) -> dict[Action, Any]:
        """What actions on people and cards are tried on, for a card that was ordered."""
        return {
            Action.ORDER_ORDINARY_CARD: order.eid.post, Action.REMOVE_ORDER: order, Action.REVOKE_EID: order.eid,
            Action.REVOKE_CARRIER: order.carrier, Action.ACTIVATE_ORDINARY_CARD: order.carrier,
        }  # fmt: skip

    def key_of(self, person: Person) -> PersonKey:
        identifier = person.identifiers.get(valid_to=None)
        return PersonKey(identifier.kind, identifier.value)


SUPPLIER = "bureau"
"""The card supplier of the customisations."""

LOGOTYPE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
"""A PNG of one pixel."""


def verified_customisation(organisation: Organisation, number: str) -> CardCustomisation:
    """A card customisation of the organisation's own, whole and verified."""
    row = register_customisation(
        actor=SETUP, organisation_id=organisation.id, customisation_id=number, name="Kort", issuer_number="1549",
        back_text="Upphittat kort skickas till Box 1", supplier_ref=SUPPLIER,
    )  # fmt: skip
    organisation.refresh_from_db(fields=["version"])
    CardCustomisation.objects.filter(pk=row.pk).update(logotype=Document.store(LOGOTYPE, "image/png"))
    return verify_customisation(actor=SETUP, customisation_id=row.id)


def qualify(person_id: uuid.UUID, *, on: dt.date | None = None) -> None:
    """Records training and person check of a person, passed today or `on`."""
    qualifications.record_of_several(
        actor=SETUP, person_ids=[person_id], kinds=tuple(QualificationKind), passed_on=on or clock.today()
    )


def years_ago(years: int, *, days: int = 0) -> dt.date:
    """Today's date `years` ago, and `days` later."""
    today = clock.today()
    return dt.date(today.year - years, today.month, min(today.day, 28)) + dt.timedelta(days=days)
