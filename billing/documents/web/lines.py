"""The lines of an invoice as a list, in groups by office."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.documents.domain.invoices import LineContent
from billing.documents.queries.line_words import LineWords, words_of
from billing.records.domain import money
from billing.records.web.columns import amount_column
from siths_portal.lib.lists import Cell, Column, Kind, Lines, List, Shown, Source, Text


def _quantity(line: LineContent) -> str:
    return f"{money.swedish(line.quantity, decimals=0)}{money.NO_BREAK_SPACE}{line.declaration.unit_name}"


def _line_columns(words: LineWords, link: Callable[[LineContent], str] | None = None) -> tuple[Column[LineContent], ...]:
    """Returns the columns of lines. Pages show what was bought in words; files have the number and the frozen text."""
    return (
        Column(key="artikel", heading=_("Artikelnr"), value="article_code", on_page=False),
        Column(
            key="beskrivning",
            heading=_("Beskrivning"),
            value=words.title,
            file_value=lambda line: line.text,
            below=lambda line: [words.detail(line)],
            css="name",
            row_header=True,
            sort="text",
            link=link,
        ),
        Column(
            key="antal",
            heading=_("Antal"),
            kind=Kind.AMOUNT,
            sort="quantity",
            value=_quantity,
            file_value=lambda line: line.quantity,
        ),
        Column(key="enhet", heading=_("Enhet"), value=lambda line: line.declaration.unit_name, on_page=False),
        amount_column("pris", _("À-pris, kr"), "unit_price", sort="unit_price"),
        Column(
            key="moms",
            heading=_("Moms"),
            kind=Kind.AMOUNT,
            value=lambda line: f"{money.swedish(line.vat_rate, decimals=0)}{money.NO_BREAK_SPACE}%",
            file_value=lambda line: line.vat_rate,
        ),
        amount_column("belopp", _("Exkl. moms, kr"), "net", css="net", sort="net"),
    )


class LineList(List[LineContent]):
    """The lines of an invoice or of the running month, in the order of the invoice.

    `link` leads a line to what is behind it. `fixed`: what the URL says in addition to the list.
    """

    counted_as = ngettext_lazy("{n} fakturarad", "{n} fakturarader")
    table_id = "fakturarader"
    files: tuple[str, ...] = ("csv", "xlsx")
    fragment = "fakturarader"

    def __init__(
        self,
        request: HttpRequest,
        lines: Sequence[LineContent],
        file_name: Text,
        *,
        link: Callable[[LineContent], str] | None = None,
        fixed: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(request)
        self.lines, self.file_name, self._fixed = lines, file_name, fixed
        self.words = words_of(lines)
        self.columns = _line_columns(self.words, link)

    def rows(self) -> Source[LineContent]:
        """See `List`."""
        return Lines(self.lines)

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return self._fixed


@dataclass(frozen=True)
class LineGroup:
    """Lines of one office, or of one kind, under their heading and sum. Without a heading: all lines, sorted by a column."""

    heading: str
    net: Decimal
    rows: Sequence[Sequence[Cell]]


def line_groups(shown: Shown[LineContent]) -> list[LineGroup]:
    """Returns the list's rows grouped by office, or in one group if the user sorts them."""
    pairs = list(zip(shown.lines, shown.rows, strict=True))
    if any(head.state for head in shown.heads):
        return [LineGroup("", sum((line.net for line, _row in pairs), Decimal(0)), [row for _line, row in pairs])]
    words = cast(LineList, shown.declared).words
    groups: dict[tuple[object, str], list[tuple[LineContent, Sequence[Cell]]]] = {}
    for line, row in pairs:
        groups.setdefault((line.office_id, words.place(line)), []).append((line, row))
    return [
        LineGroup(heading, sum((line.net for line, _row in found), Decimal(0)), [row for _line, row in found])
        for (_office, heading), found in groups.items()
    ]
