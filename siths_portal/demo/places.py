"""The demo's issuing areas, organisations, offices, articles and card customisations, created through the services."""

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import Q

from issuance.articles.models import Article, SubscriptionFee
from issuance.articles.services.articles import ArticleData, offer_article, register_article
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Role, system
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import (
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.offices.models import Office
from issuance.offices.services import OfficeAddress, connect_office, create_office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.organisations import create_organisation
from issuance.receipt_texts.services import set_receipt_text
from siths_portal.demo.logotypes import PUSHED_SUPPLIER, SUPPLIER, put_logotype

SETUP = system("setup")
SINCE = dt.date(2020, 1, 1)
FEE_SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Customisation:
    """A card customisation of the demo."""

    customisation_id: str
    name: str
    issuer_number: str
    back_text: str
    supplier_ref: str = SUPPLIER


@dataclass(frozen=True)
class Place:
    """An organisation of the demo.

    `share` is its weight in the distribution of people. `roles` lists the roles of its first people, each with whether it has the
    add-on for protected persons. `generic` means that its cards have the logotype of SITHS eID.
    """

    hsa_id: str
    name: str
    organisation_number: str
    domain: str
    share: int
    charged: bool = False
    parent: str = ""
    offices: tuple[str, ...] = ()
    customisation: Customisation | None = None
    generic: bool = False
    roles: tuple[tuple[Role, bool], ...] = ()


@dataclass(frozen=True)
class Area:
    """An issuing area of the demo. The first of `places` is its issuing organisation."""

    name: str
    county: str
    invoice_reference: str
    places: tuple[Place, ...]
    offices: dict[str, tuple[str, str, OfficeAddress | None]] = field(default_factory=dict)


def back_text(name: str, box: str) -> str:
    """Returns the text on the back of an organisation's cards."""
    return f"Upphittat kort skickas ituklippt till:\n{name}\n{box}\nKundservice: 0771 - 00 00 00"


OFFICER = (Role.ID_ADMINISTRATOR, False)
ADMINISTRATOR = (Role.MASTER_DATA_ADMIN, False)
"""The person gets all three administrator roles. Two such people are appointed together."""
OFFICER_FOR_PROTECTED = (Role.ID_ADMINISTRATOR, True)

GENERIC = Customisation("7837803900", "SITHS eID", "1000", back_text("SITHS eID", "Box 4, 123 45 Demostad"))

VASTRA_GOTALAND = Area(
    name="Västra Götalandsregionen",
    county="Västra Götalands län",
    invoice_reference="9200101",
    places=(
        Place(
            hsa_id="TST2321000131-1000",
            name="Västra Götalandsregionen",
            organisation_number="2321000131",
            domain="vgr.example.org",
            share=40,
            offices=("5594135670", "5594135672"),
            customisation=Customisation(
                "7837803901", "Västra Götalandsregionen", "5874", back_text("Västra Götalandsregionen", "Box 1, 123 45 Demostad")
            ),
            roles=(
                ADMINISTRATOR,
                (Role.GLOBAL_REVOKER, True),
                (Role.GLOBAL_READER, False),
                (Role.RESPONSIBLE_ISSUER, True),
                (Role.DEPUTY_ISSUER, False),
                OFFICER,
                OFFICER_FOR_PROTECTED,
                (Role.RESERVE_CARD_ADMIN_LOA3, False),
                (Role.REVOKER, False),
                (Role.READER, False),
            ),
        ),
        Place(
            hsa_id="TST2321000131-1004",
            name="Västra Götaland Privat Vård",
            organisation_number="2321000131",
            domain="privatvard.example.org",
            share=10,
            parent="TST2321000131-1000",
            offices=("5594135672",),
            generic=True,
            roles=(OFFICER,),
        ),
        Place(
            hsa_id="TST2120001561-1000",
            name="Borås stad",
            organisation_number="2120001561",
            domain="boras.example.org",
            share=20,
            charged=True,
            offices=("5594135671",),
            customisation=Customisation("7837803903", "Borås stad", "5875", back_text("Borås stad", "Box 2, 123 45 Demostad")),
            roles=(OFFICER, OFFICER_FOR_PROTECTED, (Role.READER, False)),
        ),
    ),
    offices={
        "5594135670": ("Regionens kortkontor (1)", "Regionens kortkontor", None),
        "5594135671": (
            "Borås stad (15)",
            "Borås stad",
            OfficeAddress("Borås Stad", "SITHS-kontoret", "Demogatan 55", "501 80", "Borås"),
        ),
        "5594135672": ("Privata vårdgivare (35)", "Privata vårdgivare", None),
    },
)

STOCKHOLM = Area(
    name="Region Stockholm",
    county="Stockholms län",
    invoice_reference="9200102",
    places=(
        Place(
            hsa_id="TST2321000016-1000",
            name="Region Stockholm",
            organisation_number="2321000016",
            domain="stockholm.example.org",
            share=20,
            offices=("5594135680", "5594135681"),
            customisation=Customisation(
                "7837803902", "Region Stockholm", "1549", back_text("Region Stockholm", "Box 3, 123 45 Demostad")
            ),
            roles=((Role.RESPONSIBLE_ISSUER, False), (Role.DEPUTY_ISSUER, False), OFFICER, OFFICER_FOR_PROTECTED),
        ),
        Place(
            hsa_id="TST2321000016-1010",
            name="Nacka närsjukhus",
            organisation_number="2321000016",
            domain="nackansjh.example.org",
            share=10,
            parent="TST2321000016-1000",
            offices=("5594135681",),
            customisation=Customisation(
                "7837803904",
                "Nacka närsjukhus",
                "1550",
                back_text("Nacka närsjukhus", "Box 5, 123 45 Demostad"),
                PUSHED_SUPPLIER,
            ),
            roles=(OFFICER, ADMINISTRATOR),
        ),
    ),
    offices={
        "5594135680": ("Kortkontor Ost (12)", "Kommun Ost", None),
        "5594135681": ("Kontor Ek (12)", "Eken", None),
    },
)

PUSHED_PLACE = "TST2321000016-1010"
"""The organisation whose supplier is pushed to."""

AREAS = (VASTRA_GOTALAND, STOCKHOLM)
PLACES = tuple(place for area in AREAS for place in area.places)

_KINDS = (
    ("610", "Stående kort med foto", "ordinary", "portrait", True),
    ("677", "Liggande kort med foto", "ordinary", "landscape", True),
    ("631", "Liggande kort utan foto", "ordinary", "landscape", False),
    ("616", "Studentkort - Liggande kort med foto", "student", "landscape", True),
)
ARTICLES = (
    *(
        ArticleData(number, name, kind, orientation, photo, registered, SINCE, generation="6")
        for number, name, kind, orientation, photo in _KINDS
        for registered in (False, True)
    ),
    ArticleData("589", "Stående företagskort med foto", "company", "portrait", True, False, SINCE, generation="5"),
    ArticleData("689", "Stående företagskort utan foto", "company", "portrait", False, False, SINCE, generation="6"),
)
ORDERABLE = frozenset({"610", "677", "631", "631-REK", "589", "689"})


def load_places() -> None:
    """Creates missing areas, organisations, offices, articles and card customisations. Does not change an organisation that was
    completely created before, so users' changes stay."""
    sold = set(Article.objects.values_list("code", flat=True))
    for article in ARTICLES:
        if article.code not in sold:
            register_article(actor=SETUP, article=article)
    if not CardCustomisation.objects.filter(generic=True).exists():
        register_generic_customisation(actor=SETUP, **vars(GENERIC))
    for generic in CardCustomisation.objects.filter(generic=True, logotype=None):
        put_logotype(generic)
        verify_customisation(actor=SETUP, customisation_id=generic.id)
    for area in AREAS:
        issuing = Organisation.objects.select_related("area").filter(hsa_id=area.places[0].hsa_id).first()
        row = issuing.area if issuing else IssuingArea.objects.filter(name__iexact=area.name).first()
        row = row or create_area(actor=SETUP, name=area.name, invoice_reference=area.invoice_reference)
        _load_offices(row, area)
        for place in area.places:
            load_place(row, area, place)


def _load_offices(row: IssuingArea, area: Area) -> None:
    known = set(Office.objects.filter(office_number__in=area.offices).values_list("office_number", flat=True))
    for number, (name, comment, address) in area.offices.items():
        if number not in known:
            create_office(actor=SETUP, area_id=row.id, name=name, invoice_comment=comment, address=address, office_number=number)


def load_place(area_row: IssuingArea, area: Area, place: Place) -> None:
    """Creates an organisation of the area with its articles and card customisation, unless it was completely created before."""
    parent = Organisation.objects.get(hsa_id=place.parent) if place.parent else None
    organisation = Organisation.objects.filter(hsa_id=place.hsa_id).first() or create_organisation(
        actor=SETUP,
        area_id=area_row.id,
        name=place.name,
        hsa_id=place.hsa_id,
        organisation_number=place.organisation_number,
        county=area.county,
        parent_id=parent.id if parent else None,
        issuing=place is area.places[0],
        generic_customisation=place.generic,
    )
    if organisation.receipt_texts.exists():
        return  # the receipt text is created last, so the organisation is complete
    for number in place.offices:
        office = Office.objects.get(office_number=number)
        connect_office(actor=SETUP, organisation_id=organisation.id, office_id=office.id)
    if not organisation.articles.exists():
        for article in ARTICLES:
            orderable = article.code in ORDERABLE
            offer_article(actor=SETUP, organisation_id=organisation.id, article_code=article.code, orderable=orderable)
    if parent is None and not SubscriptionFee.objects.filter(organisation=organisation).exists():
        set_subscription_fee(actor=SETUP, organisation_id=organisation.id, charged=place.charged, valid_from=FEE_SINCE)
    made = CardCustomisation.objects.filter(Q(organisations=organisation) | Q(pending_at=organisation))
    if place.customisation and not made.exists():
        register_customisation(actor=SETUP, organisation_id=organisation.id, **vars(place.customisation))
    set_receipt_text(
        actor=SETUP,
        organisation_id=organisation.id,
        regional_addition=f"Kortet tillhör {place.name} och lämnas tillbaka när uppdraget upphör.",
    )
