"""The cells of a row of cards as values. Each fault is recorded at its column."""

import datetime as dt
from collections.abc import Iterator, Mapping

from issuance.carriers.models import FIVE_YEARS
from issuance.imports.domain import CardStatus
from issuance.imports.services.carrier_rows import CardCells, NamedCertificate, PlannedCarrierRow
from issuance.records.domain.ids import parse_card_serial, parse_mifare_id
from issuance.revocation.domain import SWEDISH, SYSTEM_REASONS, RevocationReason
from siths_portal.lib import clock

PROFILES: Mapping[str, tuple[str, str]] = {
    "eid_auth": ("person-hsaid-auth", "eid_issuer"),
    "eid_sign": ("person-hsaid-sign", "eid_issuer"),
    "person_auth": ("person-id-auth", "person_issuer"),
    "person_sign": ("person-id-sign", "person_issuer"),
}
"""For each column with a serial number the certificate's profile, and the column with its issuer."""

_REASONS = {text.casefold(): reason for reason, text in SWEDISH.items() if reason not in SYSTEM_REASONS}
_STATUS = {status.casefold(): status for status in CardStatus}
_YEARS = range(1990, 2100)
_BOUND = "Den ska ligga mellan kortets första och sista dag."


def read(row: PlannedCarrierRow) -> CardCells | None:
    """Returns the row's values, or None after recording what is wrong."""
    serial, mifare_id = _serial(row), _mifare_id(row)
    for field, missing in (("article", "Ange artikelns kod."), ("hsa_id", "Ange innehavarens tjänste-id.")):
        if not row.get(field) and field not in row.errors:
            row.refuse(field, missing)
    status = _status(row)
    valid_from, valid_to = _period(row)
    certificates = tuple(_certificates(row))
    if row.errors or status is None or valid_from is None or valid_to is None:
        return None
    ended_at, reason = _ended(row, status, valid_from, valid_to)
    eid_from, eid_to, activated_at = _eid_period(row, valid_from, valid_to)
    if row.errors:
        return None
    return CardCells(
        card_serial=serial,
        mifare_id=mifare_id,
        article=row.get("article").upper(),
        organisation=row.get("organisation").upper(),
        office="".join(row.get("office").split()),
        hsa_id=row.get("hsa_id").upper(),
        status=status,
        valid_from=valid_from,
        valid_to=valid_to,
        ended_at=ended_at,
        reason=reason,
        eid_valid_from=eid_from,
        eid_valid_to=eid_to,
        activated_at=activated_at,
        certificates=certificates,
    )


def _day(row: PlannedCarrierRow, field: str) -> dt.date | None:
    """Returns the day in a cell; None if it is empty or has none, which is an error."""
    day = row.day(field)
    if day is not None and day.year not in _YEARS:
        row.refuse(field, "Kontrollera årtalet.")
        return None
    return day


def _serial(row: PlannedCarrierRow) -> str:
    try:
        return parse_card_serial(row.get("card_serial"))
    except ValueError:
        if "card_serial" not in row.errors:
            row.refuse("card_serial", "Skriv kortserienumret med 19 siffror.")
        return ""


def _mifare_id(row: PlannedCarrierRow) -> str:
    try:
        return parse_mifare_id(row.get("mifare_id")) if row.get("mifare_id") else ""
    except ValueError:
        row.refuse("mifare_id", "Skriv 1 till 10 bokstäver eller siffror.")
        return ""


def _status(row: PlannedCarrierRow) -> CardStatus | None:
    text = row.get("status")
    status = _STATUS.get(text.casefold()) if text else CardStatus.ACTIVE
    if status is None:
        row.refuse("status", f"Skriv {CardStatus.ACTIVE}, {CardStatus.REVOKED} eller {CardStatus.EXPIRED}.")
    for field in ("ended", "reason"):
        if row.get(field) and status not in (None, CardStatus.REVOKED):
            row.refuse(field, f"Lämna cellen tom, eller skriv {CardStatus.REVOKED} under Status.")
    return status


def _period(row: PlannedCarrierRow) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Returns the card's first moment and its end, which is exclusive and at most five years later (Digg K6.5)."""
    first, last = _day(row, "valid_from"), _day(row, "valid_to")
    for field, day in (("valid_from", first), ("valid_to", last)):
        if day is None and field not in row.errors:
            row.refuse(field, "Skriv ett datum, till exempel 2026-11-25.")
    if first is None or last is None:
        return None, None
    begin, end = clock.start_of_day(first), clock.start_of_day(last)
    if end <= begin:
        row.refuse("valid_to", "Skriv en dag efter kortets första dag.")
    elif end > begin + FIVE_YEARS:
        row.refuse("valid_to", "Ett kort gäller högst 5 år. Kontrollera båda dagarna.")
    return begin, min(clock.end_of_day(last) or end, begin + FIVE_YEARS)


def _ended(
    row: PlannedCarrierRow, status: CardStatus, valid_from: dt.datetime, valid_to: dt.datetime
) -> tuple[dt.datetime | None, RevocationReason | None]:
    """Returns when and why the card ended. A status that does not agree with the days is recorded as wrong."""
    now = clock.now()
    if status is CardStatus.EXPIRED and valid_to > now:
        row.refuse("status", "Kortets sista dag har inte passerat.")
    if status is CardStatus.ACTIVE and valid_to <= now:
        row.refuse("status", f"Kortets sista dag har passerat. Skriv {CardStatus.EXPIRED}.")
    if status is not CardStatus.REVOKED:
        return (valid_to, None) if status is CardStatus.EXPIRED else (None, None)
    day = _day(row, "ended")
    reason = _REASONS.get(row.get("reason").casefold()) if row.get("reason") else RevocationReason.OTHER
    if reason is None:
        row.refuse("reason", "Skriv orsaken som i portalen, till exempel Förlorat eller stulet.")
    if day is None:
        if "ended" not in row.errors:
            row.refuse("ended", "Skriv dagen då kortet spärrades.")
        return None, None
    moment = clock.start_of_day(day)
    if not valid_from <= moment <= min(now, valid_to):
        row.refuse("ended", f"{_BOUND} Dagen får inte ligga i framtiden.")
    return moment, reason


def _eid_period(
    row: PlannedCarrierRow, valid_from: dt.datetime, valid_to: dt.datetime
) -> tuple[dt.datetime, dt.datetime, dt.datetime]:
    """Returns first moment, end and activation of the row's eID, each within the card's days."""
    first, last, activated = _day(row, "eid_valid_from"), _day(row, "eid_valid_to"), _day(row, "activated")
    begin = clock.start_of_day(first) if first else valid_from
    end = min(clock.end_of_day(last) or valid_to, begin + FIVE_YEARS) if last else valid_to
    moment = clock.start_of_day(activated) if activated else begin
    if not valid_from <= begin < valid_to:
        row.refuse("eid_valid_from", _BOUND)
    if not begin < end <= valid_to:
        row.refuse("eid_valid_to", "Skriv en dag efter den första, senast kortets sista dag.")
    if not begin <= moment < end or moment > clock.now():
        row.refuse("activated", "Skriv en dag då SITHS eID gällde, som inte ligger i framtiden.")
    return begin, end, moment


def _certificates(row: PlannedCarrierRow) -> Iterator[NamedCertificate]:
    for field, (profile, issuer) in PROFILES.items():
        if row.get(field):
            if not row.get(issuer) and issuer not in row.errors:
                row.refuse(issuer, "Skriv namnet på certifikatutfärdaren.")
            yield NamedCertificate(profile, field, row.get(issuer), "".join(row.get(field).replace(":", "").split()))
