"""The life of an import: a file is read and kept, the user checks its preview, and it is carried out completely or not at all."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.db import transaction

from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Invalid, NotFound
from siths_portal.lib.events import AppendOnlyEvent
from siths_portal.lib.files import tables as files
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.columns import FileFormat, ImportTables
from siths_portal.lib.imports.models import KeptImport
from siths_portal.lib.imports.planning import ImportPlan
from siths_portal.lib.imports.reading import ImportedRow, read_rows, refuse_file

KEPT_AT_ONCE = 5
"""Files of one person that are kept; the sixth replaces the oldest."""


class HasRef(Protocol):
    """The actor of an import; `ref` is what events store."""

    @property
    def ref(self) -> str:
        """The reference."""
        ...


class Stale(Conflict):
    """Carrying out would do something else than the preview showed. Code `changed-meanwhile`."""

    def __init__(self) -> None:
        message = "Uppgifterna i portalen har ändrats sedan förhandsgranskningen. Granska raderna igen och läs sedan in filen."
        super().__init__("changed-meanwhile", message)


class Importer[A: HasRef, F: KeptImport, R: ImportedRow, P: ImportPlan[Any]](ABC):
    """One kind of import. A subclass declares its tables, how rows become a plan, and how a plan is applied (docs/imports.md).

    `name` is the events' subject type: reading a file is `<name>.read`, carrying it out `<name>.carried_out`.
    """

    name: ClassVar[str]
    tables: ClassVar[ImportTables]
    model: type[F]
    row_class: type[R]
    event: type[AppendOnlyEvent]
    unconfirmed: ClassVar[tuple[str, str]] = (
        "warnings-unread",
        "Rätta raderna med varningar, eller kryssa i rutan och läs in igen.",
    )
    """Code and message for a plan with warnings that the user has not confirmed."""

    @abstractmethod
    def require(self, actor: A) -> None:
        """Passes for users who may import something; each row has its own rules. Raises Forbidden."""

    @abstractmethod
    def plan(self, actor: A, rows: Sequence[R]) -> P:
        """Returns what becomes of each row as things stand now, in a number of queries that does not depend on the rows."""

    @abstractmethod
    def apply(self, actor: A, plan: P) -> dict[str, Any]:
        """Executes a plan without errors in the caller's transaction. Returns what the result page shows, for `made`."""

    @abstractmethod
    def not_found(self) -> NotFound:
        """Returns the error for an import that does not exist, has expired or belongs to another user."""

    @property
    @abstractmethod
    def hours(self) -> int:
        """How long a file is kept."""

    @abstractmethod
    def admit(self, actor: A) -> None:
        """Limits the number of files of one person, before a file is read. Raises TooManyRequests."""

    @abstractmethod
    def lock(self) -> None:
        """Locks what a plan rests on, in the transaction that carries it out; what changes later is found by the services."""

    def plan_uploaded(self, actor: A, rows: Sequence[R]) -> P:
        """Returns the plan of a file that was just sent. An import that reads from other systems does it here, once."""
        return self.plan(actor, rows)

    def rows_to_keep(self, plan: P) -> list[R]:
        """Returns the plan's rows as they are stored."""
        return [planned.row for planned in plan.rows]

    def keep(self, *, actor: A, content: bytes) -> F:
        """Reads a file and keeps its rows, for the actor alone. Changes nothing else.

        Raises Forbidden, Invalid at `file` for a file that cannot be read or has too much to do, TooManyRequests, and the errors
        of `plan_uploaded`.
        """
        self.require(actor)
        self.admit(actor)
        rows = read_rows(content, self.tables, self.row_class)
        plan = self.plan_uploaded(actor, rows)
        _require_short(plan)
        kept = self.rows_to_keep(plan)
        with transaction.atomic(durable=True):
            return self._store(actor, content, kept)

    def _store(self, actor: A, content: bytes, rows: Sequence[R]) -> F:
        now = clock.now()
        waiting = self._objects.filter(owner_ref=actor.ref, done_at=None).order_by("-created_at", "-pk")
        self._objects.filter(pk__in=list(waiting.values_list("pk", flat=True)[KEPT_AT_ONCE - 1 :])).delete()
        made: F = self._objects.create(
            id=new_id(),
            owner_ref=actor.ref,
            format=(FileFormat.XLSX if files.is_workbook(content) else FileFormat.CSV).value,
            sha256=sha256_hex(content),
            rows=[row.plain for row in rows],
            created_at=now,
            expires_at=now + dt.timedelta(hours=max(self.hours, 1)),
        )
        self._record(actor, "read", made, {"rows": len(rows)})
        return made

    def own(self, *, actor: A, import_id: UUID, lock: bool = False) -> F:
        """Returns the actor's import that has not expired. Raises Forbidden, and NotFound for any other."""
        self.require(actor)
        rows = self._objects.select_for_update() if lock else self._objects.all()
        found: F | None = rows.filter(pk=import_id, owner_ref=actor.ref, expires_at__gt=clock.now()).first()
        if found is None:
            raise self.not_found()
        return found

    def planned(self, *, actor: A, row: F) -> P:
        """Returns the plan of an import that was not carried out, as things stand now."""
        return self.plan(actor, [self.row_class.of(plain) for plain in row.rows])

    @transaction.atomic(durable=True)
    def carry_out(self, *, actor: A, import_id: UUID, sha256: str, confirmed: bool = False) -> F:
        """Does everything that the preview with this hash showed, or nothing; an import that is done stays as it is.

        `confirmed`: the user has read the warnings. Raises NotFound, Forbidden, Stale, Invalid for an invalid row or unconfirmed
        warnings, Conflict that names the row which a rule refuses.
        """
        row = self.own(actor=actor, import_id=import_id, lock=True)
        if row.done_at is not None:
            return row
        self.lock()
        plan = self.planned(actor=actor, row=row)
        if plan.sha256 != sha256:
            raise Stale
        _require_short(plan)
        if plan.has_errors:
            raise Invalid("rows-wrong", "Rätta raderna i filen och läs in den igen.")
        if plan.is_empty:
            raise Invalid("nothing-to-do", "Allt i filen finns redan.")
        if plan.warned and not confirmed:
            raise Invalid(*self.unconfirmed)
        row.made = self.apply(actor, plan)
        row.rows, row.done_at = [], clock.now()
        row.save(update_fields=["rows", "done_at", "made"])
        self._record(actor, "carried_out", row, plan.counts)
        return row

    @transaction.atomic(durable=True)
    def give_up(self, *, actor: A, import_id: UUID) -> None:
        """Deletes an import that was not carried out. Raises NotFound, Forbidden."""
        row = self.own(actor=actor, import_id=import_id, lock=True)
        if row.done_at is None:
            row.delete()

    def delete_expired(self) -> int:
        """Deletes expired files. Returns the number of rows."""
        return int(self._objects.filter(expires_at__lte=clock.now()).delete()[0])

    @property
    def _objects(self) -> Any:
        return self.model.objects  # type: ignore[attr-defined]

    def _record(self, actor: A, action: str, row: F, facts: Mapping[str, int]) -> None:
        self.event.record(
            actor_ref=actor.ref,
            action=f"{self.name}.{action}",
            subject_type=self.name,
            subject_ref=str(row.pk),
            facts={"sha256": row.sha256, "format": row.format, **facts},
        )


def _require_short(plan: ImportPlan[Any]) -> None:
    """Passes for a plan that one import can carry out. Raises Invalid at the file."""
    if plan.too_long:
        refuse_file("too-many-new", plan.too_long)
