"""What the portal's benchmark asks for: pages of Administrera with random ids, searches, and what an actor may not see."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse

from issuance.articles.models import Article
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import PersonIdentifier, Post
from issuance.register_care.domain.kinds import kind_of
from issuance.register_care.models import WorkItem
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.web.urls import urlpatterns as role_urls
from issuance.urls import urlpatterns
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY, MOST, person_id_of
from tests.portal import portal_client

SAMPLE = 2_000
PAGES = [page for page in urlpatterns if str(page.pattern).startswith("administrera/") or page in role_urls]
LEFT_OUT = (
    "_csv", "_xlsx", "_import_preview", "role_request", "_reopen", "_request_close", "_use_generic",
    "customisation_withdraw", "role_request_withdraw", "bundle", "bundle_withdraw",
)  # fmt: skip
"""Ends of the names of files, whose length is that of a list, of pages of a user's own file, of a requested role or of a bundle,
which the country does not have, and of buttons that have no page."""

ROLES_OF_SEARCHERS = ("responsible_issuer", "deputy_issuer", "id_administrator")
MUNICIPALITY = "Provkommun 1"


def _ids(rows: Any) -> list[Any]:
    return list(rows.order_by("pk").values_list("pk", flat=True))


@dataclass(frozen=True)
class Request:
    """A GET of `address` by a logged-in client, or a POST with `data`."""

    client: Client
    address: str
    data: dict[str, str] = field(default_factory=dict)

    def send(self) -> Any:
        """The answer."""
        return self.client.post(self.address, {"sok": "1", **self.data}) if self.data else self.client.get(self.address)


_ASKED = (
    ("person_role_add", "?roll=id_administrator"),
    ("organisation_holders", "?inom=90"),
    ("organisation_holders", "?inom=90&ordning=namn"),
    ("organisation_holders", "?status=revoked"),
    ("organisation_holders", "?status=activated_unsigned"),
    ("role_holders", "?visa=stoppade"),
    ("role_holders", "?ordning=utbildning"),
    ("organisation_roles", "?ordning=till"),
    ("area_history", "?visa=allt"),
)
"""Pages that are others by what is asked of them."""


ERRANDS = {
    "person_id": ("person", "person_history", "person_access_log", "person_revoke", "reserve_card"),
    "carrier_id": ("carrier_history", "carrier_replace", "carrier_revoke", "puk_letter", "unlock"),
    "eid_id": ("eid_history", "eid_revoke"),
    "office_id": ("office_stock", "stock_count", "stock_level"),
    "": ("stock", "reserve_cards_waiting", "held_revocations", "paper_revocations"),
}
"""Pages of a clerk's errands that nobody has begun, by what their address names."""


def names() -> list[tuple[str, str]]:
    """Every page of Administrera by name, but for files, and what is asked of it."""
    return [*((str(page.name), "") for page in PAGES if not str(page.name).endswith(LEFT_OUT)), *_ASKED]


