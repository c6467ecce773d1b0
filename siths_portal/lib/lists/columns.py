"""Columns of a list: one declaration gives the heading, the cell, the order, the label on a phone, and the cell in a file."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from siths_portal.lib.lists.keyset import Key
from siths_portal.lib.pages.ids_in_texts import with_whole_ids

NOTHING = "–"
"""The text of a cell without a value."""


def value_of(line: Any, name: str) -> Any:
    """Returns the attribute `name` of `line`, or its item if the line is a mapping."""
    return line[name] if isinstance(line, Mapping) else getattr(line, name)


class Kind(StrEnum):
    """The type of a column's values. It decides alignment and format. SECOND is a moment to the second."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    DAY = "day"
    MOMENT = "moment"
    SECOND = "second"
    TAG = "tag"


_CLASSES: Mapping[Kind, str] = {
    Kind.TEXT: "",
    Kind.NUMBER: "number",
    Kind.AMOUNT: "amount",
    Kind.DAY: "moment",
    Kind.MOMENT: "moment",
    Kind.SECOND: "moment",
    Kind.TAG: "state",
}


_EXTRA = "column-extra"


@dataclass(frozen=True)
class Tag:
    """The value of a tag column: a kind of `components/tag.html`, and a text if it differs from the kind's usual one."""

    kind: str
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class FormChoice[L]:
    """Makes a column the choice of a form around the list: each cell is a box, and the column's value is its label.

    `field` is sent with the line's `sent` for each line that is chosen. `single`: only one line can be. `alone`: the only line of
    a list is ticked until something was chosen. `off` says why a line
    cannot be chosen; it is empty if it can. `level`: how deep a line lies below others, at most 4.
    """

    field: str
    sent: str | Callable[[L], object] = "id"
    single: bool = False
    alone: bool = False
    off: Callable[[L], str] | None = None
    level: Callable[[L], int] | None = None

    def value_of(self, line: L) -> str:
        """Returns what `line` sends if it is chosen."""
        return str(value_of(line, self.sent) if isinstance(self.sent, str) else self.sent(line))

    def html(self, line: L, label: SafeString, number: int, *, ticked: bool, error_id: str) -> SafeString:
        """Returns the box of the page's line `number`. `error_id`: of the message that the field has, if any."""
        reason = self.off(line) if self.off else ""
        box_id = f"{self.field}_{number}"
        context = {
            "kind": "radio" if self.single else "checkbox",
            "field": self.field,
            "sent": self.value_of(line),
            "label": label,
            "box_id": box_id,
            "ticked": ticked,
            "reason": reason,
            "level": self.level(line) if self.level else 0,
            "error": bool(error_id),
            "described_by": " ".join(filter(None, (reason and f"{box_id}_why", error_id))),
        }
        return render_to_string("components/choice.html", context)


@dataclass(frozen=True, kw_only=True)
class Column[L]:
    """A column. URLs contain `key`, so it is Swedish. `heading` is also the cell's label on a phone.

    `value`: a function of the line, or the name of its attribute or item; default `key`.
    `link`: a function that returns the URL of the cell's link, or "" for no link.
    `below`: a function that returns further lines to show under the value. Files have them in their own columns.
    `template`: renders the cell from `line` and `value` if text is not enough.
    `file_value`: returns the value for files if it differs from that of the page.
    `sort`: the field, annotation or `Key` (or several) that rows are ordered by; without it the column cannot be sorted.
    `choice`: puts a box before the value. `hide_empty`: the page leaves the column out if no line of it has a value.
    `row_header`: the column's cells are row headers; default is the page's first column.
    `heading_hidden`: only screen readers get the heading.
    `extra`: the page leaves the column out where the rail makes it narrow. The page of the line's object must have the value.
    """

    key: str
    heading: str | Promise
    value: str | Callable[[L], Any] = ""
    kind: Kind = Kind.TEXT
    link: Callable[[L], str] | None = None
    below: Callable[[L], Iterable[str]] | None = None
    template: str = ""
    css: str = ""
    sort: str | Key | Sequence[str | Key] = ()
    choice: FormChoice[L] | None = None
    hide_empty: bool = False
    row_header: bool = False
    heading_hidden: bool = False
    extra: bool = False
    file_value: Callable[[L], object] | None = None
    on_page: bool = True
    in_file: bool = True

    @property
    def by(self) -> tuple[str | Key, ...]:
        """The keys that the column orders by, empty if it cannot be sorted."""
        return (self.sort,) if isinstance(self.sort, str | Key) else tuple(self.sort)

    @property
    def classes(self) -> str:
        """The CSS classes of the column's cells."""
        return " ".join(filter(None, (_CLASSES[self.kind], self.css, _EXTRA if self.extra else "")))

    @property
    def heading_class(self) -> str:
        """The CSS classes of the heading, which is aligned like amounts if the column has amounts."""
        return " ".join(filter(None, (_CLASSES[Kind.AMOUNT] * (self.kind == Kind.AMOUNT), _EXTRA if self.extra else "")))

    def value_of(self, line: L) -> Any:
        """Returns the value of `line` in this column."""
        if not isinstance(self.value, str):
            return self.value(line)
        return value_of(line, self.value or self.key)

    def _tagged(self, line: L) -> Any:
        value = self.value_of(line)
        return Tag(**value) if self.kind == Kind.TAG and isinstance(value, Mapping) else value

    def file_cell(self, line: L) -> object:
        """Returns the value of the cell in a file, as input of `csv_files.cell`."""
        if self.file_value:
            return self.file_value(line)
        value = self._tagged(line)
        if isinstance(value, Tag):
            return value.text or value.kind
        return value if isinstance(value, Decimal) else self._written(value)

    def _written(self, value: Any) -> Any:
        return written(value, seconds=self.kind == Kind.SECOND)

    def html(self, line: L, tags: dict[Tag, SafeString]) -> SafeString:
        """Returns the content of the cell. `tags` caches rendered tags, since a page has few different ones."""
        value = self._tagged(line)
        if self.template:
            return render_to_string(self.template, {"line": line, "value": value})
        if isinstance(value, Tag):
            if value not in tags:
                tags[value] = render_to_string("components/tag.html", {"kind": value.kind, "text": value.text})
            return self._with_below(tags[value], line)
        if self.kind == Kind.SECOND and value:
            local = timezone.localtime(value)
            iso = local.isoformat(timespec="seconds")
            text = format_html('<time datetime="{}">{}</time>', iso, f"{local:%Y-%m-%d %H:%M:%S}")
        else:
            given = self._written(value) or NOTHING
            text = with_whole_ids(given) if self.kind == Kind.TEXT else conditional_escape(given)
        if url := self.link(line) if self.link else "":
            text = format_html('<a class="ds-link" href="{}">{}</a>', url, text)
        return self._with_below(text, line)

    def _with_below(self, text: SafeString, line: L) -> SafeString:
        if self.below is None:
            return text
        return text + format_html_join(
            "", '<span class="history-fact">{}</span>', ((with_whole_ids(each),) for each in self.below(line))
        )


def written(value: Any, *, seconds: bool = False) -> Any:
    """Returns a value as text for people: times in Stockholm, decimals with comma, None as an empty text."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{timezone.localtime(value):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number_format(value, force_grouping=True)
    return value if isinstance(value, str) else str(value)
