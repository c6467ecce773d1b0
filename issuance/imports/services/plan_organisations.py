"""Rows of organisations: which exist, which will be created, and in which order, because one may be below another of the file."""

from collections import deque

from issuance.authz import Action
from issuance.imports.domain import GENERIC, OWN, SAME_AS_ABOVE
from issuance.imports.services.existing_setup import ExistingSetup, SetupPlace
from issuance.imports.services.planned_rows import ENDED, MISSING, NewOrganisationChange, OrganisationRef, PlannedSetupRow
from issuance.organisations.models import Organisation
from issuance.organisations.services.organisations import Making, OrganisationData
from issuance.organisations.services.tree import require_room, segment
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.columns import NO, YES
from siths_portal.lib.imports.planning import RowOutcome

_SEGMENT = len(segment("o", new_id())) + 1
_NO_RIGHT = "Din behörighetsroll tillåter inte att du skapar en organisation här."
_OF_SUB = "Underorganisationer räknas med den organisation som de ligger under. Lämna cellen tom."


def plan(rows: list[PlannedSetupRow], existing: ExistingSetup) -> list[PlannedSetupRow]:
    """Sets the outcome of the rows. Returns the rows of new organisations, each after the one above it. Rows of other tables
    can then refer to the new organisations as places.
    """
    waiting = _waiting(rows, existing)
    below: dict[str, list[PlannedSetupRow]] = {}
    for row in waiting.values():
        below.setdefault(_above(row), []).append(row)
    ready = deque(row for row in waiting.values() if _above(row) not in waiting)
    order: list[PlannedSetupRow] = []
    failed = {key for key, row in waiting.items() if row.errors}
    while ready:
        row = ready.popleft()
        key = _key(row)
        del waiting[key]
        if _above(row) in failed:
            row.refuse("parent", "Raden för organisationen ovanför är fel. Rätta den först.")
        elif key not in failed:
            _new(row, existing)
        if row.outcome is RowOutcome.CREATE:
            order.append(row)
        else:
            failed.add(key)
        ready.extend(below.get(key, ()))
    for row in waiting.values():
        row.refuse("parent", "Organisationen ligger under sig själv. Rätta kolumnen i en av raderna.")
    return order


def _key(row: PlannedSetupRow) -> str:
    return row.get("hsa_id").upper()


def _above(row: PlannedSetupRow) -> str:
    return row.get("parent").upper()


def _waiting(rows: list[PlannedSetupRow], existing: ExistingSetup) -> dict[str, PlannedSetupRow]:
    """Returns the first row of each organisation that does not exist, by key. Sets the outcome of the others."""
    found: dict[str, PlannedSetupRow] = {}
    seen: set[str] = set()
    for row in rows:
        key = _key(row)
        if not key:
            _checked(row)  # records the missing id and the other errors
        elif key in seen:
            row.refuse("hsa_id", "HSA-id står på flera rader. Ta bort den ena.")
        elif key in existing.organisations:
            _compare(row, existing.organisations[key], existing)
        elif key in existing.taken:
            row.refuse("hsa_id", "HSA-id tillhör redan en annan organisation. Kontrollera HSA-id i HSA-katalogen.")
        else:
            found[key] = row
        seen.add(key)
    return found


def _compare(row: PlannedSetupRow, organisation: Organisation, existing: ExistingSetup) -> None:
    """Compares the row with an existing organisation."""
    data = _checked(row)
    if data is None:
        return
    for name in ("name", "organisation_number", "country", "county"):
        row.differs(name, getattr(data, name), getattr(organisation, name), getattr(organisation, name))
    row.differs("area", row.get("area").upper(), organisation.area.name.upper(), organisation.area.name)
    above = organisation.parent.hsa_id if organisation.parent else ""
    row.differs("parent", _above(row), above.upper(), above)
    issuing = organisation.area.issuing_organisation_id == organisation.pk
    row.differs("issuing", row.yes_or_no("issuing"), issuing, YES if issuing else NO)
    if organisation.parent_id is None:  # without a decided fee, none is charged
        charged = existing.charged.get(organisation.pk, False)
        row.differs("charged", row.yes_or_no("charged"), charged, YES if charged else NO)
    elif row.yes_or_no("charged") is not None:
        row.refuse("charged", _OF_SUB)
    row.differs("customisation", row.get("customisation"), customisation_word(organisation), customisation_word(organisation))
    if organisation.closed_at is not None:
        row.refuse("hsa_id", f"Organisationen {ENDED}")
    row.summary, row.depends_on = "Finns redan", (str(organisation.pk),)


