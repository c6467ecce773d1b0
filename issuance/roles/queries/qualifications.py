"""Training and person check on pages: a person's records, and how he stands (rules/issuance 1.4)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import DateField, F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.authz import Actor, Role
from issuance.authz.roles import QUALIFIED_ROLES
from issuance.people.queries import officers
from issuance.roles import domain as rules
from issuance.roles.domain import Held, QualificationKind, Standing
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services import actors
from issuance.roles.services import qualifications as service
from siths_portal.lib import clock

STANDING: Mapping[Standing, tuple[str, str]] = {
    Standing.HOLDS: ("active", _("Gäller")),
    Standing.DUE_SOON: ("sent", _("Ska snart förnyas")),
    Standing.BLOCKED: ("revoked", _("Får inte utfärda")),
}
"""A tag's kind and text for how somebody stands."""
_COMING = ("ordered", _("Har inte börjat"))

_NO_END = dt.date(9999, 12, 31)
_MISSING = dt.date(1, 1, 1)


@dataclass(frozen=True)
class QualificationRecord:
    """A training or person check as it was recorded; `newest` is the one of its kind that counts."""

    id: UUID
    kind: str
    passed_on: dt.date
    due_on: dt.date | None
    recorded_at: dt.datetime
    recorded_by: str
    withdrawn: bool
    newest: bool


@dataclass(frozen=True)
class KindLine:
    """One kind as a person has it: passed on, due on; None where there is no record, or no end."""

    kind: str
    text: str
    passed_on: dt.date | None
    due_on: dt.date | None


@dataclass(frozen=True)
class StandingView:
    """Whether a holder of a role that issues may do so: `kind` and `text` for a tag, the `last_day` on which they may issue.

    `last_day` is None without an end, and while a record is missing. `begins`: the role's first day if it is in the future.
    """

    kind: str
    text: str
    code: str
    last_day: dt.date | None
    begins: dt.date | None


@dataclass(frozen=True)
class QualificationsView:
    """What a person has, and how he stands; no standing where no role of his issues."""

    lines: tuple[KindLine, ...]
    standing: StandingView | None
    records: tuple[QualificationRecord, ...]
    may_record: bool


def of_person(*, actor: Actor, person_id: UUID) -> QualificationsView:
    """The records of a person whom the actor may see for assigning roles."""
    rows = list(Qualification.objects.filter(person=person_id).order_by("-passed_on", "-recorded_at"))
    held = _newest(rows)
    grants = actors.awake_by_person([person_id]).get(person_id, [])
    who = officers.names(actor, {row.recorded_by_ref for row in rows})
    newest = {(one.kind, one.passed_on) for one in held}
    records = tuple(
        QualificationRecord(
            id=row.id,
            kind=gettext(rules.SWEDISH[QualificationKind(row.kind)]),
            passed_on=row.passed_on,
            due_on=row.due_on,
            recorded_at=row.recorded_at,
            recorded_by=who.get(row.recorded_by_ref, gettext("Systemet: uppsättning")),
            withdrawn=row.withdrawn_at is not None,
            newest=row.withdrawn_at is None and (QualificationKind(row.kind), row.passed_on) in newest,
        )
        for row in rows
    )
    found = standing(held, grants)
    return QualificationsView(lines(held), found, records, service.may_record(actor, person_id))


def _newest(rows: Sequence[Qualification]) -> tuple[Held, ...]:
    """Of records that are sorted by day, the newest of each kind that was not withdrawn."""
    found: dict[str, Held] = {}
    for row in rows:
        if row.withdrawn_at is None and row.kind not in found:
            found[row.kind] = Held(QualificationKind(row.kind), row.passed_on, row.due_on)
    return tuple(found.values())


def lines(held: Sequence[Held]) -> tuple[KindLine, ...]:
    """Each kind, with what is held of it."""
    by_kind = {one.kind: one for one in held}
    return tuple(
        KindLine(
            kind.value,
            gettext(rules.SWEDISH[kind]),
            by_kind[kind].passed_on if kind in by_kind else None,
            by_kind[kind].due_on if kind in by_kind else None,
        )
        for kind in QualificationKind
    )


def standing(held: Sequence[Held], grants: Sequence[RoleGrant]) -> StandingView | None:
    """How somebody stands with these roles, which hold or will (`actors.awake_by_person`); None where none of them issues."""
    begins = min((grant.valid_from for grant in grants if Role(grant.role) in QUALIFIED_ROLES), default=None)
    if begins is None:
        return None
    first_day = begins.astimezone(clock.STOCKHOLM).date()
    coming = begins > clock.now()
    code = rules.standing(held, today=clock.today(), soon_days=settings.QUALIFICATION_SOON_DAYS)
    # A role that has not begun does not hold, whatever training its holder has.
    kind, text = _COMING if coming and code == Standing.HOLDS else STANDING[code]
    last_day = rules.last_day(held)
    return StandingView(
        kind=kind,
        text=gettext(text),
        code=code.value,
        last_day=None if last_day == rules.NEVER else last_day,
        begins=first_day if coming else None,
    )


def first_due() -> Least:
    """For persons: the day on which the first of all kinds is over; far ahead where none ends, long ago where one is missing.

    One comparison says then what is lacking, and each kind's newest record is looked up once.
    """
    return Least(*(_due(kind) for kind in QualificationKind))


def _due(kind: QualificationKind) -> Coalesce:
    """For persons: the newest record's last day."""
    rows = Qualification.objects.filter(person=OuterRef("pk"), kind=kind.value, withdrawn_at=None).order_by("-passed_on")
    newest = Subquery(rows.values(due=Coalesce(F("due_on"), Value(_NO_END), output_field=DateField()))[:1])
    return Coalesce(newest, Value(_MISSING), output_field=DateField())


@dataclass(frozen=True)
class Lacks:
    """The kinds that a person has no record of, and those whose newest record is over, in words."""

    missing: tuple[str, ...]
    over: tuple[str, ...]


def lacks(person_id: UUID) -> Lacks:
    """What a person lacks today to issue. One query."""
    held = _newest(list(Qualification.objects.filter(person=person_id, withdrawn_at=None).order_by("-passed_on", "-recorded_at")))
    kinds = {one.kind for one in held}
    over = {one.kind for one in held if one.due_on is not None and one.due_on < clock.today()}
    return Lacks(
        missing=tuple(gettext(rules.SWEDISH[kind]) for kind in QualificationKind if kind not in kinds),
        over=tuple(gettext(rules.SWEDISH[kind]) for kind in QualificationKind if kind in over),
    )