class Country:
    """What there is to ask for, read once and by area; draws are the same in every run."""

    def __init__(self) -> None:
        self.chance = random.Random(1549)
        self.admin = portal_client(RoleGrant.objects.filter(role="master_data_admin").order_by("id")[0].person)
        self.areas = [self._area(area) for area in IssuingArea.objects.order_by("id")]
        self.everywhere = {"code": _ids(Article.objects), "customisation_id": _ids(CardCustomisation.objects)}

    def _area(self, area: IssuingArea) -> tuple[Client, dict[str, list[Any]]]:
        """The client of an area's responsible issuer, and ids of what is in the area."""
        issuer = RoleGrant.objects.filter(role="responsible_issuer", area=area).select_related("person").order_by("id")[0]
        grants = RoleGrant.objects.filter(organisation__area=area, person__is_protected=False)
        records = Qualification.objects.filter(withdrawn_at=None, person__in=grants.values("person"))
        posts = Post.objects.filter(organisation__area=area, person__is_protected=False)
        people = list(posts.order_by("?").values_list("person_id", flat=True)[:SAMPLE])
        return portal_client(issuer.person), {
            "area_id": [area.id],
            "organisation_id": _ids(Organisation.objects.filter(area=area)),
            "office_id": _ids(Office.objects.filter(area=area)),
            "grant_id": _ids(grants),
            "qualification_id": _ids(records),
            "person_id": people,
        }

    def page(self, name: str, asked: str = "") -> Request:
        """A page of Administrera with random ids of an area, asked for by its issuer or by the administration."""
        (pattern,) = (page for page in PAGES if page.name == name)
        issuer, ids = self.chance.choice(self.areas)
        arguments = {key: self.chance.choice((self.everywhere | ids)[key]) for key in pattern.pattern.converters}
        return Request(self.chance.choice((issuer, self.admin)), reverse(name, kwargs=arguments) + asked)

    def move(self) -> Request:
        """What the move of an organisation to the top of another area would bring, asked for by the administration."""
        (_client, ids), (_other, other) = self.chance.sample(self.areas, 2)
        address = reverse("organisation_move", args=[self.chance.choice(ids["organisation_id"])])
        return Request(self.admin, address, {"target": f"area:{other['area_id'][0]}"})

    def role_holder(self) -> Request:
        """A role holder looked for by name: by an issuer in all his reach, or by the administration in the issuer's area."""
        issuer, ids = self.chance.choice(self.areas)
        name = RoleGrant.objects.select_related("person").get(pk=self.chance.choice(ids["grant_id"])).person.surname
        asked = {"name": name, "visa": "alla"}
        if self.chance.random() < 0.5:
            return Request(issuer, reverse("role_holders"), asked)
        return Request(self.admin, reverse("role_holders"), asked | {"omrade": str(ids["area_id"][0])})

    def searchers(self) -> list[Client]:
        """Clerks and issuers of the largest region, in turns so that nobody's budget is spent."""
        largest = Organisation.objects.get(name="Region Prov 1")
        grants = RoleGrant.objects.filter(role__in=ROLES_OF_SEARCHERS, organisation=largest) | RoleGrant.objects.filter(
            role__in=ROLES_OF_SEARCHERS, area=largest.area_id
        )
        return [portal_client(grant.person) for grant in grants.select_related("person").order_by("id")]

    def searches(self, kind: str) -> Iterator[Request]:
        """Searches for people of the largest region by one kind of value, without end."""
        clients, largest = self.searchers(), Organisation.objects.get(name="Region Prov 1")
        values = self._values(kind, largest)
        address, field_name = reverse("search"), "name" if kind == "name" else "text"
        while True:
            for client in clients:
                yield Request(client, address, {field_name: self.chance.choice(values)})

    def _values(self, kind: str, organisation: Organisation) -> list[str]:
        posts = Post.objects.filter(organisation=organisation).order_by("?")[:SAMPLE].select_related("person")
        if kind == "hsa_id":
            return [post.hsa_id[-4:] for post in posts]
        if kind == "name":
            return [
                name for post in posts for name in (post.person.surname, f"{post.person.given_name_in_use} {post.person.surname}")
            ]
        of_them = [post.person_id for post in posts]
        if kind == "card_serial":
            found = Carrier.objects.filter(person__in=of_them).exclude(card_serial="")
            return list(found.values_list("card_serial", flat=True))
        return list(PersonIdentifier.objects.filter(person__in=of_them).values_list("value", flat=True))

    def errands(self) -> dict[str, Callable[[], Request]]:
        """The pages of ERRANDS in the largest region, about active cards, asked for by its clerks and issuers."""
        clients, largest = self.searchers(), Organisation.objects.get(name="Region Prov 1")
        active = Eid.objects.filter(organisation=largest, state="active", carrier__state="active")
        held = active.filter(carrier__person__is_protected=False).order_by("?")[:SAMPLE]
        found = list(held.values_list("carrier__person", "carrier", "id"))
        people, carriers, eids = map(list, zip(*found, strict=True))
        offices = _ids(Office.objects.filter(area=largest.area_id))
        ids = {"person_id": people, "carrier_id": carriers, "eid_id": eids, "office_id": offices}

        def draw(name: str, key: str) -> Request:
            arguments = [self.chance.choice(ids[key])] if key else []
            return Request(self.chance.choice(clients), reverse(name, args=arguments))

        return {name: partial(draw, name, key) for key, pages in ERRANDS.items() for name in pages}

    def care(self) -> dict[str, Callable[[], Request]]:
        """Registervård, the list of each kind that has rows, and a row, asked for by clerks and the administration."""
        clients = [*self.searchers(), self.admin]
        kinds = sorted(WorkItem.objects.order_by().values_list("kind", flat=True).distinct())
        rows = _ids(WorkItem.objects.filter(person__is_protected=False))[:SAMPLE]
        lists = {f"register_care_list {code}": partial(self._list_of_work, clients, kind_of(code).slug) for code in kinds}
        return {
            "register_care": lambda: Request(self.chance.choice(clients), reverse("register_care")),
            **lists,
            "work_item": lambda: Request(self.admin, reverse("work_item", args=[self.chance.choice(rows)])),
        }

    def _list_of_work(self, clients: list[Client], slug: str) -> Request:
        view = self.chance.choice(("", "?visa=veckan", "?visa=kontor"))
        return Request(self.chance.choice(clients), reverse("register_care_list", args=[slug]) + view)


