"""Organisations and sub-organisations (domain.md 7.3, 7.4), and their dated fees."""

import datetime as dt
import re
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.domain.counties import COUNTIES
from issuance.domain.ids import parse_hsa_id, parse_organisation_number
from issuance.models import CardCustomisation, IssuingArea, Organisation, SubscriptionFee
from issuance.services.configuration._editing import as_fact, edit, insert, line, parsed, record, refused_as
from issuance.services.configuration._tree import child_path, lock_tree, require_room
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

NAME_LIMIT = 64
"""Characters of organizationName in certificates (RFC 5280 appendix A.1), which any organisation may become the top of."""

_TAKEN = ("organisation-exists", "HSA-id tillhör redan en annan organisation. Kontrollera HSA-id i katalogen.")


@dataclass(frozen=True)
class OrganisationData:
    """What is told of an organisation itself, as it is typed."""

    name: str
    hsa_id: str
    organisation_number: str
    country: str = "SE"
    county: str = ""

    def checked(self) -> "OrganisationData":
        """The same in normal form. Raises Invalid with every field that is wrong."""
        wrong: dict[str, list[str]] = {}
        found: dict[str, str] = {}
        for field, check in _CHECKS.items():
            try:
                found[field] = check(getattr(self, field))
            except Invalid as error:
                wrong |= error.fields
        if wrong:
            code = next(iter(wrong)).replace("_", "-")
            raise Invalid(code, next(iter(wrong.values()))[0], fields=wrong)
        return OrganisationData(**found)


def _hsa_id(text: str) -> str:
    prefixes = frozenset(settings.HSA_ID_PREFIXES)
    message = "HSA-id har fel form. Skriv det som i katalogen, till exempel {}2321000131-1000.".format(
        "SE" if "SE" in prefixes or not prefixes else sorted(prefixes)[0]
    )
    return parsed(lambda given: parse_hsa_id(given, prefixes=prefixes), text, "hsa_id", message)


def _number(text: str) -> str:
    message = "Organisationsnumret är fel. Skriv tio siffror och kontrollera dem; den sista är en kontrollsiffra."
    return parsed(parse_organisation_number, text, "organisation_number", message)


def _country(text: str) -> str:
    text = text.strip().upper()
    if not re.fullmatch(r"[A-Z]{2}", text):
        message = "Skriv landet som två bokstäver, till exempel SE."
        raise Invalid("country", message, fields={"country": [message]})
    return text


def _county(text: str) -> str:
    if text not in ("", *COUNTIES):
        message = "Välj ett län i listan."
        raise Invalid("county", message, fields={"county": [message]})
    return text


_CHECKS = {
    "name": lambda text: line(text, "name", longest=NAME_LIMIT, missing="Ange organisationens namn."),
    "hsa_id": _hsa_id,
    "organisation_number": _number,
    "country": _country,
    "county": _county,
}


@dataclass(frozen=True)
class Making:
    """How a new organisation is set up: `issuing` makes it the area's issuer, `charged` sets its fee from now on, and with
    `generic_customisation` its cards look like everybody's."""

    issuing: bool = False
    charged: bool | None = None
    generic_customisation: bool = False


@transaction.atomic(durable=True)
def create_organisation(
    *,
    actor: Actor,
    area_id: UUID,
    name: str,
    hsa_id: str,
    organisation_number: str,
    country: str = "SE",
    county: str = "",
    parent_id: UUID | None = None,
    issuing: bool = False,
    charged: bool | None = None,
    generic_customisation: bool = False,
) -> Organisation:
    """Makes an organisation in an area, or a sub-organisation below `parent_id`, as `make_organisation` does."""
    data = OrganisationData(name, hsa_id, organisation_number, country, county)
    making = Making(issuing, charged, generic_customisation)
    return make_organisation(actor=actor, area_id=area_id, parent_id=parent_id, data=data, making=making)


def make_organisation(
    *, actor: Actor, area_id: UUID, parent_id: UUID | None, data: OrganisationData, making: Making
) -> Organisation:
    """Makes an organisation in the caller's transaction, in an area or below a parent.

    Raises NotFound, Forbidden, Invalid by field, Conflict if the HSA-id is another organisation's or the area has an issuer.
    """
    lock_tree()
    area, parent = _place(actor, area_id, parent_id)
    data = data.checked()
    organisation = Organisation(area=area, parent=parent, created_at=clock.now(), **vars(data))
    organisation.scope_path = child_path(parent or area, organisation)
    require_room(len(organisation.scope_path))
    if making.generic_customisation:
        organisation.customisation = _generic(parent)
    insert(organisation, *_TAKEN, field="hsa_id")
    if making.issuing:
        _make_issuer(area, organisation, actor)
    placed = {name: as_fact(getattr(organisation, name)) for name in ("area_id", "parent_id", "customisation_id")}
    record(actor, "organisation.created", organisation, **vars(data), **placed, issuing=making.issuing)
    if making.charged is not None:
        _set_fee(actor, organisation, charged=making.charged, valid_from=organisation.created_at)
    return organisation


