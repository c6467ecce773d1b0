"""Display names of clerks. Only actors who may see a clerk with protected identity see the name (S10, ADR 0080)."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from issuance.authz import Actor
from issuance.people.models.persons import Person, Post
from siths_portal.lib.database.prepared import prepared

_USER = re.compile(r"user:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def names(actor: Actor, refs: Iterable[str]) -> dict[str, str]:
    """Returns the display name of each `user:<uuid>` reference for `actor`."""
    ids = {ref.removeprefix("user:"): ref for ref in refs if _USER.fullmatch(ref)}
    if not ids:
        return {}
    rows = _named([UUID(each) for each in ids])
    secret = hidden(actor, [pk for pk, _given_name, _surname, is_protected in rows if is_protected])
    found = dict.fromkeys(ids.values(), unknown())
    for pk, given_name, surname, _is_protected in rows:
        found[ids[str(pk)]] = _("Rollinnehavare med skyddade personuppgifter") if pk in secret else f"{given_name} {surname}"
    return found


@prepared
def _named(person_ids: list[UUID]) -> QuerySet[Person, Any]:
    return Person.objects.filter(pk__in=person_ids).values_list("id", "given_name_in_use", "surname", "is_protected")


def unknown() -> str:
    """Returns the display name for a reference to an unknown person."""
    return _("Okänd rollinnehavare")


def hidden(actor: Actor, protected: Iterable[UUID]) -> set[UUID]:
    """Returns the protected persons whom `actor` may not see, because of scope or a missing add-on."""
    concerned = set(protected)
    if not concerned:
        return set()
    return concerned - set(Person.objects.visible_to(actor).filter(pk__in=concerned).values_list("pk", flat=True))


def is_hidden(actor: Actor, ref: str) -> bool:
    """True if `ref` is not a clerk's reference, or is a clerk with protected identity whom `actor` may not see."""
    if not _USER.fullmatch(ref):
        return True
    protected = Person.objects.filter(pk=ref.removeprefix("user:"), is_protected=True).values_list("pk", flat=True)
    return bool(hidden(actor, protected))


def hsa_ids(actor: Actor, refs: Iterable[str]) -> dict[str, str]:
    """Returns the HSA-id of each `user:<uuid>` reference whose name `actor` may see.

    It is that of the current assignment, otherwise of the last one.
    """
    ids = {ref.removeprefix("user:"): ref for ref in refs if _USER.fullmatch(ref)}
    if not ids:
        return {}
    rows = list(
        Post.objects.filter(person__in=list(ids))
        .order_by("person_id", F("ended_at").desc(nulls_first=True), "hsa_id")
        .distinct("person_id")
        .values_list("person_id", "hsa_id", "person__is_protected")
    )
    secret = hidden(actor, [pk for pk, _hsa_id, is_protected in rows if is_protected])
    return {ids[str(pk)]: hsa_id for pk, hsa_id, _is_protected in rows if pk not in secret}
