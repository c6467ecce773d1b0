"""A list, with its page and its files, made from one declaration (docs/lists.md)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.validators import EMPTY_VALUES
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, TooManyRequests
from siths_portal.lib.files import csv_files, workbooks
from siths_portal.lib.files.downloads import attachment, streamed_attachment
from siths_portal.lib.http.rate_limits import MinuteBudget, organisation
from siths_portal.lib.lists.columns import Column
from siths_portal.lib.lists.keyset import Cursor, Key, Order, Page
from siths_portal.lib.lists.rows import Rows, Source
from siths_portal.lib.lists.shown import Cell, Chip, Empty, File, Head, Shown, Text, View
from siths_portal.lib.pages.charts import Share

if TYPE_CHECKING:
    from django_filters import FilterSet

PAGE = 50
FILE_LIMITS: Mapping[str, int] = {"csv": 1_000_000, "xlsx": 20_000}
"""The most rows of a file. A workbook is built in memory; a CSV file is streamed."""

_FILES = MinuteBudget()

_FILE_NAMES = {"csv": gettext_lazy("Hämta som CSV"), "xlsx": gettext_lazy("Hämta som Excel")}
_PAST_END = Empty(gettext_lazy("Här tar listan slut"), gettext_lazy("Det finns inga fler rader efter den du kom från."))


class List[L]:
    """A list. A subclass declares it and returns its rows from `rows()`; one instance serves one request.

    Filters are a django-filter FilterSet over the rows' queryset, or a form from `form()` whose `chosen` values `rows()` uses.
    URLs contain the values, so free-text filters are refused: names and numbers belong in a saved search (ADR 0188).
    `order` is the key of the column by which the list is first ordered, with `-` for descending. A list without sortable columns
    leaves it empty and is ordered by `by`, or by primary key, which rises with time (`lib.ids`); `order = "-"` reverses this.
    `picked` has the ticked values of a choice column, None if the user has not chosen yet. `choice_error` is the id of the error
    message of its field.
    `counted_as` says what the count counts, one and several: `ngettext_lazy("{n} kort", "{n} kort")`.
    `caption` labels the table; without it the page's heading with the id `table_id` does.
    `count_to` is the number up to which rows are counted, or 0 if counting costs too much. `count_in_heading` means that the
    page's heading has the number, so the list does not repeat it. `prefix` and `fragment` distinguish the lists of one page.
    """

    columns: Sequence[Column[Any]]
    counted_as: Any = ngettext_lazy("{n} rad", "{n} rader")
    caption: Text = ""
    caption_hidden: bool = False
    table_id: str = "lista"
    css: str = ""
    order: str = ""
    by: Sequence[str | Key] = ()
    page_size: int = PAGE
    count_to: int = 1000
    count_in_heading: bool = False
    filters: "type[FilterSet] | None" = None
    filter_button: Text = gettext_lazy("Filtrera")
    files: Sequence[str] = ()
    file_name: Text = gettext_lazy("lista")
    empty: Empty = Empty(gettext_lazy("Inget att visa än"))
    no_match: Empty = Empty(gettext_lazy("Inget stämmer med urvalet"), gettext_lazy("Ändra urvalet eller rensa det."))
    heading_level: str = "2"
    prefix: str = ""
    fragment: str = ""
    picked: Collection[str] | None = None
    choice_error: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raises ImproperlyConfigured for a free-text filter, since URLs and logs would contain the text."""
        super().__init_subclass__(**kwargs)
        if cls.filters:
            for name, each in cls.filters.base_filters.items():
                if each.field_class is forms.CharField:
                    raise ImproperlyConfigured(f"{cls.__name__}.{name}: a free-text filter puts what is typed into addresses")

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    # Methods that a list overrides.

    def rows(self) -> Source[L]:
        """Returns the lines in the user's scope. May raise Forbidden or NotFound. Each list must override it."""
        raise ImproperlyConfigured(f"{type(self).__name__} has no rows")

    def form(self) -> forms.BaseForm | None:
        """Returns the filter form, bound to the URL's parameters, or None."""
        return self._filterset.form if self._filterset else None

    def fixed(self) -> Sequence[tuple[str, str]]:
        """Returns the parameters that select this list, apart from its filters. Its URLs and the filter form keep them."""
        return ()

    def kept(self) -> Sequence[tuple[str, str]]:
        """Returns the parameters that the list's URLs keep: those of `fixed`, and the filters as they were sent."""
        return [*self.fixed(), *self._chosen_parameters()]

    def sortable(self) -> Collection[str]:
        """Returns the keys of the columns that can be sorted now."""
        return [column.key for column in self.columns if column.by]

    def default_order(self) -> Order:
        """Returns the order to use if the URL has none."""
        return Order(self.order.removeprefix("-"), self.order.startswith("-"))

    def count_text(self, count: int) -> str:
        """Returns the text above the list with the number of rows."""
        return str(self.counted_as % count).format(n=_number(count))

    def nothing(self, *, past_end: bool) -> Empty | None:
        """Returns the text for a page without rows. `past_end` is true if earlier pages have rows."""
        return _PAST_END if past_end else self.no_match if self.chosen else self.empty

    def views(self) -> Sequence[View]:
        """Returns the saved views of the list, with the present one among them; none for most lists."""
        return ()

    def shares(self) -> Sequence[Share]:
        """Returns how the rows are distributed, by `charts.shares`; nothing for most lists. A single share is not drawn."""
        return ()

    def remark(self) -> Text:
        """Returns a sentence after the count about how things stand."""
        return ""

    def file_url(self, kind: str) -> str:
        """Returns the URL of the list as a file."""
        return self._url(ordning=self._order.text, fil=kind)

    def note_page(self, lines: Sequence[L]) -> None:
        """Hook to record the disclosure of these lines. Called before a page with lines is shown."""

    def note_file(self, kind: str, rows: int) -> None:
        """Hook to record the disclosure of a file with this number of rows. Called before it is sent."""

    # Methods for views.

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The values of the filters that are set, by field; empty if a filter is invalid."""
        form = self._form
        given = form.cleaned_data if form and self._valid else {}
        return {name: value for name, value in given.items() if value not in EMPTY_VALUES}

    def answer(self, draw: Callable[[Shown[L]], HttpResponseBase]) -> HttpResponseBase:
        """Returns the list as a file if the URL requests one that the list offers, else the page that `draw` renders."""
        kind = self.request.GET.get(f"{self.prefix}fil", "")
        return self.file(kind) if kind in self.files else draw(self.shown())

    def shown(self) -> Shown[L]:
        """Returns the page for the URL's parameters; without rows and with status 422 if a filter is invalid."""
        if not self._valid:
            return Shown(self, self._form, status=Invalid.http_status, clear_url=self._address(self.fixed()))
        cursor = self._cursor()
        found = self._source.page(self._order, self._by, cursor, self.page_size)
        columns = [column for column in self.columns if self._stands(column, found.lines)]
        if found.lines:
            self.note_page(found.lines)
        return Shown(
            self,
            self._form,
            lines=found.lines,
            heads=list(self._heads(columns)),
            rows=self._cells(columns, found.lines),
            loses_choices=self._loses_choices(found),
            count=self._count(found, cursor),
            next_url=self._turn("efter", found.next),
            previous_url=self._turn("fore", found.previous),
            first_url=self._url(ordning=self._order.text) if cursor else "",
            clear_url=self._address(self.fixed()) if self.chosen else "",
            chips=list(self._chips()),
            files=[File(_FILE_NAMES[kind], self.file_url(kind)) for kind in self.files] if found.lines else (),
            empty=None if found.lines else self.nothing(past_end=cursor is not None),
            views=self.views(),
            shares=self.shares() if found.lines else (),
            remark=self.remark() if found.lines else "",
        )

    def file(self, kind: str) -> HttpResponseBase:
        """Returns the complete list as a file of `kind`. Raises Conflict if it has more rows than FILE_LIMITS allows, and
        TooManyRequests if the user or the process has used up this minute's files (S47).

        If a filter is invalid, redirects to the page, which shows the error.
        """
        if not self._valid:
            query = self.request.GET.copy()
            query.pop(f"{self.prefix}fil", None)
            return redirect(f"{self.page_url()}?{query.urlencode()}")
        self._spend_file()
        limit = FILE_LIMITS[kind]
        rows = self._source.count(limit + 1)
        if rows > limit:
            message = _("Listan har fler än {n} rader, som är det mesta en sådan fil kan ha. Begränsa urvalet och hämta igen.")
            raise Conflict("list-too-long", message.format(n=_number(limit)))
        self.note_file(kind, rows)
        columns = [column for column in self.columns if column.in_file]
        header = [str(column.heading) for column in columns]
        lines = self._source.every(self._order, self._by)
        cells = ([column.file_cell(line) for column in columns] for line in lines)
        name = f"{self.file_name} {clock.today()}.{kind}"
        if kind == "csv":
            return streamed_attachment(csv_files.stream(header, cells), media_type="text/csv; charset=utf-8", filename=name)
        content = workbooks.build([workbooks.Sheet(_("Lista"), header, cells)])
        return attachment(content, media_type=workbooks.XLSX_TYPE, filename=name)

    def _spend_file(self) -> None:
        """Counts one file before its rows are read."""
        user = getattr(self.request, "user", None)
        if not _FILES.take(
            settings.LIST_FILES_PER_MINUTE,
            key=str(getattr(user, "subject_ref", "")),
            most_of_key=settings.LIST_FILES_PER_MINUTE_BY_PERSON,
            group=organisation(getattr(user, "hsa_id", "")),
            most_of_group=settings.LIST_FILES_PER_MINUTE_BY_ORGANISATION,
        ):
            message = _("Du har hämtat många filer. Vänta en minut och försök igen.")
            raise TooManyRequests("file-budget", message, retry_after=int(_FILES.left()) + 1)

    def page_url(self) -> str:
        """Returns the URL of the list's page, also if the file has another URL."""
        return self.request.path

    # Implementation.

    @cached_property
    def _filterset(self) -> Any:
        if self.filters is None:
            return None
        if not isinstance(self._scoped, Rows):
            raise ImproperlyConfigured(f"{type(self).__name__}: a FilterSet needs Rows; give a form by form() instead")
        return self.filters(self.request.GET, queryset=self._scoped.queryset, request=self.request)

    @cached_property
    def _scoped(self) -> Source[L]:
        return self.rows()

    @cached_property
    def _form(self) -> Any:
        return self.form()

    @cached_property
    def _valid(self) -> bool:
        return self._form is None or bool(self._form.is_valid())

    @cached_property
    def _source(self) -> Source[L]:
        rows = self._scoped
        return Rows(self._filterset.qs, rows.lines) if self._filterset and isinstance(rows, Rows) else rows

    @cached_property
    def _order(self) -> Order:
        return Order.parse(self.request.GET.get(f"{self.prefix}ordning", ""), self.sortable(), self.default_order())

    @property
    def _by(self) -> Sequence[str | Key]:
        return next((column.by for column in self.columns if column.key == self._order.key and column.by), self.by)

    def _cursor(self) -> Cursor | None:
        for parameter, backwards in (("efter", False), ("fore", True)):
            if row := self.request.GET.get(f"{self.prefix}{parameter}", ""):
                return Cursor(row, backwards)
        return None

    @property
    def _anchor(self) -> str:
        return f"#{self.fragment}" if self.fragment else ""

    def _turn(self, parameter: str, row: object) -> str:
        return self._url(ordning=self._order.text, **{parameter: str(row)}) if row is not None else ""

    def _url(self, **more: str) -> str:
        """Returns the list's URL with the kept parameters and `more`."""
        return self._address([*self.kept(), *((f"{self.prefix}{name}", value) for name, value in more.items() if value)])

    def _address(self, parameters: Sequence[tuple[str, str]]) -> str:
        query = urlencode(parameters)
        return f"{self.page_url()}{f'?{query}' if query else ''}{self._anchor}"

    def _chosen_parameters(self, *, without: str = "") -> list[tuple[str, str]]:
        """Returns the filters as they were sent, apart from that of the field `without`."""
        form = self._form
        names = [name for name in self.chosen if name != without]
        return [(name, each) for name in names for each in form.data.getlist(form.add_prefix(name)) if each]

    def _chips(self) -> Iterator[Chip]:
        for name, value in self.chosen.items():
            field = self._form.fields[name]
            words = next((word for key, word in getattr(field, "choices", ()) if str(key) == str(value)), value)
            text = str(field.label) if value is True else f"{field.label}: {words}"
            yield Chip(text, self._address([*self.fixed(), *self._chosen_parameters(without=name)]))

    @staticmethod
    def _stands(column: Column[Any], lines: Sequence[L]) -> bool:
        return column.on_page and not (column.hide_empty and not any(column.value_of(line) for line in lines))

    def _loses_choices(self, found: Page[L]) -> bool:
        leads_on = found.previous or found.next or (self.sortable() and len(found.lines) > 1)
        choices = [column.choice for column in self.columns if column.choice]
        return bool(leads_on) and any(not (choice.off and choice.off(line)) for choice in choices for line in found.lines)

    def _heads(self, columns: Sequence[Column[Any]]) -> Iterator[Head]:
        sortable = self.sortable()
        for column in columns:
            here = column.key == self._order.key
            turned = Order(column.key, here and not self._order.descending)
            state = ("descending" if self._order.descending else "ascending") if here else ""
            url = self._url(ordning=turned.text) if column.key in sortable else ""
            heading = column.heading
            if column.heading_hidden:
                heading = format_html('<span class="ds-sr-only">{}</span>', heading)
            yield Head(heading, url, state, column.heading_class)

    def _cells(self, columns: Sequence[Column[Any]], lines: Sequence[L]) -> list[list[Cell]]:
        tags = dict[Any, SafeString]()
        picked = self.picked or ()
        alone = len(lines) == 1 and self.picked is None
        header = next((column for column in columns if column.row_header), next(iter(columns), None))
        # Once a column: a label is translated whenever it becomes text.
        labels = ["" if column.heading_hidden else str(column.heading) for column in columns]
        frames = [(column, column.classes, label) for column, label in zip(columns, labels, strict=True)]

        def cell(column: Column[Any], css: str, label: str, line: L, number: int) -> Cell:
            html = column.html(line, tags)
            if choice := column.choice:
                ticked = (alone and choice.alone) or choice.value_of(line) in picked
                html = choice.html(line, html, number, ticked=ticked, error_id=self.choice_error)
            return Cell(html, css, label, column is header)

        return [[cell(*frame, line, number) for frame in frames] for number, line in enumerate(lines, 1)]

    def _count(self, found: Page[L], cursor: Cursor | None) -> str:
        """Returns the text with the number of rows, or "" if the list is empty or not counted."""
        if cursor is None and found.next is None:
            return self.count_text(len(found.lines)) if found.lines else ""
        if not self.count_to:
            return ""
        count = self._source.count(self.count_to + 1)
        if count > self.count_to:
            return _("Fler än {count}").format(count=self.count_text(self.count_to))
        return self.count_text(count)


def _number(value: int) -> str:
    return str(number_format(value, force_grouping=True))
