"""Training and person checks for pages: a person's records, and whether the person may issue (rules/issuance 1.4)."""

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
"""Kind and text of the tag for each status."""
_COMING = ("ordered", _("Har inte börjat"))

_NO_END = dt.date(9999, 12, 31)
_MISSING = dt.date(1900, 1, 1)  # prepared queries keep the first millennium for themselves


@dataclass(frozen=True)
class QualificationRecord:
    """A recorded training or person check. `newest` marks the record of its kind that counts."""

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
    """A kind of qualification of a person. `passed_on` is None without a record, `due_on` also without an end."""

    kind: str
    text: str
    passed_on: dt.date | None
    due_on: dt.date | None


@dataclass(frozen=True)
class StandingView:
    """Whether the holder of an issuing role may issue: `kind` and `text` for a tag, and the `last_day` on which they may.

    `last_day` is None without an end, and if a record is missing. `begins` is the role's first day if it is in the future.
    """

    kind: str
    text: str
    code: str
    last_day: dt.date | None
    begins: dt.date | None


@dataclass(frozen=True)
class QualificationsView:
    """A person's qualifications. `standing` is None if the person has no issuing role."""

    lines: tuple[KindLine, ...]
    standing: StandingView | None
    records: tuple[QualificationRecord, ...]
    may_record: bool


def of_person(*, actor: Actor, person_id: UUID) -> QualificationsView:
    """Returns the records of a person. The actor may see that person for assigning roles."""
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
    """Returns the newest record of each kind that is not withdrawn. `rows` are sorted by day, newest first."""
    found: dict[str, Held] = {}
    for row in rows:
        if row.withdrawn_at is None and row.kind not in found:
            found[row.kind] = Held(QualificationKind(row.kind), row.passed_on, row.due_on)
    return tuple(found.values())


def lines(held: Sequence[Held]) -> tuple[KindLine, ...]:
    """Returns a line for each kind, with the person's newest record."""
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
    """Returns the status of a person with these current and coming roles (`actors.awake_by_person`);

    None without an issuing role.
    """
    begins = min((grant.valid_from for grant in grants if Role(grant.role) in QUALIFIED_ROLES), default=None)
    if begins is None:
        return None
    first_day = begins.astimezone(clock.STOCKHOLM).date()
    coming = begins > clock.now()
    code = rules.standing(held, today=clock.today(), soon_days=settings.QUALIFICATION_SOON_DAYS)
    # A role that has not begun allows nothing, whatever the holder's training.
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
    """Returns an expression on persons: the earliest last day of all kinds.

    A kind without an end is far ahead, a missing kind long ago.

    One comparison with it finds all overdue persons, and each kind's newest record is read once.
    """
    return Least(*(_due(kind) for kind in QualificationKind))


def _due(kind: QualificationKind) -> Coalesce:
    """Returns an expression on persons: the last day of the newest record."""
    rows = Qualification.objects.filter(person=OuterRef("pk"), kind=kind.value, withdrawn_at=None).order_by("-passed_on")
    newest = Subquery(rows.values(due=Coalesce(F("due_on"), Value(_NO_END), output_field=DateField()))[:1])
    return Coalesce(newest, Value(_MISSING), output_field=DateField())


@dataclass(frozen=True)
class Lacks:
    """The names of the kinds without a record, and of those whose newest record has expired."""

    missing: tuple[str, ...]
    over: tuple[str, ...]


def lacks(person_id: UUID) -> Lacks:
    """Returns what a person lacks today in order to issue. One query."""
    held = _newest(list(Qualification.objects.filter(person=person_id, withdrawn_at=None).order_by("-passed_on", "-recorded_at")))
    kinds = {one.kind for one in held}
    over = {one.kind for one in held if one.due_on is not None and one.due_on < clock.today()}
    return Lacks(
        missing=tuple(gettext(rules.SWEDISH[kind]) for kind in QualificationKind if kind not in kinds),
        over=tuple(gettext(rules.SWEDISH[kind]) for kind in QualificationKind if kind in over),
    )
