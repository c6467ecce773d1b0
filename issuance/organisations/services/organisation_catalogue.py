"""Compares an organisation with the HSA directory before it is saved.

The user corrects differences or confirms them (ADR 0251).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog
from django.db.models.functions import Upper

from issuance.organisations.models import Organisation
from issuance.organisations.ports import DirectoryOrganisation, OrganisationDirectory
from issuance.organisations.services.organisations import OrganisationData
from siths_portal.lib import ports
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid, Refused, Unavailable

log = structlog.get_logger(__name__)


class DirectoryMatch(StrEnum):
    """The result of the comparison, as events store it."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    SILENT = "silent"


class Known(Protocol):
    """The stored data of an organisation."""

    @property
    def hsa_id(self) -> str: ...  # noqa: D102

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def organisation_number(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Comparison:
    """The result of comparing an organisation's typed data with the HSA directory; `differences` has a Swedish text by field."""

    match: DirectoryMatch
    differences: dict[str, str]


class Differs(Invalid):
    """The HSA directory lacks the HSA-id, or has another name or number for it; see `fields`. Code `catalogue-differs`.

    A caller who sends back `digest` confirms the differences and saves.
    """

    def __init__(self, digest: str, differences: dict[str, str]) -> None:
        message = "Uppgifterna stämmer inte med HSA-katalogen. Rätta dem, eller kryssa i rutan längst ner för att spara ändå."
        super().__init__("catalogue-differs", message, fields={name: [text] for name, text in differences.items()})
        self.digest = digest


def compare(data: OrganisationData, *, before: Known | None = None, confirmed: str = "") -> str:
    """Compares an organisation that is about to be saved with the HSA directory. Returns the result for its event.

    No transaction may be open, and the caller has checked the right to save. Returns an empty text without a query if HSA-id,
    number and name are those of `before`, or if another organisation in the portal has the HSA-id, which saving refuses. If the
    directory does not respond, returns `DirectoryMatch.SILENT`, and saving goes on. Raises Invalid by field, and Differs unless
    `confirmed` is the `digest` of an earlier Differs.
    """
    data = data.checked()
    if before is not None and _of(before) == _of(data):
        return ""
    others = Organisation.objects.alias(key=Upper("hsa_id")).filter(key=data.hsa_id.upper())
    if (before is None or before.hsa_id.upper() != data.hsa_id.upper()) and others.exists():
        return ""
    comparison = compare_all([data])[0]
    if comparison.differences:
        digest = sha256_hex(canonical_json([_of(data), comparison.differences]))[:32]
        if confirmed != digest:
            raise Differs(digest, comparison.differences)
    return comparison.match.value


def compare_all(organisations: Sequence[OrganisationData]) -> list[Comparison]:
    """Compares these data, which are in normal form, with the HSA directory. All are `SILENT` if it does not respond."""
    try:
        found = (
            ports.get(OrganisationDirectory).find_organisations([data.hsa_id for data in organisations]) if organisations else []
        )
    except (Unavailable, Refused) as error:
        log.warning("catalogue_of_organisations_silent", code=error.code)
        return [Comparison(DirectoryMatch.SILENT, {})] * len(organisations)
    by_id = {each.hsa_id.upper(): each for each in found}
    return [_compare(data, by_id.get(data.hsa_id.upper())) for data in organisations]


def _of(data: Known | OrganisationData) -> list[str]:
    return [data.hsa_id.upper(), data.name, data.organisation_number]


def _compare(data: OrganisationData, entry: DirectoryOrganisation | None) -> Comparison:
    if entry is None:
        return Comparison(DirectoryMatch.UNKNOWN, {"hsa_id": f"HSA-katalogen har ingen organisation med HSA-id {data.hsa_id}."})
    number = f"{entry.organisation_number[:6]}-{entry.organisation_number[6:]}"
    other_number = entry.organisation_number not in ("", data.organisation_number)
    name = unicodedata.normalize("NFC", " ".join(entry.name.split()))
    if name.casefold() == data.name.casefold():
        if not other_number:
            return Comparison(DirectoryMatch.AGREES, {})
        return Comparison(
            DirectoryMatch.DIFFERS, {"organisation_number": f"I HSA-katalogen har {name} organisationsnumret {number}."}
        )
    if other_number:
        text = f"HSA-id tillhör enligt HSA-katalogen en annan organisation: {name}, {number}."
        return Comparison(DirectoryMatch.DIFFERS, {"hsa_id": text})
    return Comparison(DirectoryMatch.DIFFERS, {"name": f"I HSA-katalogen heter organisationen {name}."})
