"""Validates the rows of an HSA directory file for staging. Error texts contain no personal data."""

import datetime as dt
import re
import unicodedata
import uuid
from collections.abc import Mapping

from issuance.people.ports_files import FileRow
from issuance.people.services.people import sort_name
from issuance.records.domain.ids import PersonId, PersonIdKind, parse_hsa_id, parse_swedish_number
from siths_portal.lib import clock
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.row_faults import RowFault

COLUMNS = (
    "line", "problem", "field", "hsa_id", "hsa_upper", "kind", "value", "synthetic", "given_name", "surname", "sort_name",
    "title", "mail", "upn", "valid_to", "protected", "protection_told", "organisation_id", "organisation_hsa", "new_person_id",
    "new_post_id",
)  # fmt: skip
"""The columns of the staging table, in the order of `staged`."""

PROBLEMS: Mapping[str, str] = {
    "malformed": "går inte att läsa",
    "not-utf-8": "är inte UTF-8",
    "url": "är en adress, och adresser hämtas inte",
    "too-long": "är för lång",
    "control": "innehåller styrtecken",
    "columns": "raden har fel antal kolumner",
    "line-break": "innehåller en radbrytning; ett citattecken kan ha slagit ihop flera rader",
    "no-dn": "posten saknar dn",
    "change-record": "är en ändringspost; bara katalogens innehåll läses",
    "missing": "saknas",
    "unit-unreadable": "går inte att avgöra, eftersom enheten ovanför inte går att läsa",
    "not-hsa-id": "är inget HSA-id för den här miljön",
    "not-person-id": "är inget giltigt person-id; kontrollera siffrorna och kontrollsiffran",
    "not-kind": "ska vara personnummer, samordningsnummer, passport eller reserve",
    "not-date": "ska vara ett datum, ÅÅÅÅ-MM-DD",
    "not-yes-or-no": "ska vara ja eller nej",
    "hsa-id-twice": "står i filen för flera personer eller organisationer; ingen av raderna togs",
    "hsa-id-of-another": "tillhör en annan person i portalen; uppdraget flyttas aldrig av en fil",
    "hsa-id-was-anothers": "har tillhört en annan person i portalen; uppdraget läggs inte till av en fil",
    "person-id-ended": "har slutat gälla för en person i portalen; personen läggs inte till igen av en fil",
}
"""Error texts by code. The field's name precedes the text."""

_LIMITS: Mapping[str, int] = {"given_name": 100, "surname": 100, "title": 128, "mail": 254, "upn": 254}
_NEEDED = ("given_name", "surname")
_TRUE, _FALSE = frozenset({"ja", "j", "true", "1"}), frozenset({"nej", "n", "false", "0"})
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:[.,]\d+)?Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9-]{2,39}")


class Stager:
    """Validates rows against the portal's organisations, which are given by HSA-id in upper case."""

    def __init__(self, organisations: Mapping[str, uuid.UUID], *, prefixes: frozenset[str], today: dt.date) -> None:
        self._organisations, self._prefixes, self._today = organisations, prefixes, today

    def staged(self, row: FileRow) -> tuple[object, ...]:
        """Returns the row's values by COLUMNS. For an invalid row, only the line, the error and a readable HSA-id are set."""
        values, hsa_id = row.values, ""
        try:
            hsa_id = self._hsa_id(values.get("hsa_id", "")) if "hsa_id" in values or not row.fault else ""
            if row.fault:
                raise RowFault(row.fault, field=row.field)
            person_id = self._person_id(values.get("person_id", ""), values.get("person_id_kind", ""))
            texts = {name: _text(values.get(name, ""), name) for name in _LIMITS}
            valid_to, protected = _last_day(values.get("valid_to", "")), _truth(values.get("protected", ""))
            organisation_hsa, organisation = self._organisation(row.organisations)
        except RowFault as fault:
            return self._refused(row.line, fault, hsa_id)
        return (
            row.line, "", "", hsa_id, hsa_id.upper(), person_id.kind.value, person_id.value, person_id.is_synthetic,
            texts["given_name"], texts["surname"], sort_name(texts["surname"], texts["given_name"]),
            texts["title"], texts["mail"], texts["upn"], valid_to, bool(protected), protected is not None,
            organisation, organisation_hsa, new_id(), new_id(),
        )  # fmt: skip

    @staticmethod
    def _refused(line: int, fault: RowFault, hsa_id: str) -> tuple[object, ...]:
        return (
            line, fault.kind, fault.field, hsa_id, hsa_id.upper(), "", "", False, "", "", "", "", "", "", None, False, False,
            None, "", new_id(), new_id(),
        )  # fmt: skip

    def _hsa_id(self, text: str) -> str:
        if not text:
            raise RowFault("missing", field="hsa_id")
        try:
            return parse_hsa_id(text, prefixes=self._prefixes)
        except ValueError:
            raise RowFault("not-hsa-id", field="hsa_id") from None

    def _person_id(self, text: str, kind: str) -> PersonId:
        """Returns the number in normal form. Swedish numbers contain their kind, which must agree with `kind` if given."""
        if not text:
            raise RowFault("missing", field="person_id")
        if kind and kind not in PersonIdKind:
            raise RowFault("not-kind", field="person_id_kind")
        if kind in (PersonIdKind.PASSPORT, PersonIdKind.RESERVE):
            number = text.upper()
            if not _NUMBER.fullmatch(number):
                raise RowFault("not-person-id", field="person_id")
            return PersonId(PersonIdKind(kind), number)
        try:
            found = parse_swedish_number(text, today=self._today)
        except ValueError:
            raise RowFault("not-person-id", field="person_id") from None
        if (kind and found.kind != kind) or not found.value.isascii():
            raise RowFault("not-person-id", field="person_id")
        return found

    def _organisation(self, above: tuple[str, ...]) -> tuple[str, uuid.UUID | None]:
        """Returns HSA-id and id of the nearest organisation that the portal has; otherwise the nearest HSA-id and None."""
        if not above:
            raise RowFault("missing", field="organisation_hsa_id")
        for hsa_id in above:
            if not hsa_id:
                raise RowFault("unit-unreadable", field="organisation_hsa_id")
            found = self._organisations.get(hsa_id.upper())
            if found is not None:
                return hsa_id.upper(), found
        if len(above[0]) > 31:
            raise RowFault("too-long", field="organisation_hsa_id")
        if not above[0].isprintable():
            raise RowFault("control", field="organisation_hsa_id")
        return above[0].upper(), None


def _text(text: str, name: str) -> str:
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not text and name in _NEEDED:
        raise RowFault("missing", field=name)
    if len(text) > _LIMITS[name]:
        raise RowFault("too-long", field=name)
    if not text.isprintable():
        raise RowFault("control", field=name)
    return text


def _truth(text: str) -> bool | None:
    """Parses the protection flag. Returns None if it is missing."""
    if not text:
        return None
    told = text.lower()
    if told in _TRUE:
        return True
    if told in _FALSE:
        return False
    raise RowFault("not-yes-or-no", field="protected")


def _last_day(text: str) -> dt.date | None:
    """Returns the last day of a date or an LDAP time. A time of midnight means that the day before is the last."""
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
        if match := _TIME.fullmatch(text):
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            if year == dt.MAXYEAR:
                return dt.date.max  # which catalogues write for no end
            ends = dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=dt.UTC)
            return (ends - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date()
    except (ValueError, OverflowError):
        pass
    raise RowFault("not-date", field="valid_to")
