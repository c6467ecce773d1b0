"""Base of the rows that have a life cycle: their state moves only by a step of `issuance.records.services.steps`."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from django.db import models


class Stateful(models.Model):
    """A row with a state and `seq`, the number of its events. `save` refuses a changed state that no step has made.

    Each model declares its life cycle: `subject` is its name in events, `swedish` how a refusal begins, `states` its states.
    """

    subject: ClassVar[str]
    swedish: ClassVar[str]
    states: ClassVar[type[StrEnum]]

    state = models.CharField(max_length=20)
    seq = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    _state_as_loaded: str | None = None

    @property
    def transitions(self) -> Mapping[tuple[Any, Any], StrEnum]:
        """The state that each action leads to from each state that admits it."""
        raise TypeError(f"{type(self).__name__} declares no transitions")

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        """Remembers the state that the database has."""
        row = super().from_db(db, field_names, values, **options)
        row._state_as_loaded = row.__dict__.get("state")
        return row

    def refresh_from_db(self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None) -> None:
        """Reads the row, or the named fields of it, again and remembers a state that was read."""
        named = None if fields is None else list(fields)
        super().refresh_from_db(using, named, from_queryset)
        if named is None or "state" in named:
            self._state_as_loaded = self.state

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves. Raises RuntimeError if the state was changed other than by a step."""
        if not self._state.adding and self.state != self._state_as_loaded:
            raise RuntimeError(f"the state of {type(self).__name__} moves only by a step")
        super().save(*args, **kwargs)
        self._state_as_loaded = self.state
