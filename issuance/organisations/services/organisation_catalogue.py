"""What the catalogue says of an organisation before it is saved, told to whoever saves it, who corrects or goes on (ADR 0251)."""

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


class Said(StrEnum):
    """What the catalogue said, as events keep it."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    SILENT = "silent"


class Known(Protocol):
    """What is saved of an organisation already."""

    @property
    def hsa_id(self) -> str: ...  # noqa: D102

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def organisation_number(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Answer:
    """What the catalogue said of an organisation as it is typed, and in plain words what differs, by field."""

    said: Said
    differences: dict[str, str]


class Differs(Invalid):
    """The catalogue does not have the HSA-id, or has another name or number there; `fields` tell which. Code `catalogue-differs`.

    Who sends `answer` back has read it, and saves all the same.
    """

    def __init__(self, answer: str, differences: dict[str, str]) -> None:
        message = "Uppgifterna stämmer inte med HSA-katalogen. Rätta dem, eller kryssa i rutan längst ner för att spara ändå."
        super().__init__("catalogue-differs", message, fields={name: [text] for name, text in differences.items()})
        self.answer = answer


def asked(data: OrganisationData, *, before: Known | None = None, read: str = "") -> str:
    """What the catalogue says of an organisation that is about to be saved, for its event. No transaction may be open.

    Empty where there is nothing to ask: neither HSA-id, number nor name are other than `before`, or the portal has the HSA-id for
    another organisation, which saving refuses. A catalogue that does not answer stops nothing: `Said.SILENT`. The caller has made
    sure of the right to save. Raises Invalid by field, and Differs unless `read` is the answer of the one raised before.
    """
    data = data.checked()
    if before is not None and _of(before) == _of(data):
        return ""
    others = Organisation.objects.alias(key=Upper("hsa_id")).filter(key=data.hsa_id.upper())
    if (before is None or before.hsa_id.upper() != data.hsa_id.upper()) and others.exists():
        return ""
    answer = answers([data])[0]
    if answer.differences:
        digest = sha256_hex(canonical_json([_of(data), answer.differences]))[:32]
        if read != digest:
            raise Differs(digest, answer.differences)
    return answer.said.value


def answers(wanted: Sequence[OrganisationData]) -> list[Answer]:
    """What the catalogue says of each of these, which are in normal form; of all that it is silent where it does not answer."""
    try:
        found = ports.get(OrganisationDirectory).find_organisations([data.hsa_id for data in wanted]) if wanted else []
    except (Unavailable, Refused) as error:
        log.warning("catalogue_of_organisations_silent", code=error.code)
        return [Answer(Said.SILENT, {})] * len(wanted)
    by_id = {each.hsa_id.upper(): each for each in found}
    return [_answer(data, by_id.get(data.hsa_id.upper())) for data in wanted]


def _of(data: Known | OrganisationData) -> list[str]:
    return [data.hsa_id.upper(), data.name, data.organisation_number]


def _answer(data: OrganisationData, there: DirectoryOrganisation | None) -> Answer:
    if there is None:
        return Answer(Said.UNKNOWN, {"hsa_id": f"Katalogen har ingen organisation med HSA-id {data.hsa_id}."})
    number = f"{there.organisation_number[:6]}-{there.organisation_number[6:]}"
    other_number = there.organisation_number not in ("", data.organisation_number)
    name = unicodedata.normalize("NFC", " ".join(there.name.split()))
    if name.casefold() == data.name.casefold():
        if not other_number:
            return Answer(Said.AGREES, {})
        return Answer(Said.DIFFERS, {"organisation_number": f"I katalogen har {name} organisationsnumret {number}."})
    if other_number:
        text = f"HSA-id tillhör i katalogen en annan organisation: {name}, {number}."
        return Answer(Said.DIFFERS, {"hsa_id": text})
    return Answer(Said.DIFFERS, {"name": f"I katalogen heter organisationen {name}."})
