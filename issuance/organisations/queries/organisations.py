"""One organisation: its configuration and what it inherits from its place in the tree (rules/issuance 7.3, 7.4)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from issuance.administration.queries.readiness import Unready, unready
from issuance.articles.models import SubscriptionFee
from issuance.authz import Action, Actor, policy
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import effective_customisations, prints
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.organisations.queries.areas import OfficeLine, office_line
from issuance.records.domain import wording
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class Customisation:
    """The card customisation that applies: the organisation's own, the generic one, or that of an organisation above.

    All fields are empty without one. `unready` says what the customisation lacks before cards can be made with it.
    """

    name: str = ""
    issuer_number: str = ""
    own: bool = False
    generic: bool = False
    unready: Unready | None = None


@dataclass(frozen=True)
class OrganisationFacts:
    """The configuration of an organisation.

    `charged` is None if no fee was ever set; `next_fee` is a future change. `party` is the organisation that issues in the area
    and pays, empty without one. `pending` describes the organisation's own customisation that is not verified yet, while another
    one applies.
    """

    version: int
    name: str
    hsa_id: str
    organisation_number: str
    country: str
    county: str
    parent_id: UUID | None
    issuing: bool
    party: str
    customisation_id: UUID | None
    customisation: Customisation
    pending: Unready | None
    charged: bool | None
    charged_since: dt.date | None
    next_fee: "Fee | None"


@dataclass(frozen=True)
class Fee:
    """A dated value of the subscription fee (abonnemangsavgift). `state` is past, now or future."""

    charged: bool
    valid_from: dt.date | None
    state: str


def organisation_facts(*, actor: Actor, organisation_id: UUID) -> OrganisationFacts:
    """Returns the configuration of an organisation that the actor sees. Raises NotFound, Forbidden."""
    rows = Organisation.objects.select_related("area__issuing_organisation", "customisation", "pending_customisation")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, organisation_id)
    fees = fees_of(row.id)
    now, coming = _changes_of(fees)
    issuer = row.area.issuing_organisation
    return OrganisationFacts(
        version=row.version,
        name=row.name,
        hsa_id=row.hsa_id,
        organisation_number=row.organisation_number,
        country=row.country,
        county=row.county,
        parent_id=row.parent_id,
        issuing=row.area.issuing_organisation_id == row.id,
        party=issuer.name if issuer else "",
        customisation_id=row.customisation_id,
        customisation=customisation_of(row),
        pending=unready(row.pending_customisation, pending=True) if row.pending_customisation else None,
        charged=now.charged if now else None,
        charged_since=now.valid_from if now else None,
        next_fee=coming,
    )


def _changes_of(fees: list[Fee]) -> tuple[Fee | None, Fee | None]:
    """Returns the fee with which the current value began, and the next fee with another value. `fees` begins with the newest.

    Consecutive fees may have the same value, so the current fee need not be the one that set the value.
    """
    oldest_first = list(reversed(fees))
    changes = [
        fee
        for fee, before in zip(oldest_first, [None, *oldest_first], strict=False)
        if not before or fee.charged != before.charged
    ]
    begun = [fee for fee in changes if fee.state != "future"]
    return begun[-1] if begun else None, next((fee for fee in changes if fee.state == "future"), None)


def customisation_of(row: Organisation) -> Customisation:
    """Returns the card customisation that applies to an organisation whose own customisation is loaded."""
    if row.customisation is not None:
        return described(row.customisation, own=not row.customisation.generic)
    return described(effective_customisations([row]).get(row.id))


def described(customisation: CardCustomisation | None, *, own: bool = False) -> Customisation:
    """Returns the view of a card customisation, or an empty view for None."""
    if customisation is None:
        return Customisation()
    lacks = None if prints(customisation) else unready(customisation)
    return Customisation(customisation.name, customisation.issuer_number, own, customisation.generic, lacks)


def fees_of(organisation_id: UUID) -> list[Fee]:
    """Returns every value of the subscription fee (abonnemangsavgift), the newest first."""
    now = clock.now()
    rows = list(SubscriptionFee.objects.filter(organisation=organisation_id).order_by("-valid_from"))
    holds = next((row.valid_from for row in rows if row.valid_from <= now), None)
    return [
        Fee(
            row.charged,
            wording.day(row.valid_from),
            "future" if row.valid_from > now else "now" if row.valid_from == holds else "past",
        )
        for row in rows
    ]


def connected_offices(*, actor: Actor, organisation_id: UUID) -> Rows[Office, OfficeLine]:
    """Returns the offices connected to an organisation, as far as the actor sees them."""
    rows = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(
        Q(pk__in=Office.organisations.through.objects.filter(organisation=organisation_id).values("office"))
    )
    return Rows(rows, lambda found: [office_line(row) for row in found])


def generic_exists() -> bool:
    """True if the generic card customisation exists."""
    return CardCustomisation.objects.filter(generic=True).exists()
