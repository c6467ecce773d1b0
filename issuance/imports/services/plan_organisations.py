"""Rows of organisations: which are there, which will be made, and in which order, since one may lie below another of the file."""

from collections import deque

from issuance.authz import Action
from issuance.imports.domain import GENERIC, NO, OWN, SAME_AS_ABOVE, YES
from issuance.imports.services.known import Known, Place
from issuance.imports.services.lines import ENDED, MISSING, OrganisationStep, PlannedRow, Ref, RowOutcome
from issuance.organisations.models import Organisation
from issuance.organisations.services.organisations import Making, OrganisationData
from issuance.organisations.services.tree import require_room, segment
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id

_SEGMENT = len(segment("o", new_id())) + 1
_NO_RIGHT = "Din behörighetsroll tillåter inte att du skapar en organisation här."
_OF_SUB = "Underorganisationer räknas med den organisation som de ligger under. Lämna cellen tom."


def plan(lines: list[PlannedRow], known: Known) -> list[PlannedRow]:
    """Says what becomes of the lines; returns those of new organisations, each after the one above it.

    What will be made is a place from then on, for the lines of other tables too.
    """
    waiting = _waiting(lines, known)
    below: dict[str, list[PlannedRow]] = {}
    for line in waiting.values():
        below.setdefault(_above(line), []).append(line)
    ready = deque(line for line in waiting.values() if _above(line) not in waiting)
    order: list[PlannedRow] = []
    failed = {key for key, line in waiting.items() if line.wrong}
    while ready:
        line = ready.popleft()
        key = _key(line)
        del waiting[key]
        if _above(line) in failed:
            line.refuse("parent", "Raden för organisationen ovanför är fel. Rätta den först.")
        elif key not in failed:
            _new(line, known)
        if line.outcome is RowOutcome.MAKE:
            order.append(line)
        else:
            failed.add(key)
        ready.extend(below.get(key, ()))
    for line in waiting.values():
        line.refuse("parent", "Organisationen ligger under sig själv. Rätta kolumnen i en av raderna.")
    return order


def _key(line: PlannedRow) -> str:
    return line.row.get("hsa_id").upper()


def _above(line: PlannedRow) -> str:
    return line.row.get("parent").upper()


def _waiting(lines: list[PlannedRow], known: Known) -> dict[str, PlannedRow]:
    """The first line of each organisation that is not there, by its key. The others get what becomes of them."""
    found: dict[str, PlannedRow] = {}
    seen: set[str] = set()
    for line in lines:
        key = _key(line)
        if not key:
            _checked(line)  # says that it is missing, and what else is wrong
        elif key in seen:
            line.refuse("hsa_id", "HSA-id står på flera rader. Ta bort den ena.")
        elif key in known.organisations:
            _there(line, known.organisations[key], known)
        elif key in known.taken:
            line.refuse("hsa_id", "HSA-id tillhör redan en annan organisation. Kontrollera HSA-id i katalogen.")
        else:
            found[key] = line
        seen.add(key)
    return found


def _there(line: PlannedRow, there: Organisation, known: Known) -> None:
    """Compares the line with an organisation that is there."""
    data = _checked(line)
    if data is None:
        return
    for name in ("name", "organisation_number", "country", "county"):
        line.differs(name, getattr(data, name), getattr(there, name), getattr(there, name))
    line.differs("area", line.row.get("area").upper(), there.area.name.upper(), there.area.name)
    above = there.parent.hsa_id if there.parent else ""
    line.differs("parent", _above(line), above.upper(), above)
    issuing = there.area.issuing_organisation_id == there.pk
    line.differs("issuing", line.yes("issuing"), issuing, YES if issuing else NO)
    if there.parent_id is None:  # without a decided fee, none is charged
        charged = known.charged.get(there.pk, False)
        line.differs("charged", line.yes("charged"), charged, YES if charged else NO)
    elif line.yes("charged") is not None:
        line.refuse("charged", _OF_SUB)
    line.differs("customisation", line.row.get("customisation"), customisation_word(there), customisation_word(there))
    if there.closed_at is not None:
        line.refuse("hsa_id", f"Organisationen {ENDED}")
    line.told, line.bound = "Finns redan", (str(there.pk),)


