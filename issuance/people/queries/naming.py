"""Who a row is about, as one text that its query reads with the row: a page that names one of many rows needs no second query."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, OuterRef, Subquery, Value, When
from django.db.models.functions import Cast, Concat, Right
from django.utils.translation import gettext as _

from issuance.people.models.persons import Person

_APART = "/"


@dataclass(frozen=True)
class Subject:
    """The person or thing of a row. `last` are the last digits of its card. `name` is empty for a protected person, who is named
    on their own page only; `person_id` is None for a thing.
    """

    person_id: UUID | None = None
    last: str = ""
    name: str = ""

    @property
    def is_protected(self) -> bool:
        """Whether it is a person whom no list names."""
        return self.person_id is not None and not self.name

    @property
    def title(self) -> str:
        """The name in use, first name first, or what stands in place of it."""
        return _("Skyddad person") if self.is_protected else self.name


def subject(person: str, serial: str = "") -> Any:
    """Returns the expression of the row's person by the field path `person`, and of its card's last digits by `serial`.

    The name is a subquery: PostgreSQL evaluates it after the limit, for the rows of the answer only, and plans the rest as
    without it. The row's own scope decides who is among them.
    """
    name = Case(When(is_protected=True, then=Value("")), default=Concat("given_name_in_use", Value(" "), "surname"))
    names = Subquery(Person.objects.filter(pk=OuterRef(person)).order_by().values(text=name)[:1], output_field=CharField())
    last = Right(serial, 4) if serial else Value("")
    return Concat(Cast(person, CharField()), Value(_APART), last, Value(_APART), names, output_field=CharField())


def thing(name: Any) -> Any:
    """Returns the expression of a row that is about a thing with the name `name`, an expression or a field path."""
    return Concat(Value(_APART * 2), name, output_field=CharField())


def nothing() -> Any:
    """Returns the expression of a row that names nobody, beside others of a union."""
    return Value("", output_field=CharField())


def read(text: str) -> Subject:
    """Returns the subject of a row by the text that one of these expressions gave."""
    if not text:
        return Subject()
    person_id, last, name = text.split(_APART, 2)
    return Subject(UUID(person_id) if person_id else None, last, name)