def _place(actor: Actor, area_id: UUID, parent_id: UUID | None) -> tuple[IssuingArea, Organisation | None]:
    """Where a new organisation comes, which the actor may put it to."""
    areas = IssuingArea.objects.select_for_update(of=("self",), no_key=True)
    if parent_id is None:
        return policy.get(actor, Action.CREATE_ORGANISATION, areas, area_id), None
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    parent = policy.get(actor, Action.CREATE_SUB_ORGANISATION, rows, parent_id)
    return IssuingArea.objects.get(pk=parent.area_id), parent


def _make_issuer(area: IssuingArea, organisation: Organisation, actor: Actor) -> None:
    if organisation.parent_id is not None:
        message = "En underorganisation kan inte vara utgivande organisation."
        raise Invalid("issuing", message, fields={"issuing": [message]})
    if area.issuing_organisation_id is not None:
        message = "Utgivningsområdet har redan en utgivande organisation. Byt den på utgivningsområdets sida."
        raise Conflict("area-has-issuer", message, fields={"issuing": [message]})
    changes = {"issuing_organisation_id": organisation.id}
    edit(area, version=area.version, changes=changes, actor=actor, action="area.changed")


def _generic(parent: Organisation | None) -> CardCustomisation:
    """The card customisation that is nobody's own; for sub-organisations alone (domain.md 7.4)."""
    generic = CardCustomisation.objects.filter(generic=True).first()
    message = ""
    if parent is None:
        message = "Bara underorganisationer kan ha den generella kortanpassningen."
    elif generic is None:
        message = "Det finns ingen generell kortanpassning än. Förvaltningen lägger upp den."
    if message or generic is None:
        raise Invalid("customisation", message, fields={"customisation": [message]})
    return generic


@transaction.atomic(durable=True)
def edit_organisation(
    *, actor: Actor, organisation_id: UUID, version: int, data: OrganisationData, generic_customisation: bool | None = None
) -> Organisation:
    """Changes an organisation that was read at `version`. A top organisation is the administration's to change.

    `generic_customisation` chooses for a sub-organisation without one of its own between everybody's and the one from above.

    Raises NotFound, Forbidden, Invalid by field, Outdated, Conflict if the HSA-id is another organisation's.
    """
    row = _to_be_edited(actor, organisation_id)
    changes = dict(vars(data.checked()))
    if generic_customisation is not None:
        changes["customisation_id"] = _chosen(row, generic=generic_customisation)
    with refused_as(*_TAKEN, field="hsa_id"):
        edit(row, version=version, changes=changes, actor=actor, action="organisation.changed")
    return row


def _to_be_edited(actor: Actor, organisation_id: UUID) -> Organisation:
    """The locked row, which the actor may change: those who may make one there (domain.md 1.2)."""
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows.select_related("customisation", "parent"), organisation_id)
    policy.require(actor, Action.CREATE_SUB_ORGANISATION if row.parent_id else Action.CREATE_ORGANISATION, row)
    return row


def _chosen(row: Organisation, *, generic: bool) -> UUID | None:
    if row.customisation is not None and not row.customisation.generic:
        message = "Organisationen har en egen kortanpassning."
        raise Conflict("own-customisation", message, fields={"customisation": [message]})
    return _generic(row.parent).id if generic else None


@transaction.atomic(durable=True)
def set_subscription_fee(*, actor: Actor, organisation_id: UUID, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    """Sets Abonnemangsavgift from a moment on. The same value again changes nothing; Conflict for another at that moment.

    Raises NotFound, Forbidden, Invalid for a moment in a month that is over, whose invoices may be made, if a person asks.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    if actor.kind == "user":
        _require_open_month(valid_from)
    return _set_fee(actor, organisation, charged=charged, valid_from=valid_from)


def _require_open_month(valid_from: dt.datetime) -> None:
    first = clock.today().replace(day=1)
    if valid_from.astimezone(clock.STOCKHOLM).date() < first:
        message = f"Tidigare månader kan vara fakturerade. Välj {first} eller senare."
        raise Invalid("fee-in-the-past", message, fields={"valid_from": [message]})


def _set_fee(actor: Actor, organisation: Organisation, *, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    if organisation.parent_id is not None and actor.kind == "user":
        message = "Underorganisationer räknas med den organisation som de ligger under."
        raise Conflict("fee-of-sub-organisation", message)
    fee, made = SubscriptionFee.objects.get_or_create(
        organisation=organisation, valid_from=valid_from, defaults={"charged": charged}
    )
    if fee.charged != charged:
        message = "Abonnemangsavgiften är redan bestämd för den dagen. Välj en annan dag."
        raise Conflict("fee-already-set", message, fields={"valid_from": [message]})
    if made:
        record(actor, "organisation.fee_set", organisation, charged=charged, valid_from=valid_from.isoformat())
    return fee
