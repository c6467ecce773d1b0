"""The HSA directory's assignments and organisations as JSON over HTTP (wire format: docs/wire/README.md)."""

import datetime as dt
import re
from collections.abc import Sequence
from itertools import batched
from typing import Any

from django.conf import settings

from issuance.organisations.ports import DirectoryOrganisation
from issuance.people.adapters.wire import checked, listed, text
from issuance.people.ports import DirectoryPost, PersonKey
from siths_portal.lib.http.client import Client

_LIMIT = 100
ORGANISATIONS_AT_ONCE = 100
"""The maximum number of HSA-ids of organisations in one request."""


class JsonDirectory:
    """`StaffDirectory` over HTTP. Raises Unavailable for a reply that does not follow the wire format."""

    def __init__(self, base_url: str = "") -> None:
        self._client = Client(base_url or settings.DIRECTORY_URL, max_bytes=1024 * 1024)

    def find_posts_by_hsa_id(self, hsa_id: str) -> list[DirectoryPost]:
        """Returns the assignments with this HSA-id."""
        return self._query({"hsa_id": hsa_id})

    def find_posts_by_person_id(self, person: PersonKey) -> list[DirectoryPost]:
        """Returns all assignments of a person."""
        return self._query({"person_id": {"kind": person.kind, "value": person.value}})

    def find_organisations(self, hsa_ids: Sequence[str]) -> list[DirectoryOrganisation]:
        """Returns the organisations with these HSA-ids, in requests of ORGANISATIONS_AT_ONCE."""
        parts = batched(hsa_ids, ORGANISATIONS_AT_ONCE, strict=False)
        return [found for part in parts for found in self._organisations(part)]

    def _organisations(self, hsa_ids: Sequence[str]) -> list[DirectoryOrganisation]:
        body = {"hsa_ids": list(hsa_ids)}
        reply = self._client.post("/directory/v1/organisations/query", body=body, retries=2, idempotent=True)
        return checked(lambda: [_organisation(entry) for entry in listed(reply.json()["organisations"])[:ORGANISATIONS_AT_ONCE]])

    def _query(self, query: dict[str, Any]) -> list[DirectoryPost]:
        reply = self._client.post("/directory/v1/posts/query", body=query, retries=2, idempotent=True)
        return checked(lambda: [_post(entry) for entry in listed(reply.json()["posts"])[:_LIMIT]])


def _post(entry: dict[str, Any]) -> DirectoryPost:
    return DirectoryPost(
        hsa_id=text(entry["hsa_id"], 31),
        organisation_hsa_id=text(entry["organisation_hsa_id"], 31),
        person=PersonKey(text(entry["person_id"]["kind"]), text(entry["person_id"]["value"])),
        given_name=text(entry["given_name"]),
        surname=text(entry["surname"]),
        title=text(entry.get("title") or "", 128),
        mail=text(entry.get("mail") or "", 254),
        upn=text(entry.get("upn") or "", 254),
        valid_to=dt.date.fromisoformat(entry["valid_to"][:10]) if entry.get("valid_to") else None,
    )


def _organisation(entry: dict[str, Any]) -> DirectoryOrganisation:
    number = text(entry.get("organisation_number") or "", 10)
    if not re.fullmatch(r"([0-9]{10})?", number):
        raise ValueError("no organisation number")
    return DirectoryOrganisation(text(entry["hsa_id"], 31), text(entry["name"]), number)