@dataclass(frozen=True)
class Pairs:
    """Something hidden and something missing, asked for in the same way by the same client."""

    hidden: Callable[[int], Request]
    missing: Callable[[int], Request]


def pairs(country: Country) -> dict[str, Pairs]:
    """What a clerk of a municipality asks for and does not see: of other areas, protected in his own, or of nobody."""
    municipality = Organisation.objects.get(name=MUNICIPALITY)
    grants = RoleGrant.objects.filter(organisation=municipality, role="id_administrator", protected_persons=False)
    clerks = [portal_client(grant.person) for grant in grants.select_related("person").order_by("id")]
    elsewhere = Organisation.objects.exclude(area=municipality.area_id)
    people = list(Eid.objects.filter(organisation__in=elsewhere).order_by("?").values_list("carrier__person", flat=True)[:SAMPLE])
    issuer = portal_client(RoleGrant.objects.get(role="responsible_issuer", area=municipality.area_id).person)
    rows = {
        "person": (clerks[0], people),
        "organisation": (issuer, list(elsewhere.values_list("id", flat=True))),
        "office": (issuer, list(Office.objects.exclude(area=municipality.area_id).values_list("id", flat=True))),
    }
    found = {name: _by_id(name, client, ids) for name, (client, ids) in rows.items()}
    numbers = list(PersonIdentifier.objects.filter(person__in=people).values_list("value", flat=True))
    country.chance.shuffle(numbers)
    search = reverse("search")

    def nobody(turn: int) -> str:
        return person_id_of(MOST + FIRST_OF_THE_COUNTRY + turn).value

    def looking(text: Callable[[int], str]) -> Callable[[int], Request]:
        return lambda turn: Request(clerks[turn % len(clerks)], search, {"text": text(turn)})

    found["search"] = Pairs(looking(lambda turn: numbers[turn % len(numbers)]), looking(nobody))
    of_protected = PersonIdentifier.objects.filter(person__is_protected=True, person__posts__organisation=municipality)
    secret = list(of_protected.values_list("value", flat=True).distinct())
    if not secret:  # too few people were loaded
        return found
    # As many numbers of nobody as there are secret ones: what is asked for again and again is at hand, also that it is not there.
    found["protected person"] = Pairs(
        looking(lambda turn: secret[turn % len(secret)]), looking(lambda turn: nobody(turn % len(secret)))
    )
    return found


def _by_id(name: str, client: Client, ids: list[UUID]) -> Pairs:
    chance = random.Random(len(ids))
    return Pairs(
        lambda turn: Request(client, reverse(name, args=[ids[turn % len(ids)]])),
        lambda turn: Request(client, reverse(name, args=[_neighbour(chance.choice(ids), chance)])),
    )


def _neighbour(pk: UUID, chance: random.Random) -> UUID:
    """An id that nothing has, of the time of one that something has (RFC 9562 section 5.7).

    An id of now would lie at the end of each index, whose page is always at hand, and tell of that and not of what is there.
    """
    return UUID(int=(pk.int >> 62 << 62) | chance.getrandbits(62))
