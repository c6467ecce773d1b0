"""Organisations and sub-organisations (rules/issuance 7.3, 7.4)."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, ScopedQuerySet, policy
from issuance.organisations.domain.counties import COUNTIES
from issuance.organisations.domain.countries import COUNTRIES
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.tree import child_path, lock_tree, require_room
from issuance.records.domain.ids import parse_hsa_id, parse_organisation_number
from issuance.records.models.events import Event
from issuance.records.services.editing import as_fact, edit, line, parsed, refused_as
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id
from siths_portal.lib.registry import Registry, Slot

NAME_LIMIT = 64
"""The maximum length of organizationName in certificates (RFC 5280 appendix A.1). Any organisation may become a top one."""

_TAKEN = ("organisation-exists", "HSA-id tillhör redan en annan organisation. Kontrollera HSA-id i HSA-katalogen.")


@dataclass(frozen=True)
class OrganisationData:
    """An organisation's own data, as typed."""

    name: str
    hsa_id: str
    organisation_number: str
    country: str = "SE"
    county: str = ""

    def checked(self) -> "OrganisationData":
        """Returns the data in normal form. Raises Invalid with every field that is wrong."""
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
    message = "HSA-id har fel form. Skriv det som i HSA-katalogen, till exempel {}2321000131-1000.".format(
        "SE" if "SE" in prefixes or not prefixes else sorted(prefixes)[0]
    )
    return parsed(lambda given: parse_hsa_id(given, prefixes=prefixes), text, "hsa_id", message)


def _number(text: str) -> str:
    message = "Organisationsnumret är fel. Skriv 10 siffror och kontrollera dem. Den sista är en kontrollsiffra."
    return parsed(parse_organisation_number, text, "organisation_number", message)


def _country(text: str) -> str:
    text = text.strip().upper()
    if text not in COUNTRIES:
        message = "Skriv landet som 2 bokstäver, till exempel SE."
        if re.fullmatch(r"[A-Z]{2}", text):
            message = "Det finns inget land med den koden. Skriv landets 2 bokstäver enligt ISO 3166, till exempel SE eller GB."
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


def hsa_id_taken(text: str, *, actor: Actor) -> str:
    """Returns an error text if another organisation has the HSA-id; empty if not, or if the text is not an HSA-id.

    The text names the other organisation if the actor may see it.
    """
    try:
        hsa_id = _hsa_id(text)
    except Invalid:
        return ""
    return _taken_by(actor, hsa_id) if Organisation.objects.filter(hsa_id__iexact=hsa_id).exists() else ""


def _taken_by(actor: Actor, hsa_id: str) -> str:
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    name = seen.filter(hsa_id__iexact=hsa_id).values_list("name", flat=True).first()
    return f"HSA-id tillhör redan organisationen {name}. Kontrollera HSA-id i HSA-katalogen." if name else _TAKEN[1]


@contextmanager
def _refused_as_taken(actor: Actor, rows: Sequence[Organisation]) -> Iterator[None]:
    """A block that writes these rows. Raises Conflict if another organisation has one of their HSA-ids.

    The error names that organisation if there is only one row and the actor may see it.
    """
    try:
        with refused_as(*_TAKEN, field="hsa_id"):
            yield
    except Conflict as error:
        if error.code != _TAKEN[0] or len(rows) != 1:
            raise
        message = _taken_by(actor, rows[0].hsa_id)
        raise Conflict(_TAKEN[0], message, fields={"hsa_id": [message]}) from None


@dataclass(frozen=True)
class Making:
    """The configuration of a new organisation.

    `issuing` makes it the area's issuer. `charged` sets its fee from today. `generic_customisation` selects the generic card
    customisation. `same_articles` copies its parent's articles.
    """

    issuing: bool = False
    charged: bool | None = None
    generic_customisation: bool = False
    same_articles: bool = False


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
    same_articles: bool = False,
    catalogue: str = "",
) -> Organisation:
    """Creates an organisation in an area, or a sub-organisation below `parent_id`, configured as in `Making`.

    `catalogue` is the result of `organisation_catalogue.compare`, for the event. Raises NotFound, Forbidden, Invalid by field,
    Conflict if another organisation has the HSA-id or the area has an issuer.
    """
    data = OrganisationData(name, hsa_id, organisation_number, country, county)
    making = Making(issuing, charged, generic_customisation, same_articles)
    return make_organisations(actor=actor, wanted=[NewOrganisation(new_id(), area_id, parent_id, data, making, catalogue)])[0]


