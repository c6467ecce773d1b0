"""Forms that edit a row against the version that was read. Who comes second is told, and loses nothing typed (ADR 0180)."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from issuance.administration.queries import change_words, history
from issuance.administration.queries.history import OtherChange
from issuance.authz import Actor
from issuance.records.services.editing import Outdated
from issuance.records.web.frame import actor_of
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages.forms import Form

LARGEST_VERSION = 2**31 - 1
"""What the column of a version holds."""

_NO_VERSION = 0
"""No row has it: a form without its version is told what stands now."""


class EditForm(Form):
    """A form on a row with a version, which stands in a hidden field. `columns` maps fields to the columns they write.

    `others` is what others changed meanwhile, for `components/others.html`.
    """

    columns: ClassVar[Mapping[str, str]] = {}

    version = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_VERSION, widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others: list[OtherChange] = []

    def clean_version(self) -> int:
        """The version that the page showed."""
        return self.cleaned_data.get("version") or _NO_VERSION

    @classmethod
    def as_typed(cls, column: str, value: Any) -> str:
        """A column's value as its field shows it."""
        return "" if value is None else str(value)

    def take_outdated(self, error: Outdated, actor: Actor) -> None:
        """Makes the form ready to be saved over what others did: the new version, what was typed, and beside it what stands now.

        A field that was sent as it stood before the others' change was not typed in, so it takes what they wrote.
        """
        self.others = history.changes_of_others(actor, error.changes)
        data = cast(QueryDict, self.data).copy()
        data[self.add_prefix("version")] = str(error.version)
        self.data = data
        first = {change.field: change.before for change in reversed(error.changes)}
        names = change_words.names_in(actor, error.now.items())
        for field, column in self.columns.items():
            if field not in self.fields or column not in first or column not in error.now:
                continue
            # Browsers send lines with CRLF, whatever ends they were shown with.
            now, typed = self.as_typed(column, error.now[column]), data.get(self.add_prefix(field), "").replace("\r\n", "\n")
            if typed == self.as_typed(column, first[column]):
                data[self.add_prefix(field)] = now
            elif typed != now:
                self.add_error(field, _("Nu står det: {now}").format(now=change_words.value(column, error.now[column], names)))
        self.add_error(None, error.message)


def version_sent(request: HttpRequest) -> int:
    """The version that a form of buttons alone sent; one that no row has for what is none."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 11 and int(text) <= LARGEST_VERSION else _NO_VERSION


def initial(form: type[EditForm], row: object) -> dict[str, Any]:
    """What a form on `row` is first shown with: its columns and its version."""
    values = {field: form.as_typed(column, getattr(row, column)) for field, column in form.columns.items()}
    return {**values, "version": row.version}  # type: ignore[attr-defined]  # rows and facts alike have one


def saved[T](form: Form, actor: Actor, act: Callable[[dict[str, Any]], T]) -> tuple[T | None, int]:
    """What `act` made of the form's values, or None with the refusal on the form, and the status to answer with."""
    if not form.is_valid():
        return None, Invalid.http_status
    try:
        return act(form.cleaned_data), 200
    except Outdated as error:
        if not isinstance(form, EditForm):
            raise
        form.take_outdated(error, actor)
        return None, error.http_status
    except (Invalid, Conflict) as error:
        form.take(error)
        return None, error.http_status


def answered[F: Form, T](
    request: HttpRequest,
    make: Callable[..., F],
    act: Callable[[dict[str, Any]], T],
    *,
    first: Callable[[], dict[str, Any]] = dict,
) -> tuple[F, T | None, int]:
    """A form as it is first shown, with the values of `first`; or as it was sent, with what `act` made of it. And the status."""
    if request.method != "POST":
        return make(initial=first()), None, 200
    form = make(request.POST)
    made, status = saved(form, actor_of(request), act)
    return form, made, status


def another_asked(request: HttpRequest) -> bool:
    """Whether what the form makes is to be followed by one more: its button Skapa och lägg till en till."""
    return "fler" in request.POST


def at_first_field[F: Form](form: F) -> F:
    """Returns the form with the focus in its first field if one types into it; with errors their summary has the focus.

    Never a choice, since a scan's Enter would answer it.
    """
    widget = next(iter(form.visible_fields())).field.widget
    if (not form.is_bound or not form.errors) and isinstance(widget, forms.TextInput | forms.Textarea):
        widget.attrs["autofocus"] = True
    return form
