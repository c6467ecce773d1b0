"""Rows of offices: which are there, which will be made, and which organisations will be connected with them."""

from dataclasses import asdict
from uuid import UUID

from issuance.authz import Action
from issuance.imports.services.existing_setup import ExistingSetup, SetupPlace, ids_in
from issuance.imports.services.planned_rows import ENDED, MISSING, OfficeChange, OrganisationRef, PlannedSetupRow
from issuance.offices.models import Office
from issuance.offices.services import OfficeAddress, OfficeData
from siths_portal.lib.errors import Invalid
from siths_portal.lib.imports.planning import RowOutcome

_ADDRESS = tuple(asdict(OfficeAddress()))


def plan(rows: list[PlannedSetupRow], existing: ExistingSetup) -> None:
    """Says what becomes of the rows; organisations have been planned."""
    numbered = {office.office_number: office for office in existing.offices}
    named: dict[tuple[UUID, str], list[Office]] = {}
    for office in existing.offices:
        if office.closed_at is None:
            named.setdefault((office.area_id, office.name.upper()), []).append(office)
    seen: set[tuple[UUID, str]] = set()
    for row in rows:
        data = _checked(row)
        there = numbered.get(row.get("office_number"))
        area = existing.area(row.get("area"))
        _require_area(row, area)
        if data is None or row.errors:
            continue
        if there is not None:
            _numbered(row, there, data, existing)
            continue
        if row.get("office_number") and (area is None or Action.EDIT_OFFICE not in area.rights):
            row.refuse("office_number", f"Kontoret {MISSING} Lämna cellen tom för ett nytt kontor.")
        if area is None or area.pk is None or row.errors:
            continue
        key = (area.pk, data.name.upper())
        if key in seen:
            row.refuse("name", "Kontoret står på flera rader. Ta bort den ena.")
        elif key in named:
            _named(row, named[key], data, existing)
        elif Action.EDIT_OFFICE not in area.rights:
            row.refuse("area", "Din behörighetsroll tillåter inte att du skapar kontor i utgivningsområdet.")
        else:
            _plan(row, RowOutcome.CREATE, area.pk, data, None, existing)
        seen.add(key)


def _require_area(row: PlannedSetupRow, area: SetupPlace | None) -> None:
    """Notes that there is no area. That of an office with its number is only compared: it may lie above the actor's reach."""
    if not row.get("area"):
        if "area" not in row.errors:
            row.refuse("area", "Ange utgivningsområdets namn.")
    elif area is None and not row.get("office_number"):
        row.refuse("area", f"Utgivningsområdet {MISSING} För ett kontor som redan finns räcker det att ange Kontorsid.")


def _checked(row: PlannedSetupRow) -> OfficeData | None:
    """The row's own data in normal form; None after noting what is wrong with it."""
    try:
        address = OfficeAddress(**{name: row.get(name) for name in _ADDRESS})
        return OfficeData(row.get("name"), row.get("invoice_comment"), address).checked()
    except Invalid as error:
        row.take(error, field="name")
        return None


def _numbered(row: PlannedSetupRow, there: Office, data: OfficeData, existing: ExistingSetup) -> None:
    """Compares the row with the office of its number. Only who sees the office's page is shown another address."""
    for name, value in data.columns.items():
        kept = getattr(there, name)
        row.differs(name, value, kept, None if name in _ADDRESS and there.pk in existing.beyond else kept)
    if there.area.name.upper() != row.get("area").upper():
        row.refuse("area", "Kontoret hör till ett annat utgivningsområde.")
    if there.closed_at is not None:
        row.refuse("office_number", "Kontoret är stängt.")
    if not row.errors:
        _plan(row, RowOutcome.CHANGE, there.area_id, data, there, existing)


def _named(row: PlannedSetupRow, there: list[Office], data: OfficeData, existing: ExistingSetup) -> None:
    """Takes the office of that name that is alike, since the same file may come twice."""
    alike = [office for office in there if all(getattr(office, name) == value for name, value in data.columns.items())]
    if not alike:
        row.refuse("name", "Det finns redan ett kontor med namnet, men med andra uppgifter. Ändra det på kontorets sida.")
        return
    _plan(row, RowOutcome.CHANGE, alike[0].area_id, data, alike[0], existing)


def _plan(
    row: PlannedSetupRow, outcome: RowOutcome, area_id: UUID, data: OfficeData, there: Office | None, existing: ExistingSetup
) -> None:
    """The step of a row that is not wrong in itself: an office that is there already is only connected."""
    wanted = []
    for key in ids_in(row.get("organisations")):
        place = existing.places.get(key)
        if place is None:
            row.refuse("organisations", f"Organisationen {key} {MISSING}")
        elif place.area_id != area_id:
            row.refuse("organisations", f"Organisationen {key} ligger i ett annat utgivningsområde.")
        elif there is not None and (there.pk, place.pk) in existing.connected:
            continue
        elif place.ended:
            row.refuse("organisations", f"Organisationen {key} {ENDED}")
        elif Action.LINK_OFFICE not in place.rights:
            row.refuse("organisations", f"Din behörighetsroll tillåter inte att du kopplar kontor till organisationen {key}.")
        else:
            wanted.append(OrganisationRef(key, place.pk))
    if row.errors:
        return
    row.depends_on = (str(area_id), str(there.pk if there else ""), *(str(ref.pk or ref.key) for ref in wanted))
    if there is not None and not wanted:
        row.summary = "Finns redan"
        return
    row.outcome, row.change = outcome, OfficeChange(area_id, data, there.pk if there else None, tuple(wanted))
    connected = f"kopplas till {len(wanted)} organisation{'er' if len(wanted) != 1 else ''}" if wanted else ""
    # The portal gives the numbers: a file that was exported elsewhere names others.
    new = "Nytt kontor, som får ett nytt Kontorsid" if row.get("office_number") else "Nytt kontor"
    row.summary = ", ".join(part for part in (new if there is None else "Finns redan", connected) if part)
