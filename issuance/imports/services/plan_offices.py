"""Rows of offices: which are there, which will be made, and which organisations will be connected with them."""

from dataclasses import asdict
from uuid import UUID

from issuance.authz import Action
from issuance.imports.services.known import Known, Place, ids_in
from issuance.imports.services.lines import ENDED, MISSING, OfficeStep, PlannedRow, Ref, RowOutcome
from issuance.offices.models import Office
from issuance.offices.services import OfficeAddress, OfficeData
from siths_portal.lib.errors import Invalid

_ADDRESS = tuple(asdict(OfficeAddress()))


def plan(lines: list[PlannedRow], known: Known) -> None:
    """Says what becomes of the lines; organisations have been planned."""
    numbered = {office.office_number: office for office in known.offices}
    named: dict[tuple[UUID, str], list[Office]] = {}
    for office in known.offices:
        if office.closed_at is None:
            named.setdefault((office.area_id, office.name.upper()), []).append(office)
    seen: set[tuple[UUID, str]] = set()
    for line in lines:
        data = _checked(line)
        there = numbered.get(line.row.get("office_number"))
        area = known.area(line.row.get("area"))
        _require_area(line, area)
        if data is None or line.wrong:
            continue
        if there is not None:
            _numbered(line, there, data, known)
            continue
        if line.row.get("office_number") and (area is None or Action.EDIT_OFFICE not in area.rights):
            line.refuse("office_number", f"Kontoret {MISSING} Lämna cellen tom för ett nytt kontor.")
        if area is None or area.pk is None or line.wrong:
            continue
        key = (area.pk, data.name.upper())
        if key in seen:
            line.refuse("name", "Kontoret står på flera rader. Ta bort den ena.")
        elif key in named:
            _named(line, named[key], data, known)
        elif Action.EDIT_OFFICE not in area.rights:
            line.refuse("area", "Din behörighetsroll tillåter inte att du skapar kontor i utgivningsområdet.")
        else:
            _plan(line, RowOutcome.MAKE, area.pk, data, None, known)
        seen.add(key)


def _require_area(line: PlannedRow, area: Place | None) -> None:
    """Notes that there is no area. That of an office with its number is only compared: it may lie above the actor's reach."""
    if not line.row.get("area"):
        if "area" not in line.wrong:
            line.refuse("area", "Ange utgivningsområdets namn.")
    elif area is None and not line.row.get("office_number"):
        line.refuse("area", f"Utgivningsområdet {MISSING} För ett kontor som redan finns räcker det att ange Kontorsid.")


def _checked(line: PlannedRow) -> OfficeData | None:
    """The line's own data in normal form; None after noting what is wrong with it."""
    row = line.row
    try:
        address = OfficeAddress(**{name: row.get(name) for name in _ADDRESS})
        return OfficeData(row.get("name"), row.get("invoice_comment"), address).checked()
    except Invalid as error:
        line.take(error, field="name")
        return None


def _numbered(line: PlannedRow, there: Office, data: OfficeData, known: Known) -> None:
    """Compares the line with the office of its number. Only who sees the office's page is shown another address."""
    for name, value in data.columns.items():
        kept = getattr(there, name)
        line.differs(name, value, kept, None if name in _ADDRESS and there.pk in known.beyond else kept)
    if there.area.name.upper() != line.row.get("area").upper():
        line.refuse("area", "Kontoret hör till ett annat utgivningsområde.")
    if there.closed_at is not None:
        line.refuse("office_number", "Kontoret är stängt.")
    if not line.wrong:
        _plan(line, RowOutcome.CONNECT, there.area_id, data, there, known)


def _named(line: PlannedRow, there: list[Office], data: OfficeData, known: Known) -> None:
    """Takes the office of that name that is alike, since the same file may come twice."""
    alike = [office for office in there if all(getattr(office, name) == value for name, value in data.columns.items())]
    if not alike:
        line.refuse("name", "Det finns redan ett kontor med namnet, men med andra uppgifter. Ändra det på kontorets sida.")
        return
    _plan(line, RowOutcome.CONNECT, alike[0].area_id, data, alike[0], known)


def _plan(line: PlannedRow, outcome: RowOutcome, area_id: UUID, data: OfficeData, there: Office | None, known: Known) -> None:
    """The step of a line that is not wrong in itself: an office that is there already is only connected."""
    wanted = []
    for key in ids_in(line.row.get("organisations")):
        place = known.places.get(key)
        if place is None:
            line.refuse("organisations", f"Organisationen {key} {MISSING}")
        elif place.area_id != area_id:
            line.refuse("organisations", f"Organisationen {key} ligger i ett annat utgivningsområde.")
        elif there is not None and (there.pk, place.pk) in known.connected:
            continue
        elif place.ended:
            line.refuse("organisations", f"Organisationen {key} {ENDED}")
        elif Action.LINK_OFFICE not in place.rights:
            line.refuse("organisations", f"Din behörighetsroll tillåter inte att du kopplar kontor till organisationen {key}.")
        else:
            wanted.append(Ref(key, place.pk))
    if line.wrong:
        return
    line.bound = (str(area_id), str(there.pk if there else ""), *(str(ref.pk or ref.key) for ref in wanted))
    if there is not None and not wanted:
        line.told = "Finns redan"
        return
    line.outcome, line.step = outcome, OfficeStep(area_id, data, there.pk if there else None, tuple(wanted))
    connected = f"kopplas till {len(wanted)} organisation{'er' if len(wanted) != 1 else ''}" if wanted else ""
    # The portal gives the numbers: a file that was exported elsewhere names others.
    new = "Nytt kontor, som får ett nytt Kontorsid" if line.row.get("office_number") else "Nytt kontor"
    line.told = ", ".join(part for part in (new if there is None else "Finns redan", connected) if part)
