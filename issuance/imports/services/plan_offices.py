"""Rows of offices: which exist, which will be created, and which organisations will be connected to them."""

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
    """Sets the outcome of the rows. Organisations are planned before."""
    numbered = {office.office_number: office for office in existing.offices}
    named: dict[tuple[UUID, str], list[Office]] = {}
    for office in existing.offices:
        if office.closed_at is None:
            named.setdefault((office.area_id, office.name.upper()), []).append(office)
    seen: set[tuple[UUID, str]] = set()
    for row in rows:
        data = _checked(row)
        existing_office = numbered.get(row.get("office_number"))
        area = existing.area(row.get("area"))
        _require_area(row, area)
        if data is None or row.errors:
            continue
        if existing_office is not None:
            _numbered(row, existing_office, data, existing)
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
    """Records a missing area as an error. The area of an office given by number is only compared, because it may be above the
    actor's scope.
    """
    if not row.get("area"):
        if "area" not in row.errors:
            row.refuse("area", "Ange utgivningsområdets namn.")
    elif area is None and not row.get("office_number"):
        row.refuse("area", f"Utgivningsområdet {MISSING} För ett kontor som redan finns räcker det att ange Kontorsid.")


def _checked(row: PlannedSetupRow) -> OfficeData | None:
    """Returns the row's own data in normal form, or None after recording its errors."""
    try:
        address = OfficeAddress(**{name: row.get(name) for name in _ADDRESS})
        return OfficeData(row.get("name"), row.get("invoice_comment"), address).checked()
    except Invalid as error:
        row.take(error, field="name")
        return None


def _numbered(row: PlannedSetupRow, existing_office: Office, data: OfficeData, existing: ExistingSetup) -> None:
    """Compares the row with the office of its number. Only actors who see the office's page see another address in the error."""
    for name, value in data.columns.items():
        kept = getattr(existing_office, name)
        row.differs(name, value, kept, None if name in _ADDRESS and existing_office.pk in existing.beyond else kept)
    if existing_office.area.name.upper() != row.get("area").upper():
        row.refuse("area", "Kontoret hör till ett annat utgivningsområde.")
    if existing_office.closed_at is not None:
        row.refuse("office_number", "Kontoret är stängt.")
    if not row.errors:
        _plan(row, RowOutcome.CHANGE, existing_office.area_id, data, existing_office, existing)


def _named(row: PlannedSetupRow, candidates: list[Office], data: OfficeData, existing: ExistingSetup) -> None:
    """Uses an existing office with that name and the same data, because the same file may be imported twice."""
    alike = [office for office in candidates if all(getattr(office, name) == value for name, value in data.columns.items())]
    if not alike:
        row.refuse("name", "Det finns redan ett kontor med namnet, men med andra uppgifter. Ändra det på kontorets sida.")
        return
    _plan(row, RowOutcome.CHANGE, alike[0].area_id, data, alike[0], existing)


def _plan(
    row: PlannedSetupRow,
    outcome: RowOutcome,
    area_id: UUID,
    data: OfficeData,
    existing_office: Office | None,
    existing: ExistingSetup,
) -> None:
    """Plans a row without errors in its own data. An existing office is only connected."""
    connections = []
    for key in ids_in(row.get("organisations")):
        place = existing.places.get(key)
        if place is None:
            row.refuse("organisations", f"Organisationen {key} {MISSING}")
        elif place.area_id != area_id:
            row.refuse("organisations", f"Organisationen {key} ligger i ett annat utgivningsområde.")
        elif existing_office is not None and (existing_office.pk, place.pk) in existing.connected:
            continue
        elif place.ended:
            row.refuse("organisations", f"Organisationen {key} {ENDED}")
        elif Action.LINK_OFFICE not in place.rights:
            row.refuse("organisations", f"Din behörighetsroll tillåter inte att du kopplar kontor till organisationen {key}.")
        else:
            connections.append(OrganisationRef(key, place.pk))
    if row.errors:
        return
    row.depends_on = (
        str(area_id),
        str(existing_office.pk if existing_office else ""),
        *(str(ref.pk or ref.key) for ref in connections),
    )
    if existing_office is not None and not connections:
        row.summary = "Finns redan"
        return
    row.outcome, row.change = (
        outcome,
        OfficeChange(area_id, data, existing_office.pk if existing_office else None, tuple(connections)),
    )
    connected = f"kopplas till {len(connections)} organisation{'er' if len(connections) != 1 else ''}" if connections else ""
    # The portal assigns the numbers; a file exported from another system has other ones.
    new = "Nytt kontor, som får ett nytt Kontorsid" if row.get("office_number") else "Nytt kontor"
    row.summary = ", ".join(part for part in (new if existing_office is None else "Finns redan", connected) if part)
