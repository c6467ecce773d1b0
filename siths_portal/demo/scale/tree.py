"""Inserts the national-scale areas, organisations, offices and their articles, in one transaction."""

from uuid import UUID

from django.db import transaction

from issuance.articles.models import OrganisationArticle, SubscriptionFee
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office, OrganisationOffice
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.tree import child_path, lock_tree, segment
from issuance.records.models.events import Event
from siths_portal.demo.logotypes import SUPPLIER
from siths_portal.demo.places import ARTICLES, FEE_SINCE, ORDERABLE, SETUP
from siths_portal.demo.scale.ids import place_id
from siths_portal.demo.scale.places import OFFICES_OF_A_REGION, REGIONS, TOP, ScalePlace, county, places
from siths_portal.lib import clock
from siths_portal.lib.database import bulk


def load_tree() -> bool:
    """Inserts the organisations, with an event for each. Returns False if they exist."""
    with transaction.atomic(durable=True):
        lock_tree()
        if IssuingArea.objects.filter(pk=place_id("area", 0)).exists():
            return False
        areas = [_area(region) for region in range(REGIONS)]
        customisations = [_customisation(place) for place in places()[:TOP]]
        organisations = _organisations(areas)
        offices = [_office(number) for number in range(REGIONS * OFFICES_OF_A_REGION + TOP - REGIONS)]
        for rows in (areas, customisations, organisations, offices):
            bulk.insert(rows)
        bulk.insert(SubscriptionFee(organisation=row, charged=place.number >= REGIONS, valid_from=FEE_SINCE)
                    for place, row in zip(places()[:TOP], organisations, strict=False))  # fmt: skip
        bulk.insert_values(
            OrganisationOffice,
            ("organisation_id", "office_id"),
            ((organisation_id(place), place_id("office", office)) for place in places() for office in place.offices),
        )
        bulk.insert_values(
            OrganisationArticle,
            ("organisation_id", "article_id", "orderable"),
            ((organisation_id(place), each.code, each.code in ORDERABLE) for place in places() for each in ARTICLES),
        )
        _note(areas, "area")
        _note(organisations, "organisation")
        _note(offices, "office")
    return True


def organisation_id(place: ScalePlace) -> str:
    """Returns the row id of an organisation."""
    return place_id("organisation", place.number)


def customisation_number(place: ScalePlace) -> int:
    """Returns the number of the topmost organisation above `place`, which has the card customisation of its cards."""
    while place.parent is not None:
        place = places()[place.parent]
    return place.number


def _area(region: int) -> IssuingArea:
    id_ = UUID(place_id("area", region))
    return IssuingArea(
        id=id_,
        name=places()[region].name,
        issuing_organisation_id=place_id("organisation", region),
        invoice_reference=f"93{region:05}",
        scope_path=f"/{segment('a', id_)}/",
        created_at=clock.now(),
    )


def _customisation(place: ScalePlace) -> CardCustomisation:
    return CardCustomisation(
        id=place_id("customisation", place.number),
        customisation_id=f"783{place.number:07}",
        name=place.name,
        issuer_number=f"{2000 + place.number}",
        back_text=f"Upphittat kort skickas ituklippt till:\n{place.name}\nBox 1, 123 45 Demostad",
        supplier_ref=SUPPLIER,
        verified_at=clock.now(),
        verified_by_ref=SETUP.ref,
    )


def _organisations(areas: list[IssuingArea]) -> list[Organisation]:
    """Returns the organisations by number, so that each comes after its parent."""
    made: list[Organisation] = []
    for place in places():
        row = Organisation(
            id=UUID(organisation_id(place)),
            area=areas[place.region],
            parent_id=None if place.parent is None else made[place.parent].id,
            hsa_id=place.hsa_id,
            organisation_number=place.organisation_number,
            name=place.name,
            county=county(place.region),
            customisation_id=place_id("customisation", place.number) if place.is_top else None,
            created_at=clock.now(),
        )
        row.scope_path = child_path(areas[place.region] if place.parent is None else made[place.parent], row)
        made.append(row)
    return made


def _office(number: int) -> Office:
    of_regions = REGIONS * OFFICES_OF_A_REGION
    region = number // OFFICES_OF_A_REGION if number < of_regions else (number - of_regions) % REGIONS
    return Office(
        id=place_id("office", number),
        area_id=place_id("area", region),
        office_number=f"558{number:07}",
        name=f"Kortkontor {number + 1}",
        invoice_comment=f"Kontor {number + 1}",
    )


def _note(rows: list[IssuingArea] | list[Organisation] | list[Office], kind: str) -> None:
    facts = [(str(row.pk), {"name": row.name}) for row in rows]
    Event.record_each(facts, at=clock.now(), actor_ref=SETUP.ref, action=f"{kind}.created", subject_type=kind)