@dataclass(frozen=True)
class NewOrganisation:
    """An organisation to create with this id, in an area or below a parent, which may be another new organisation."""

    id: UUID
    area_id: UUID
    parent_id: UUID | None
    data: OrganisationData
    making: Making
    catalogue: str = ""


ON_CREATION = Registry[Callable[[Actor, Sequence[tuple[NewOrganisation, Organisation]]], None]]()
"""What the packages above do for new organisations according to their `Making`, in the creating transaction."""

GENERIC_CUSTOMISATION = Slot[Callable[[], UUID | None]]()
"""Returns the id of the generic card customisation, or None if it does not exist yet."""


def make_organisations(*, actor: Actor, wanted: Sequence[NewOrganisation]) -> list[Organisation]:
    """Creates all the organisations or none, parents first, in the caller's transaction.

    The number of queries depends on the levels, and on the fees and issuers of top organisations, not on the number of
    organisations. Raises NotFound, Forbidden, Invalid by field, Conflict if another organisation has an HSA-id or an area has an
    issuer.
    """
    lock_tree()
    made: list[Organisation] = []
    for level in _levels(wanted):
        places = _places(actor, level)
        rows = [_row(new, *places[new.id]) for new in level]
        with _refused_as_taken(actor, rows):
            Organisation.objects.bulk_create(rows)
        _record_created(actor, zip(level, rows, strict=True))
        for new, row in zip(level, rows, strict=True):
            if new.making.issuing:
                _make_issuer(row.area, row, actor)
        for set_up in ON_CREATION:
            set_up(actor, list(zip(level, rows, strict=True)))
        made += rows
    return made


def _levels(wanted: Sequence[NewOrganisation]) -> list[list[NewOrganisation]]:
    """Groups the organisations by their depth below each other."""
    depth: dict[UUID, int] = {}
    levels: list[list[NewOrganisation]] = []
    for new in wanted:
        depth[new.id] = depth[new.parent_id] + 1 if new.parent_id in depth else 0
        levels += [[]] if depth[new.id] == len(levels) else []
        levels[depth[new.id]].append(new)
    return levels


def _row(new: NewOrganisation, area: IssuingArea, parent: Organisation | None) -> Organisation:
    """Returns the unsaved row."""
    row = Organisation(id=new.id, area=area, parent=parent, created_at=clock.now(), **vars(new.data.checked()))
    row.scope_path = child_path(parent or area, row)
    require_room(len(row.scope_path))
    if new.making.generic_customisation:
        row.customisation_id = _generic(parent)
    return row


def _record_created(actor: Actor, made: Iterable[tuple[NewOrganisation, Organisation]]) -> None:
    fact_names = [*OrganisationData.__dataclass_fields__, "area_id", "parent_id", "customisation_id"]
    facts = (
        (
            str(row.id),
            {name: as_fact(getattr(row, name)) for name in fact_names}
            | {"issuing": new.making.issuing}
            | _catalogue(new.catalogue),
        )
        for new, row in made
    )
    action = "organisation.created"
    Event.record_each(facts, at=clock.now(), actor_ref=actor.ref, action=action, subject_type="organisation")


def _catalogue(said: str) -> dict[str, str]:
    """Returns the fact for the event; empty if the HSA directory was not queried."""
    return {"catalogue": said} if said else {}


def _places(actor: Actor, level: Sequence[NewOrganisation]) -> dict[UUID, tuple[IssuingArea, Organisation | None]]:
    """Returns area and parent of each new organisation by its id. The actor may create it there. Parents and areas are locked."""
    tops = list(dict.fromkeys(new.area_id for new in level if new.parent_id is None))
    above = list(dict.fromkeys(new.parent_id for new in level if new.parent_id is not None))
    areas = _each(actor, Action.CREATE_ORGANISATION, IssuingArea.objects.all(), tops)
    parents = _each(actor, Action.CREATE_SUB_ORGANISATION, Organisation.objects.all(), above)
    theirs = IssuingArea.objects.in_bulk({parent.area_id for parent in parents.values()}) if parents else {}
    return {
        new.id: (areas[new.area_id], None)
        if new.parent_id is None
        else (theirs[parents[new.parent_id].area_id], parents[new.parent_id])
        for new in level
    }