def customisation_word(row: Organisation) -> str:
    """Returns the cell for an organisation's card customisation, which is loaded."""
    if row.customisation is None:
        return SAME_AS_ABOVE
    return GENERIC if row.customisation.generic else OWN


def _checked(row: PlannedSetupRow) -> OrganisationData | None:
    """Returns the row's own data in normal form, or None after recording its errors."""
    typed = {name: row.get(name) for name in ("name", "hsa_id", "organisation_number", "county")}
    try:
        return OrganisationData(**typed, country=row.get("country") or "SE").checked()
    except Invalid as error:
        row.take(error, field="hsa_id")
        return None


def _new(row: PlannedSetupRow, existing: ExistingSetup) -> None:
    """Sets the outcome of a row for an organisation that does not exist."""
    data = _checked(row)
    above = _place(row, existing)
    issuing, charged = row.yes_or_no("issuing") or False, row.yes_or_no("charged")
    _require_consistent(row, existing, issuing=issuing, charged=charged)
    word = row.get("customisation").casefold()
    generic = word == GENERIC.casefold() and bool(_above(row))
    if above is None or data is None or row.errors:
        return
    if issuing and existing.issuers.get(above.pk) is not None:  # type: ignore[arg-type]  # an area, since no sub-organisation issues
        row.refuse("issuing", "Utgivningsområdet har redan en utgivande organisation. Byt den på utgivningsområdets sida.")
        return
    try:
        require_room(above.length + _SEGMENT)
    except Conflict as error:
        row.take(error, field="parent")
        return
    if issuing:
        existing.issuers[above.area_id] = new_id()  # a second issuing organisation of the file would be too many
    key, parent = _key(row), _above(row)
    existing.places[key] = SetupPlace(
        None, data.name, above.area_id, above.area_name, above.scope_path, above.length + _SEGMENT, above.rights
    )
    ref, making = OrganisationRef(parent, above.pk) if parent else None, Making(issuing, charged, generic)
    row.outcome = RowOutcome.CREATE
    row.change = NewOrganisationChange(key, above.area_id, ref, data, making, row.row.catalogue)
    row.summary = f"Ny organisation under {above.name}" if parent else f"Ny organisation i {above.area_name}"
    if word not in ("", SAME_AS_ABOVE.casefold()) and not generic:
        row.summary += ". Kortanpassningen läses inte in: den väljs på organisationens sida"
    row.depends_on = (str(above.pk or parent),)


def _place(row: PlannedSetupRow, existing: ExistingSetup) -> SetupPlace | None:
    """Returns the place of a new organisation, in which the actor may create one, or None after recording the error."""
    if above := _above(row):
        place = existing.places.get(above)
        if place is None:
            row.refuse("parent", f"Organisationen {MISSING}")
        elif place.ended:
            row.refuse("parent", f"Organisationen {ENDED}")
        elif Action.CREATE_SUB_ORGANISATION not in place.rights:
            row.refuse("parent", _NO_RIGHT)
        elif row.get("area").upper() not in ("", place.area_name.upper()):
            row.refuse("area", "Organisationen ovanför ligger i ett annat utgivningsområde.")
        return place
    place = existing.area(row.get("area"))
    if not row.get("area"):
        row.refuse("area", "Ange utgivningsområdets namn, eller organisationen ovanför.")
    elif place is None:
        row.refuse("area", f"Utgivningsområdet {MISSING}")
    elif Action.CREATE_ORGANISATION not in place.rights:
        row.refuse("area", _NO_RIGHT)
    return place


def _require_consistent(row: PlannedSetupRow, existing: ExistingSetup, *, issuing: bool, charged: bool | None) -> None:
    """Records values that are not possible in the place of a new organisation."""
    customisation = row.get("customisation").casefold()
    if customisation not in ("", SAME_AS_ABOVE.casefold(), GENERIC.casefold(), OWN.casefold()):
        row.refuse("customisation", f"Skriv {GENERIC} eller lämna cellen tom. SITHS-förvaltningen skapar egna kortanpassningar.")
    if _above(row):
        if issuing:
            row.refuse("issuing", "En underorganisation kan inte vara utgivande organisation.")
        if charged is not None:
            row.refuse("charged", _OF_SUB)
        if customisation == GENERIC.casefold() and not existing.generic:
            row.refuse("customisation", "Det finns ingen generell kortanpassning än. SITHS-förvaltningen skapar den.")
        return
    if charged is None and "charged" not in row.errors:
        row.refuse("charged", "Skriv Ja eller Nej.")
