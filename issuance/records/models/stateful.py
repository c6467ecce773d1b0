"""Base of rows with a life cycle. Only `issuance.records.services.steps` changes their state."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from django.db import models


class Stateful(models.Model):
    """A row with a state and `seq`, the number of its events. `save` refuses a state that no step has set.

    Each model declares its life cycle: `subject` is its name in events, `swedish` the subject of error messages, `states` its
    states.
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
        """Maps each allowed pair of state and action to the next state."""
        raise TypeError(f"{type(self).__name__} declares no transitions")

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        """Loads a row and remembers its stored state."""
        row = super().from_db(db, field_names, values, **options)
        row._state_as_loaded = row.__dict__.get("state")
        return row

    def refresh_from_db(self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None) -> None:
        """Reads the row, or the named fields, again and remembers the state if it was read."""
        named = None if fields is None else list(fields)
        super().refresh_from_db(using, named, from_queryset)
        if named is None or "state" in named:
            self._state_as_loaded = self.state

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves the row. Raises RuntimeError if anything but a step changed the state."""
        if not self._state.adding and self.state != self._state_as_loaded:
            raise RuntimeError(f"the state of {type(self).__name__} moves only by a step")
        super().save(*args, **kwargs)
        self._state_as_loaded = self.state
