"""An area that was made by mistake is taken away while nothing is in it, and the event keeps what it was called."""

from collections.abc import Callable
from typing import Any

import pytest

from issuance.authz import Role
from issuance.offices.models import Office
from issuance.offices.services import close_office, create_office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.queries.areas import is_empty_area
from issuance.organisations.services.areas import create_area, remove_area
from issuance.organisations.services.ending import end_organisation
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import create_organisation
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict, Forbidden, NotFound
from tests import superuser
from tests.at_once import run_at_once
from tests.issuance.world import SETUP


def new_area(name: str = "Fel område") -> IssuingArea:
    return create_area(actor=SETUP, name=name, invoice_reference="9200103")


def test_an_empty_one_goes_and_its_name_is_free(world: Any) -> None:
    actor, area = world.officer(role=Role.MASTER_DATA_ADMIN), new_area()
    assert is_empty_area(area.pk)
    remove_area(actor=actor, area_id=area.pk)
    event = Event.objects.get(action="area.removed")
    assert (event.actor_ref, event.subject_ref) == (actor.ref, str(area.pk))
    assert event.facts == {"name": "Fel område", "invoice_reference": "9200103"}
    with pytest.raises(NotFound):
        remove_area(actor=actor, area_id=area.pk)
    assert new_area().pk != area.pk


def test_who_may_not_make_areas_may_not_remove_them(world: Any) -> None:
    area = new_area()
    with pytest.raises(NotFound):
        remove_area(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), area_id=area.pk)
    with pytest.raises(Forbidden):
        remove_area(actor=world.officer(role=Role.GLOBAL_READER), area_id=area.pk)
    assert IssuingArea.objects.filter(pk=area.pk).exists()


def organisation(area: IssuingArea) -> Organisation:
    return create_organisation(
        actor=SETUP, area_id=area.pk, name="Ny", hsa_id="TST2321000172-1000", organisation_number="2321000172"
    )


def ended(area: IssuingArea) -> None:
    row = organisation(area)
    end_organisation(actor=SETUP, organisation_id=row.pk, reason="Fel")


def left(area: IssuingArea) -> None:
    """An organisation whose cards were paid for there, and which lies in another area now."""
    row, elsewhere = organisation(area), IssuingArea.objects.get(name="Regionen")
    move_organisation(actor=SETUP, organisation_id=row.pk, parent_id=None, area_id=elsewhere.pk)


def office(area: IssuingArea) -> Office:
    return create_office(actor=SETUP, area_id=area.pk, name="Kontor", invoice_comment="Kontor")


def closed(area: IssuingArea) -> None:
    close_office(actor=SETUP, office_id=office(area).pk)


@pytest.mark.parametrize("fill", [organisation, ended, left, office, closed])
def test_what_was_ever_set_up_in_it_keeps_it(world: Any, fill: Callable[[IssuingArea], Any]) -> None:
    area = new_area()
    fill(area)
    assert not is_empty_area(area.pk)
    with pytest.raises(Conflict, match="area-in-use"):
        remove_area(actor=SETUP, area_id=area.pk)
    assert not Event.objects.filter(action="area.removed").exists()


@pytest.mark.parametrize("fill", [organisation, office])
def test_what_comes_into_it_at_once_is_there_or_refused(world: Any, fill: Callable[[IssuingArea], Any]) -> None:
    for turn in range(5):
        area = new_area(f"Område {turn}")
        acts: list[Callable[[], Any]] = [
            lambda area=area: remove_area(actor=SETUP, area_id=area.pk),  # type: ignore[misc]
            lambda area=area: fill(area),  # type: ignore[misc]
        ]
        (refused,) = run_at_once(2, lambda acts=acts: acts.pop()())
        assert isinstance(refused, NotFound | Conflict)
        there = IssuingArea.objects.filter(pk=area.pk).exists()
        assert there == isinstance(refused, Conflict)
        superuser.remove(Organisation.objects.filter(area=area))
