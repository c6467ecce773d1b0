"""What the portal must know before a supplier can work: one organisation, articles, people, and orders placed as a clerk does."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from siths_portal.lib import clock

ADDRESS = {"lines": ["Storgatan 1"], "postal_code": "50630", "city": "Borås", "country": "SE"}


def personnummer(number: int) -> str:
    """A synthetic one: born in the 1800s, birth number 980-989, right check digit."""
    date = f"1{850 + number % 40}0{1 + number % 9}1{number % 10}"
    nine = date[2:] + f"98{number % 10}"
    total = sum(sum(divmod(int(digit) * (2 - position % 2), 10)) for position, digit in enumerate(nine))
    return f"{date}98{number % 10}{-total % 10}"


def today() -> str:
    """The day in Sweden, as suppliers report it."""
    return clock.today().isoformat()


@dataclass
class World:
    """Rows of one organisation. `people` is the directory simulator's data file."""

    people: Path
    supplier_ref: str = "a"
    outside: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        from issuance.articles.models import Article, OrganisationArticle
        from issuance.authz import Grant, Role, user
        from issuance.customisations.models import CardCustomisation
        from issuance.offices.models import Office
        from issuance.organisations.models import IssuingArea, Organisation

        now = clock.now()
        self.area = IssuingArea.objects.create(name="Västra", scope_path="/a1/", created_at=now)
        self.customisation = CardCustomisation.objects.create(
            customisation_id="7837803902", name="Kort", issuer_number="1549", back_text="Åter till avsändaren",
            supplier_ref=self.supplier_ref, verified_at=now, verified_by_ref="user:x",
        )  # fmt: skip
        self.organisation = Organisation.objects.create(
            area=self.area, hsa_id="TST2321000131-1000", organisation_number="2321000131", name="Västra regionen",
            scope_path="/a1/o1/", customisation=self.customisation, created_at=now,
        )  # fmt: skip
        self.area.issuing_organisation = self.organisation
        self.area.save()
        self.office = Office.objects.create(area=self.area, office_number="5594135671", name="Kontoret", invoice_comment="K")
        self.office.connections.create(organisation=self.organisation)
        for code, mail, photo in (("631", False, False), ("631-REK", True, False), ("677", False, True)):
            article = Article.objects.create(
                code=code, number=code[:3], name=f"Liggande kort {'med' if photo else 'utan'} foto", kind="ordinary",
                orientation="landscape", photo=photo, registered_mail=mail, valid_from="2020-01-01",
            )  # fmt: skip
            OrganisationArticle.objects.create(organisation=self.organisation, article=article, orderable=True)
        self.clerk = user(uuid4(), (Grant(Role.ID_ADMINISTRATOR, "/a1/", protected_persons=True),))

    def person(self, number: int, **register: Any) -> UUID:
        """A person with a post, here and outside; returns the post's id."""
        from issuance.people.models.persons import Person, Post

        now = clock.now()
        value, hsa_id = personnummer(number), f"TST2321000131-P{number:03}"
        record = {
            "given_names": "Anna Maria", "given_name_in_use": "Anna", "surname": f"Demosson{number}",
            "protected_person_indicator": False, "protected_population_record": False, "deceased": False,
            "registered_address": ADDRESS,
        } | register  # fmt: skip
        person = Person.objects.create(
            given_names=record["given_names"], given_name_in_use=record["given_name_in_use"], surname=record["surname"],
            sort_name=record["surname"], synthetic=True, created_at=now,
        )  # fmt: skip
        person.identifiers.create(kind="personnummer", value=value, valid_from=now)
        post = Post.objects.create(hsa_id=hsa_id, person=person, organisation=self.organisation, synced_at=now)
        outside_post = {
            "hsa_id": hsa_id, "organisation_hsa_id": "TST2321000131-1000", "given_name": "Anna", "surname": record["surname"],
            "title": "", "mail": "", "upn": "", "valid_to": None,
        }  # fmt: skip
        entry = {"person_id": {"kind": "personnummer", "value": value}, "register": record, "posts": [outside_post]}
        self.outside.append(entry)
        temporary = self.people.with_suffix(".new")
        temporary.write_text(json.dumps(self.outside))
        temporary.replace(self.people)
        return post.id

    def order(self, number: int, *, article: str = "631", **register: Any) -> str:
        """Orders a card for a new person, with a photo if the article has one; returns the order's id."""
        from django.db import transaction

        from issuance.orders.services import ordering
        from issuance.people.models.person_scope import PersonScope
        from issuance.people.models.persons import Person
        from issuance.people.services import photos
        from tests.issuance.pictures import picture

        post_id, photo = self.person(number, **register), None
        if article == "677":
            person = Person.objects.get(posts=post_id)
            with transaction.atomic():
                PersonScope.objects.refresh([person.id])
            photo = photos.store(actor=self.clerk, person_id=person.id, content=picture(number))
        order = ordering.submit_order(
            actor=self.clerk, post_id=post_id, article_code=article, office_id=self.office.id, idempotency_key=uuid4().hex,
            photo_id=photo.id if photo else None,
        )  # fmt: skip
        return str(order.id)
