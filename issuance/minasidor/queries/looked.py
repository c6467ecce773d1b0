"""Who has looked at the holder's data, in the holder's own words (ADR 0080)."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from issuance.authz import Actor, policy
from issuance.authz.actor import USER_PREFIX
from issuance.people.models.persons import Post
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import access_log
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.records.queries.history import names_of
from siths_portal.lib import clock

WHAT: Mapping[str, str] = {
    Shown.PERSON: gettext_noop("Såg din sida i portalen"),
    Shown.PERSON_HISTORY: gettext_noop("Såg din historik"),
    Shown.PERSON_HISTORY_FILE: gettext_noop("Hämtade din historik som fil"),
    Shown.CARRIER_HISTORY: gettext_noop("Såg historiken för ett kort"),
    Shown.CARRIER_HISTORY_FILE: gettext_noop("Hämtade historiken för ett kort som fil"),
    Shown.EID_HISTORY: gettext_noop("Såg historiken för ett SITHS eID"),
    Shown.EID_HISTORY_FILE: gettext_noop("Hämtade historiken för ett SITHS eID som fil"),
    Shown.ACCESS_LOG: gettext_noop("Såg vem som har tittat på dig"),
    Shown.ACCESS_LOG_FILE: gettext_noop("Hämtade listan över vem som har tittat på dig"),
    Shown.CERTIFICATE: gettext_noop("Såg ett av dina certifikat"),
    Shown.RECEIPT: gettext_noop("Såg en kvittens"),
    Shown.RECEIPT_PDF: gettext_noop("Öppnade en kvittens"),
    Shown.PHOTO: gettext_noop("Såg ditt foto"),
    Shown.ORDER: gettext_noop("Såg en beställning"),
    Shown.REVOCATION: gettext_noop("Såg sidan för spärr"),
}
"""What somebody was shown, as its holder reads it."""


_VISIT = dt.timedelta(minutes=10)
"""Looks of the same person within so long, with nobody's between them, are one visit."""


@dataclass(frozen=True)
class Look:
    """A visit of somebody who looked once or more. `at` is its last look, `id` the event of its first. `what` says once each
    thing that was shown. `place` is the organisation of an officer who is named, empty for others.
    """

    id: int
    at: dt.datetime
    what: str
    who: str
    place: str

    @property
    def by(self) -> str:
        """Who looked, with the organisation if it is known."""
        return f"{self.who}, {self.place}" if self.place else self.who


def looks(actor: Actor, *, most: int, before: int | None = None) -> tuple[list[Look], bool]:
    """Returns the visits to which the newest `most` looks at the holder belong, who is the actor, of those older than the event
    `before`, and whether there are older looks. Raises NotFound, Forbidden.
    """
    if actor.person_id is None:
        raise policy.not_found()
    rows = access_log.access_log(actor=actor, person_id=actor.person_id).queryset
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: most + 1])
    return _looks(actor, found[:most]), len(found) > most


def _looks(actor: Actor, rows: Sequence[Event]) -> list[Look]:
    refs = {row.actor_ref for row in rows}
    who, places = names_of(actor, refs), _places(refs)
    own = f"{USER_PREFIX}{actor.person_id}"
    who |= {own: _("Du själv, i portalen")}
    return [
        Look(
            visit[-1].id,
            visit[0].at,
            _what(visit),
            who[visit[0].actor_ref],
            "" if visit[0].actor_ref == own else places.get(visit[0].actor_ref, ""),
        )
        for visit in _visits(rows)
    ]


def _visits(rows: Iterable[Event]) -> list[list[Event]]:
    """Returns the events, the newest first, by visit."""
    visits: list[list[Event]] = []
    for row in rows:
        if visits and visits[-1][0].actor_ref == row.actor_ref and visits[-1][0].at - row.at <= _VISIT:
            visits[-1].append(row)
        else:
            visits.append([row])
    return visits


def _what(visit: Sequence[Event]) -> str:
    """Returns what was shown, each once, in the order in which it was."""
    told = dict.fromkeys(wording.label(WHAT, str(row.facts.get("shown"))) for row in reversed(visit))
    first, *others = told
    return ", ".join([first, *(text[:1].lower() + text[1:] for text in others)])


def _places(refs: Iterable[str]) -> dict[str, str]:
    """Returns an organisation of each officer, the first by name. Officers with protected identity have none."""
    ids = {UUID(ref.removeprefix(USER_PREFIX)): ref for ref in refs if ref.startswith(USER_PREFIX)}
    if not ids:
        return {}
    valid = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    posts = Post.objects.filter(valid, person__in=list(ids), ended_at=None, person__is_protected=False)
    names = posts.order_by("person_id", "organisation__name").distinct("person_id").values_list("person_id", "organisation__name")
    return {ids[person_id]: name for person_id, name in names}
