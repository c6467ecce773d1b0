"""Organisations and people that the demo's HSA directory has and the portal lacks. A visitor can set up a new area with them.

The portal reads such a person from the directory when somebody gives the person a role (ADR 0196). All people are synthetic.
"""

from dataclasses import dataclass

from issuance.people.ports import DirectoryPost, PersonKey, RegisteredAddress, RegisterPerson
from siths_portal.demo.people import MOST, DemoPerson, person_id_of

AREA = "Region Ost"
FIRST = MOST + 1_000
"""The number of the first of these people, after all other demo people."""

_ADDRESS = RegisteredAddress(("Provgränd 4",), "123 45", "Demostad", "SE")


@dataclass(frozen=True)
class NewPlace:
    """An organisation to create. `parent` is the HSA-id of its parent, or ""."""

    hsa_id: str
    name: str
    organisation_number: str
    domain: str
    parent: str = ""


@dataclass(frozen=True)
class NewOffice:
    """An office to create. `of` has the names of the organisations that use it."""

    name: str
    invoice_comment: str
    of: tuple[str, ...]


REGION = NewPlace("TST2321000172-1000", "Region Ost", "232100-0172", "ost.example.org")
PLACES = (
    REGION,
    NewPlace("TST2120001991-1000", "Ekköpings kommun", "212000-1991", "ekkoping.example.org"),
    NewPlace("TST2120002981-1000", "Lindby kommun", "212000-2981", "lindby.example.org"),
    NewPlace("TST2321000172-1004", "Ost Privat Vård", "556677-8899", "ostprivat.example.org", parent=REGION.hsa_id),
)
OFFICES = (
    NewOffice("Regionens kortkontor (70)", "Kortkontor Ost", ("Region Ost", "Ost Privat Vård")),
    NewOffice("Ekköping (71)", "Ekköping", ("Ekköpings kommun",)),
    NewOffice("Lindby (72)", "Lindby", ("Lindby kommun",)),
)
ARTICLES = ("631 Liggande kort utan foto", "677 Liggande kort med foto")
_ORDER = (
    "Förvaltningsadministratören utser också den ansvariga utgivaren och registrerar utbildning och personkontroll.",
    "Den ansvariga utgivaren loggar sedan in, väljer den generella kortanpassningen tills vidare, ger de andra sina roller",
    "och registrerar utbildning och personkontroll för dem. Nästa steg på områdets sida visar vad som saknas.",
)
_CHECK = (
    "Anställda där, utan roll, att beställa kort åt när allt är klart. Ingen beställer åt sig själv. Organisationens",
    "ID-administratör (i Region Ost den biträdande utgivaren) söker på hela personnumret under Sök person: då hämtas personen",
    "ur katalogen, och kortet kan beställas. Ett foto att ladda upp är portratt.jpg, bredvid den här filen:",
)
_NAMES = (
    (REGION, "Frida", "Ekblad", "Ansvarig utgivare"),
    (REGION, "Göran", "Lilja", "Biträdande utgivare"),
    (PLACES[1], "Hedvig", "Wiklund", "ID-administratör"),
    (PLACES[2], "Ivar", "Sundin", "ID-administratör"),
    (PLACES[3], "Karin", "Asplund", "ID-administratör"),
)
_EMPLOYEES = (
    (REGION, "Lars", "Granat"),
    (PLACES[1], "Maja", "Bergvik"),
    (PLACES[2], "Nils", "Tallmo"),
    (PLACES[3], "Olga", "Strandh"),
)


@dataclass(frozen=True)
class Newcomer:
    """A person with the organisation of the assignment, and the role that the guide suggests, or ""."""

    place: NewPlace
    person: DemoPerson
    role: str


def newcomers() -> list[Newcomer]:
    """Returns the people who are to get roles, those of the region first."""
    return [_newcomer(FIRST + number, *name) for number, name in enumerate(_NAMES)]


def employees() -> list[Newcomer]:
    """Returns one person of each organisation without a role, to order a card for, since nobody may order their own."""
    return [_newcomer(FIRST + len(_NAMES) + number, *name, "") for number, name in enumerate(_EMPLOYEES)]


def _newcomer(index: int, place: NewPlace, given: str, surname: str, role: str) -> Newcomer:
    person_id = person_id_of(index)
    key = PersonKey(person_id.kind.value, person_id.value)
    register = RegisterPerson(given, given, surname, False, False, False, _ADDRESS)
    post = DirectoryPost(
        hsa_id=f"{place.hsa_id.split('-')[0]}-{place.hsa_id.split('-')[1][-2:]}N{index:06X}",
        organisation_hsa_id=place.hsa_id,
        person=key,
        given_name=given,
        surname=surname,
        title="Handläggare",
        mail=f"handlaggare{index}@{place.domain}",
        upn=f"handlaggare{index}@ad.{place.domain}",
    )
    return Newcomer(place, DemoPerson(index, person_id, register, (post,)), role)


def guide() -> list[str]:
    """Returns the lines of `var/demo/guide.txt` about these organisations and people."""
    heading = f"Ett nytt utgivningsområde att sätta upp, {AREA} (logga in som Förvaltningsadministratör, välj Administrera):"
    lines = ["", heading, ""]
    names = {place.hsa_id: place.name for place in PLACES}
    for place in PLACES:
        above = f", under {names[place.parent]}" if place.parent else ", med abonnemangsavgift"
        lines.append(f"  {place.name}: organisationsnummer {place.organisation_number}, HSA-id {place.hsa_id}{above}")
    lines += ["", "Kontor där:", ""]
    for office in OFFICES:
        lines.append(f"  {office.name}, fakturakommentar {office.invoice_comment}, för {' och '.join(office.of)}")
    lines += ["", f"Artiklar för alla: {' och '.join(ARTICLES)}"]
    lines += ["", *_ORDER]
    lines += ["", "Personer där, som kan få roller och sedan logga in med den simulerade legitimeringen:", ""]
    lines += [_line(one, f"{one.role} i {one.place.name}") for one in newcomers()]
    lines += ["", *_CHECK, ""]
    return lines + [_line(one, one.place.name) for one in employees()]


def _line(one: Newcomer, text: str) -> str:
    value, register = one.person.person_id.value, one.person.register
    return f"  {value[:8]}-{value[8:]}  {register.given_name_in_use} {register.surname}, {text}"
