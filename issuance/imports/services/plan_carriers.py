"""The plan of a file of cards from an earlier portal, for the preview and again for the execution (rules/issuance 7.12)."""

from collections.abc import Sequence
from uuid import UUID

from cryptography import x509
from cryptography.x509.oid import NameOID

from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import HSA_PROFILES, of_article
from issuance.carriers.models import Carrier
from issuance.imports.domain import CARDS, CARRIER_TABLES, CardStatus
from issuance.imports.services import carrier_cells
from issuance.imports.services.carrier_rows import (
    CardCells,
    CarrierChange,
    CarrierPlan,
    CertificateChange,
    EidChange,
    NamedCertificate,
    PlannedCarrierRow,
)
from issuance.imports.services.existing_carriers import ExistingCards, existing_cards
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from pki import service as pki
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.imports.planning import RowOutcome
from siths_portal.lib.imports.reading import ImportedRow

type Line = tuple[PlannedCarrierRow, CardCells]
type Taken = dict[UUID, tuple[PlannedCarrierRow, str]]
"""The row and column that named each certificate first."""

_REVOKED = "revoked"


def plan(actor: Actor, rows: Sequence[ImportedRow]) -> CarrierPlan:
    """Returns the plan of the rows. The number of queries does not depend on the number of rows (S11)."""
    planned = [PlannedCarrierRow(row, CARRIER_TABLES[CARDS]) for row in rows]
    lines = [(row, cells) for row in planned if (cells := carrier_cells.read(row)) is not None]
    existing = existing_cards(actor, [cells for _row, cells in lines])
    cards: dict[str, list[Line]] = {}
    for line in lines:
        cards.setdefault(line[1].card_serial, []).append(line)
    taken: Taken = {}
    for of_card in cards.values():
        _plan_card(of_card, existing, taken)
    return CarrierPlan(planned)


def _plan_card(lines: Sequence[Line], existing: ExistingCards, taken: Taken) -> None:
    """Sets the outcome of all rows of one card."""
    first_row, cells = lines[0]
    carrier = existing.carriers.get(cells.card_serial)
    eids: list[EidChange] = []
    for row, of_row in lines:
        if of_row.of_card != cells.of_card:
            row.refuse("card_serial", f"Kortet har andra uppgifter på rad {first_row.row.number}. Skriv samma på båda raderna.")
        if any(of_row.hsa_id == other.post.hsa_id.upper() for other in eids):
            row.refuse("hsa_id", "Kortet och tjänste-id:t finns på två rader. Ta bort den ena.")
        post = _post(row, of_row, existing, eids)
        _require_places(row, of_row, existing)
        certificates = _certificates(row, of_row, post, carrier, existing, taken) if post else ()
        if post is not None and not row.errors:
            eid = existing.eids.get((carrier.pk, of_row.hsa_id)) if carrier else None
            period = (of_row.eid_valid_from, of_row.eid_valid_to, of_row.activated_at)
            eids.append(EidChange(post, *period, certificates, eid.pk if eid else None))
    if any(row.errors for row, _cells in lines):
        return
    organisation, office = _organisation(cells, eids, existing), existing.offices.get(cells.office)
    if office is not None and office.area_id != organisation.area_id:
        first_row.refuse("office", "Kontoret hör till ett annat utgivningsområde än kortets organisation.")
        return
    change = CarrierChange(cells, existing.articles[cells.article], organisation, office, tuple(eids), carrier)
    if carrier is None:
        _plan_new(lines, change)
    else:
        _plan_known(lines, change, carrier, existing)


def _post(row: PlannedCarrierRow, cells: CardCells, existing: ExistingCards, before: Sequence[EidChange]) -> Post | None:
    """Returns the holder's assignment. Hidden and missing people get the same error."""
    post = existing.posts.get(cells.hsa_id)
    if post is None:
        row.refuse("hsa_id", "Personen finns inte, eller så ligger den utanför din behörighet. Läs in HSA-katalogen först.")
    elif before and before[0].post.person_id != post.person_id:
        row.refuse("hsa_id", "Kortets andra rad har en annan innehavare. Ett kort hör till en person.")
    return post


def _require_places(row: PlannedCarrierRow, cells: CardCells, existing: ExistingCards) -> None:
    if cells.organisation and cells.organisation not in existing.organisations:
        row.refuse("organisation", "Organisationen finns inte, eller så ligger den utanför din behörighet. Kontrollera värdet.")
    if cells.office and cells.office not in existing.offices:
        row.refuse("office", "Kontoret finns inte, eller så ligger det utanför din behörighet. Skriv Kontorsid med 10 siffror.")
    if cells.article not in existing.articles:
        row.refuse("article", "Artikeln finns inte i portalen. Kontrollera koden på sidan Artiklar.")


def _organisation(cells: CardCells, eids: Sequence[EidChange], existing: ExistingCards) -> Organisation:
    return existing.organisations[cells.organisation] if cells.organisation else eids[0].post.organisation


def _certificates(
    row: PlannedCarrierRow,
    cells: CardCells,
    post: Post,
    carrier: Carrier | None,
    existing: ExistingCards,
    taken: Taken,
) -> tuple[CertificateChange, ...]:
    """Returns the certificates to connect. Those that the card has already are left out."""
    found = []
    for named in cells.certificates:
        issuer = existing.issuer(named.issuer)
        view = existing.certificate(named)
        if issuer is None:
            row.refuse(_issuer_field(named), "Certifikatutfärdaren finns inte i portalen. Skriv namnet (CN) i dess certifikat.")
        elif view is None:
            row.refuse(
                named.field,
                "Utfärdaren har inget certifikat med serienumret. Läs in utfärdarens certifikat först, eller lämna cellen tom.",
            )
        elif (first := taken.setdefault(view.id, (row, named.field))) != (row, named.field):
            if not _is_same_pair(first, row, named):
                row.refuse(named.field, f"Certifikatet finns också på rad {first[0].row.number}.")
        elif (owner := existing.owners.get(view.id)) is not None:
            if carrier is None or owner != carrier.pk:
                row.refuse(named.field, "Certifikatet hör redan till ett annat kort.")
        elif fault := _fault(named, view, cells, post, existing):
            row.refuse(named.field, fault)
        else:
            found.append(CertificateChange(view.id, named.profile, _is_of_eid(named)))
    return tuple(found)