def _each[M: IssuingArea | Organisation](
    actor: Actor, action: Action, rows: QuerySet[M], wanted: Sequence[UUID]
) -> dict[UUID, M]:
    """Returns the locked rows with these ids.

    Raises like `policy.get` for the first one on which the actor may not do `action`.
    """
    locked = cast(ScopedQuerySet[M], rows.select_for_update(of=("self",), no_key=True))
    found = {row.pk: row for row in locked.visible_to(actor, action).filter(pk__in=wanted).order_by("pk")} if wanted else {}
    missing = next((pk for pk in wanted if pk not in found), None)
    if missing is not None:
        policy.get(actor, action, rows, missing)
        raise policy.not_found()
    return found


def _make_issuer(area: IssuingArea, organisation: Organisation, actor: Actor) -> None:
    if organisation.parent_id is not None:
        message = "En underorganisation kan inte vara utgivande organisation."
        raise Invalid("issuing", message, fields={"issuing": [message]})
    if area.issuing_organisation_id is not None:
        message = "Utgivningsområdet har redan en utgivande organisation. Byt den på utgivningsområdets sida."
        raise Conflict("area-has-issuer", message, fields={"issuing": [message]})
    changes = {"issuing_organisation_id": organisation.id}
    edit(area, version=area.version, changes=changes, actor=actor, action="area.changed")


def _generic(parent: Organisation | None) -> UUID:
    """Returns the id of the generic card customisation. Only sub-organisations may have it (rules/issuance 7.4)."""
    generic = GENERIC_CUSTOMISATION.get()()
    message = ""
    if parent is None:
        message = "Bara underorganisationer kan ha den generella kortanpassningen."
    elif generic is None:
        message = "Det finns ingen generell kortanpassning än. SITHS-förvaltningen skapar den."
    if message or generic is None:
        raise Invalid("customisation", message, fields={"customisation": [message]})
    return generic


@transaction.atomic(durable=True)
def edit_organisation(
    *,
    actor: Actor,
    organisation_id: UUID,
    version: int,
    data: OrganisationData,
    generic_customisation: bool | None = None,
    catalogue: str = "",
) -> Organisation:
    """Edits an organisation that was read at `version`. Only the administration edits a top organisation.

    `generic_customisation` chooses between the generic customisation and that of the organisation above, for a sub-organisation
    without its own. `catalogue` is the result of `organisation_catalogue.compare`, for the event. Raises NotFound, Forbidden,
    Invalid by field, Outdated, also if the choice of customisation has disappeared since `version`, Conflict if another
    organisation has the HSA-id, or if this one had its own customisation at `version`.
    """
    row = _to_be_edited(actor, organisation_id)
    changes = dict(vars(data.checked()))
    if generic_customisation is not None:
        changes["customisation_id"] = _chosen(row, generic=generic_customisation, current=version == row.version)
    with _refused_as_taken(actor, [row]):
        edit(row, version=version, changes=changes, actor=actor, action="organisation.changed", facts=_catalogue(catalogue))
    return row


def _to_be_edited(actor: Actor, organisation_id: UUID) -> Organisation:
    """Returns the locked row if the actor may edit it, which requires the right to create one there (rules/issuance 1.2)."""
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows.select_related("customisation", "parent"), organisation_id)
    policy.require(actor, Action.CREATE_SUB_ORGANISATION if row.parent_id else Action.CREATE_ORGANISATION, row)
    return row


def _chosen(row: Organisation, *, generic: bool, current: bool) -> UUID | None:
    """Returns the id of the chosen customisation. Without `current`, skips the checks, because `edit` raises Outdated."""
    if not current:
        return GENERIC_CUSTOMISATION.get()() if generic else None
    if row.customisation is not None and not row.customisation.generic:
        message = "Organisationen har en egen kortanpassning."
        raise Conflict("own-customisation", message, fields={"customisation": [message]})
    return _generic(row.parent) if generic or row.parent is None else None
