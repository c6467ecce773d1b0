"""What a page shows of a list, as input of `components/list.html`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import forms
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from siths_portal.lib.pages.charts import Share

if TYPE_CHECKING:
    from siths_portal.lib.lists.listing import List

Text = str | Promise


@dataclass(frozen=True)
class Empty:
    """The text shown instead of a table without rows: why it is empty, and what to do. `more` are further paragraphs."""

    heading: Text
    text: Text = ""
    action_url: Text = ""
    action_text: Text = ""
    more: Sequence[Text] = ()
    heading_id: str = ""


@dataclass(frozen=True)
class Head:
    """A heading. `sort` is the URL that orders the list by it, `state` the value of aria-sort."""

    text: Text
    sort: str = ""
    state: str = ""
    css: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell. `label` precedes it on a phone; `header` is true for a row header."""

    html: SafeString
    css: str
    label: Text
    header: bool

    @property
    def element(self) -> SafeString:
        """The `th` or `td`. A list has hundreds of them, and a template takes longer to write them."""
        css = format_html(' class="{}"', self.css) if self.css else ""
        if self.header:
            return SafeString(f'<th scope="row"{css}>{self.html}</th>')
        label = format_html(' data-label="{}"', self.label) if self.label else ""
        return SafeString(f"<td{css}{label}>{self.html}</td>")


@dataclass(frozen=True)
class File:
    """A download link of the list."""

    text: Text
    url: str


@dataclass(frozen=True)
class Chip:
    """A filter that is set: its name and value, and the URL of the list without it."""

    text: str
    url: str


@dataclass(frozen=True)
class View:
    """A saved view of the list: a choice of rows with its count. `here` is the present one; `urgent` marks its count."""

    text: Text
    url: str
    count: str
    here: bool = False
    urgent: bool = False


@dataclass(frozen=True)
class Shown[L]:
    """A page of a list, as input of `components/list.html`.

    `loses_choices` means that links to other pages or orders do not keep the ticked boxes. `remark` follows the count.
    """

    declared: "List[L]"
    form: forms.BaseForm | None
    status: int = 200
    lines: tuple[L, ...] = ()
    heads: Sequence[Head] = ()
    rows: Sequence[Sequence[Cell]] = ()
    count: str = ""
    next_url: str = ""
    previous_url: str = ""
    first_url: str = ""
    clear_url: str = ""
    chips: Sequence[Chip] = ()
    files: Sequence[File] = ()
    empty: Empty | None = None
    loses_choices: bool = False
    views: Sequence[View] = ()
    shares: Sequence[Share] = ()
    remark: Text = ""
