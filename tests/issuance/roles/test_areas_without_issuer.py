"""That an area loses the last who is responsible for it is told before, and afterwards where the area is shown."""

import datetime as dt
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Role
from issuance.people.models.persons import Person, Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment, role_periods
from siths_portal.lib import clock
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP

WARNED = "Personen är den enda ansvariga utgivaren i Regionen."
NOBODY = "Ansvariga utgivare Ingen är ansvarig utgivare nu."


def appointed(world: Any, organisation: Any = None, surname: str = "Ansvarig") -> RoleGrant:
    person: Person = world.post(organisation or world.region, surname=surname).person
    return role_assignment.assign_role(
        actor=SETUP, person_id=person.id, role=Role.RESPONSIBLE_ISSUER, area_id=world.area.id
    )  # fmt: skip


def test_who_ends_the_last_ones_role_is_warned_and_told_what_follows(world: Any) -> None:
    first, second = appointed(world), appointed(world, surname="Två")
    client, address = admin(world), reverse("role_end", args=[first.id])
    assert WARNED not in text_of(client.get(address))
    done = client.post(address, follow=True)
    assert "har nu ingen ansvarig utgivare" not in text_of(done)
    address = reverse("role_end", args=[second.id])
    with CaptureQueriesContext(connection) as queries:
        asked = client.get(address)
    assert len(queries) <= MOST_QUERIES
    assert f"{WARNED} När rollen är borttagen är ingen ansvarig där" in text_of(asked)
    assert f'href="{at("area_issuer_add", world.area)}">Utse en annan först' in asked.content.decode()
    told = client.post(address, follow=True)
    assert "Regionen har nu ingen ansvarig utgivare. Utse ansvarig utgivare" in text_of(told)
    area = text_of(client.get(at("area", world.area)))
    assert "Utse ansvarig utgivare Området har ingen ansvarig utgivare" in area
    assert NOBODY in area


def test_one_who_does_not_hold_the_role_now_is_no_other(world: Any) -> None:
    """A role that is to begin, and one that rests since its holder has left the area, leave the area alone with the last one."""
    last, left = appointed(world), appointed(world, world.city, "Slutat")
    Post.objects.filter(person=left.person).update(ended_at=clock.now())
    coming = world.post(surname="Senare").person
    role_assignment.assign_role(
        actor=SETUP, person_id=coming.id, role=Role.RESPONSIBLE_ISSUER, area_id=world.area.id,
        period=role_periods.Period(clock.today() + dt.timedelta(days=1), None),
    )  # fmt: skip
    client = admin(world)
    assert WARNED in text_of(client.get(reverse("role_end", args=[last.id])))
    assert WARNED not in text_of(client.get(reverse("role_end", args=[left.id])))
    assert f"{WARNED} Efter en sista dag är ingen ansvarig där" in text_of(client.get(reverse("role_change", args=[last.id])))


def test_a_deputys_role_warns_of_nothing(world: Any) -> None:
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    world.officer(world.clinic, Role.DEPUTY_ISSUER)
    grant = RoleGrant.objects.get(role=Role.DEPUTY_ISSUER.value)
    assert "ansvariga utgivaren" not in text_of(issuer.get(reverse("role_end", args=[grant.id])))


def test_an_area_whose_issuer_left_his_post_has_nobody(world: Any) -> None:
    only = appointed(world)
    role_assignment.change_role(
        actor=SETUP, grant_id=only.id, version=only.version, protected_persons=False,
        last=clock.today() + dt.timedelta(days=30),
    )  # fmt: skip
    client, overview = admin(world), reverse("administration")
    last = clock.today() + dt.timedelta(days=30)
    assert f"Prov Ansvarig : behörighetsroller , till och med {last}" in text_of(client.get(at("area", world.area)))
    shown = text_of(client.get(overview))
    assert "Annan region Ingen ansvarig utgivare" in shown, "of an area that never had one too"
    assert "Regionen Ingen ansvarig utgivare" not in shown
    Post.objects.filter(person=only.person).update(ended_at=clock.now())
    with CaptureQueriesContext(connection) as queries:
        area = text_of(client.get(at("area", world.area)))
    assert len(queries) <= MOST_QUERIES
    assert f"{NOBODY} Prov Ansvarig : behörighetsroller : vilande roll, inget giltigt uppdrag i området" in area
    assert "Utse ansvarig utgivare Området har ingen ansvarig utgivare" in area
    with CaptureQueriesContext(connection) as queries:
        shown = text_of(client.get(overview))
    assert len(queries) <= MOST_QUERIES
    assert "Regionen Ingen ansvarig utgivare" in shown
    reader = text_of(client_of(world.officer(role=Role.GLOBAL_READER)).get(at("area", world.area)))
    assert "Området har ingen ansvarig utgivare. SITHS-förvaltningen utser en." in reader
    office = text_of(client.get(at("office_edit", world.office)))
    assert "Prov Ansvarig" not in office
