"""What the clerks of the portal's load benchmark have to work with: a process of the environment that writes one JSON file.

Arguments: the number of clerks, the file to write. Each clerk gets a session, people of the clerk's own scope, people to order
for, cards to hand out and cards to revoke; no person is given to two clerks for an order or a revocation. The directory
simulator's file gets those who are ordered for, since an order reads them live.
"""

import json
import os
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402

from issuance.authz import Action, Actor, Role, policy  # noqa: E402
from issuance.carriers.domain.carrier_states import CarrierState  # noqa: E402
from issuance.carriers.models import Carrier  # noqa: E402
from issuance.organisations.models import Organisation  # noqa: E402
from issuance.people.models.persons import Person, Post  # noqa: E402
from issuance.roles.models.grants import RoleGrant  # noqa: E402
from issuance.roles.services.actors import actor_of_person  # noqa: E402
from siths_portal.demo.loading import directory_file  # noqa: E402
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY, person, write_directory  # noqa: E402
from siths_portal.demo.scale.ids import row_id  # noqa: E402
from tests.portal import session_key  # noqa: E402

PEOPLE, ORDERS, WITHOUT_CARD, REVOCATIONS = 60, 25, 8, 15
"""The most that one clerk gets of each, and of orders those for people without a card; others get another card beside theirs.
`REVOCATIONS_PER_HOUR` allows one officer 20."""

ISSUERS = 10

DRAWN = 800
"""The posts of a clerk's scope that these are drawn from."""

LIVE = [state.value for state in (CarrierState.ORDERED, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED, CarrierState.ACTIVE)]


def main(count: int, file: Path) -> None:
    """Writes the plan of `count` clerks, one in ISSUERS an issuer. Fails if the database has fewer."""
    taken: set[UUID] = set()
    ours, issuers = _holders(Role.ID_ADMINISTRATOR), _holders(Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER)
    plans = []
    for number in range(count):
        actor, grant = next(issuers if number % ISSUERS == ISSUERS - 1 else ours, (None, None))
        if actor is None or grant is None:
            sys.exit(f"Only {number} clerks may order: load more people")
        plans.append(_plan(actor, grant, taken))
    _write_directory({UUID(one["person"]) for plan in plans for one in plan.get("orders", ())})
    file.write_text(json.dumps({"cookie": settings.SESSION_COOKIE_NAME, "clerks": plans}))


def _holders(*roles: Role) -> Iterator[tuple[Actor, RoleGrant]]:
    """Who hold one of the roles and may order now, those of the largest organisations first."""
    country = UUID(row_id("grant", FIRST_OF_THE_COUNTRY))
    grants = RoleGrant.objects.filter(role__in=[each.value for each in roles], valid_to=None, pk__gte=country)
    for grant in grants.select_related("person", "organisation").order_by("pk"):
        actor = actor_of_person(grant.person_id)
        if policy.holds(actor, Action.ORDER_ORDINARY_CARD):
            yield actor, grant


def _plan(actor: Actor, grant: RoleGrant, taken: set[UUID]) -> dict[str, Any]:
    organisation = grant.organisation or Organisation.objects.filter(area=grant.area_id).order_by("pk")[0]
    by_person = _drawn(actor, grant)
    cards = _cards(actor, Action.VIEW, by_person)
    known = [id_ for id_, card in cards.items() if card.card_serial]

    def with_card(id_: UUID) -> dict[str, str]:
        return _person(by_person[id_]) | {"carrier": str(cards[id_].pk), "serial": cards[id_].card_serial}

    plan: dict[str, Any] = {"session": session_key(grant.person), "organisation": str(organisation.pk)}
    if organisation.pk != grant.organisation_id:
        return plan | {"role": "issuer", "people": [with_card(id_) for id_ in known[:PEOPLE]]}
    active = [id_ for id_ in known if cards[id_].state == CarrierState.ACTIVE and id_ not in taken]
    held = list(_cards(actor, Action.REVOKE_CARRIER, active))[:REVOCATIONS]
    free = [id_ for id_ in by_person if id_ not in cards and id_ not in taken][:WITHOUT_CARD]
    ordered = [id_ for id_ in (*free, *active) if id_ not in held and _has_personnummer(by_person[id_])][:ORDERS]
    taken.update(ordered, held)
    sent = [id_ for id_ in known if cards[id_].state == CarrierState.SENT]
    return plan | {
        "role": "id_administrator",
        "officer": str(grant.person_id),
        "people": [with_card(id_) for id_ in known if id_ not in held][:PEOPLE],
        "sent": [with_card(id_) for id_ in _cards(actor, Action.ACTIVATE_ORDINARY_CARD, sent)][:PEOPLE],
        "orders": [_person(by_person[id_]) | {"post": str(by_person[id_].pk)} for id_ in ordered],
        "revocations": [with_card(id_) for id_ in held],
    }


def _drawn(actor: Actor, grant: RoleGrant) -> dict[UUID, Post]:
    """Some people of the actor's scope by id, with the post that is in it, in a random order."""
    chance = random.Random(str(grant.pk))
    seen = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(ended_at=None, person__is_protected=False)
    ids = sorted(seen.exclude(person_id=grant.person_id).values_list("pk", flat=True))
    drawn = Post.objects.filter(pk__in=chance.sample(ids, min(len(ids), DRAWN)))
    posts = list(drawn.select_related("person").prefetch_related("person__identifiers").order_by("pk"))
    chance.shuffle(posts)
    return {post.person_id: post for post in posts}


def _cards(actor: Actor, action: Action, people: Iterable[UUID]) -> dict[UUID, Carrier]:
    """The live cards of these people for which the actor has the right, by person."""
    seen = Carrier.objects.visible_to(actor, action).filter(person__in=list(people), state__in=LIVE)
    return {carrier.holder_id: carrier for carrier in seen}


def _has_personnummer(post: Post) -> bool:
    """Returns whether a card of level 3 may be ordered for the person."""
    return any(each.kind == "personnummer" and each.valid_to is None for each in post.person.identifiers.all())


def _person(post: Post) -> dict[str, str]:
    one = post.person
    number = next(each.value for each in one.identifiers.all() if each.valid_to is None)
    return {"person": str(one.pk), "number": f"{number[:8]}-{number[8:]}", "name": f"{one.surname} {one.given_name_in_use}"}


def _write_directory(wanted: set[UUID]) -> None:
    """The demo's first people and the wanted ones of the country, as the directory simulator's data."""
    country = range(FIRST_OF_THE_COUNTRY, FIRST_OF_THE_COUNTRY + Person.objects.count())
    found = [person(index) for index in country if UUID(row_id("person", index)) in wanted]
    write_directory(directory_file(), FIRST_OF_THE_COUNTRY, found)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