def _is_same_pair(first: tuple[PlannedCarrierRow, str], row: PlannedCarrierRow, named: NamedCertificate) -> bool:
    """Returns whether another row of the same card has already named its certificate with person-id."""
    one, other = ("".join(each.get("card_serial").split()) for each in (first[0], row))
    return one == other and first[1] == named.field and not _is_of_eid(named)


def _is_of_eid(named: NamedCertificate) -> bool:
    return named.profile in HSA_PROFILES


def _issuer_field(named: NamedCertificate) -> str:
    return carrier_cells.PROFILES[named.field][1]


def _fault(named: NamedCertificate, view: pki.CertificateView, cells: CardCells, post: Post, existing: ExistingCards) -> str:
    """Returns why the certificate cannot be this card's, or an empty text."""
    if view.profile:
        return "Certifikatet är utfärdat i portalen, för ett kort som är beställt här."
    owners = {cells.hsa_id} if _is_of_eid(named) else existing.numbers.get(post.person_id, set())
    if (identity := _identity(view)) and identity.upper() not in owners:
        return "Certifikatet är utfärdat till någon annan."
    revoked = view.status == _REVOKED
    if revoked and cells.status is CardStatus.ACTIVE:
        return "Certifikatet är spärrat, men kortet är aktivt. Kontrollera kortets status."
    if not revoked and cells.status is CardStatus.REVOKED and view.not_after > (cells.ended_at or view.not_after):
        return "Kortet är spärrat, men inte certifikatet. Skriv Aktiv, läs in kortet och spärra det i portalen."
    return ""


def _identity(view: pki.CertificateView) -> str:
    """Returns the identity in the certificate's subject; empty if the portal knows only its serial number."""
    if not view.der:
        return ""
    try:
        names = x509.load_der_x509_certificate(view.der).subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    except UNREADABLE:
        return ""
    return str(names[0].value) if names else ""


def _plan_new(lines: Sequence[Line], change: CarrierChange) -> None:
    row, cells = lines[0]
    row.change = change
    kind = of_article(change.article.kind).name
    until = wording.last_day(cells.valid_to)
    certificates = sum(len(eid.certificates) for eid in change.eids)
    row.summary = (
        f"{kind}, {cells.status.lower()}, till {until}, i {change.organisation.name}{_at(change.office)}. "
        f"SITHS eID: {len(change.eids)}. Certifikat: {certificates}"
    )
    for each, of_row in lines:
        each.outcome = RowOutcome.CREATE
        each.uncertified = of_row.status is CardStatus.ACTIVE and not any(map(_is_of_eid, of_row.certificates))
        each.summary = each.summary or f"SITHS eID på kortet på rad {row.row.number}"
    row.depends_on = _rests_on(change)


def _at(office: Office | None) -> str:
    return f", {office.name}" if office else ""


def _plan_known(lines: Sequence[Line], change: CarrierChange, carrier: Carrier, existing: ExistingCards) -> None:
    """Sets the outcome for a card that the portal has: the same, with further certificates, or wrong."""
    row, cells = lines[0]
    if carrier.origin != "migrated" or carrier.person_id != change.eids[0].post.person_id:
        row.refuse("card_serial", "Kortserienumret hör redan till ett annat kort.")
        return
    row.differs("article", cells.article, (carrier.article_id or "").upper(), carrier.article_id)
    row.differs("organisation", cells.organisation, carrier.organisation.hsa_id.upper(), carrier.organisation.hsa_id)
    row.differs("office", cells.office, carrier.office.office_number if carrier.office else "", None)
    row.differs("mifare_id", cells.mifare_id, carrier.mifare_id.upper(), carrier.mifare_id)
    row.differs("valid_from", cells.valid_from, carrier.valid_from, str(wording.day(carrier.valid_from)))
    row.differs("valid_to", cells.valid_to, carrier.valid_to, str(wording.last_day(carrier.valid_to)))
    for each, of_row in lines:
        if (carrier.pk, of_row.hsa_id) not in existing.eids:
            each.refuse("hsa_id", "Kortet finns redan, utan SITHS eID för tjänste-id:t.")
    certificates = sum(len(eid.certificates) for eid in change.eids)
    if certificates and carrier.state != CarrierState.ACTIVE:
        row.refuse("card_serial", "Kortet är inte längre aktivt, så inga certifikat kan kopplas till det.")
    if any(each.errors for each, _cells in lines):
        return
    row.summary = "Finns redan"
    if certificates:
        row.outcome, row.change = RowOutcome.CHANGE, change
        row.summary = f"Finns redan. Certifikat som kopplas: {certificates}"
    row.depends_on = _rests_on(change)


def _rests_on(change: CarrierChange) -> tuple[str, ...]:
    """Returns the ids on which the change rests, for the hash of the preview."""
    certificates = [str(each.certificate_id) for eid in change.eids for each in eid.certificates]
    carrier = [f"{change.carrier.pk} {change.carrier.state}"] if change.carrier else []
    office = [str(change.office.pk)] if change.office else []
    return (*carrier, str(change.organisation.pk), *office, *(str(eid.post.pk) for eid in change.eids), *certificates)