def customisation_word(row: Organisation) -> str:
    """What a file says of an organisation's card customisation, which is read."""
    if row.customisation is None:
        return SAME_AS_ABOVE
    return GENERIC if row.customisation.generic else OWN


def _checked(line: PlannedRow) -> OrganisationData | None:
    """The line's own data in normal form; None after noting what is wrong with it."""
    row = line.row
    typed = {name: row.get(name) for name in ("name", "hsa_id", "organisation_number", "county")}
    try:
        return OrganisationData(**typed, country=row.get("country") or "SE").checked()
    except Invalid as error:
        line.take(error, field="hsa_id")
        return None


def _new(line: PlannedRow, known: Known) -> None:
    """What becomes of an organisation that is not there."""
    data = _checked(line)
    above = _place(line, known)
    issuing, charged = line.yes("issuing") or False, line.yes("charged")
    _require_consistent(line, known, issuing=issuing, charged=charged)
    word = line.row.get("customisation").casefold()
    generic = word == GENERIC.casefold() and bool(_above(line))
    if above is None or data is None or line.wrong:
        return
    if issuing and known.issuers.get(above.pk) is not None:  # type: ignore[arg-type]  # an area, since no sub-organisation issues
        line.refuse("issuing", "Utgivningsområdet har redan en utgivande organisation. Byt den på utgivningsområdets sida.")
        return
    try:
        require_room(above.length + _SEGMENT)
    except Conflict as error:
        line.take(error, field="parent")
        return
    if issuing:
        known.issuers[above.area_id] = new_id()  # the next one of the file is one too many
    key, parent = _key(line), _above(line)
    known.places[key] = Place(
        None, data.name, above.area_id, above.area_name, above.scope_path, above.length + _SEGMENT, above.rights
    )
    ref, making = Ref(parent, above.pk) if parent else None, Making(issuing, charged, generic)
    line.outcome = RowOutcome.MAKE
    line.step = OrganisationStep(key, above.area_id, ref, data, making, line.row.catalogue)
    line.told = f"Ny organisation under {above.name}" if parent else f"Ny organisation i {above.area_name}"
    if word not in ("", SAME_AS_ABOVE.casefold()) and not generic:
        line.told += ". Kortanpassningen läses inte in: den väljs på organisationens sida"
    line.bound = (str(above.pk or parent),)


def _place(line: PlannedRow, known: Known) -> Place | None:
    """Where a new organisation comes, which the actor may put it to; None after noting what is wrong."""
    if above := _above(line):
        place = known.places.get(above)
        if place is None:
            line.refuse("parent", f"Organisationen {MISSING}")
        elif place.ended:
            line.refuse("parent", f"Organisationen {ENDED}")
        elif Action.CREATE_SUB_ORGANISATION not in place.rights:
            line.refuse("parent", _NO_RIGHT)
        elif line.row.get("area").upper() not in ("", place.area_name.upper()):
            line.refuse("area", "Organisationen ovanför ligger i ett annat utgivningsområde.")
        return place
    place = known.area(line.row.get("area"))
    if not line.row.get("area"):
        line.refuse("area", "Ange utgivningsområdets namn, eller organisationen ovanför.")
    elif place is None:
        line.refuse("area", f"Utgivningsområdet {MISSING}")
    elif Action.CREATE_ORGANISATION not in place.rights:
        line.refuse("area", _NO_RIGHT)
    return place


def _require_consistent(line: PlannedRow, known: Known, *, issuing: bool, charged: bool | None) -> None:
    """Notes what does not go with where a new organisation lies."""
    customisation = line.row.get("customisation").casefold()
    if customisation not in ("", SAME_AS_ABOVE.casefold(), GENERIC.casefold(), OWN.casefold()):
        line.refuse("customisation", f"Skriv {GENERIC} eller lämna cellen tom. SITHS-förvaltningen skapar egna kortanpassningar.")
    if _above(line):
        if issuing:
            line.refuse("issuing", "En underorganisation kan inte vara utgivande organisation.")
        if charged is not None:
            line.refuse("charged", _OF_SUB)
        if customisation == GENERIC.casefold() and not known.generic:
            line.refuse("customisation", "Det finns ingen generell kortanpassning än. Förvaltningen skapar den.")
        return
    if charged is None and "charged" not in line.wrong:
        line.refuse("charged", "Skriv Ja eller Nej.")
