"""Template tags and filters of the components in `templates/components/`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template import Context, Node, defaulttags
from django.template.base import Parser, Token
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from siths_portal.lib.lists import Cell
from siths_portal.lib.pages import dates, fixed_addresses, ids_in_texts, named_buttons, status_words
from siths_portal.lib.pages.status_words import Noun

register = template.Library()
register.filter(ids_in_texts.whole)
register.filter(ids_in_texts.with_whole_ids)
register.filter(dates.in_words)

_AT_THE_SUPPLIER = _("Hos kortleverantören")
_TAGS = {
    "ordered": ("clock", ""),
    "queued": ("clock", _("Beställd")),
    "accepted": ("clock", _AT_THE_SUPPLIER),
    "in_production": ("clock", _AT_THE_SUPPLIER),
    "produced": ("envelope", _AT_THE_SUPPLIER),
    "sent": ("envelope", ""),
    "new": ("star", _("Ny")),
    "active": ("tick", ""),
    "activated_unsigned": ("pen", ""),
    "revoked": ("ban", ""),
    "expired": ("hourglass", ""),
    "cancelled": ("cross", ""),
    "failed": ("cross", _("Misslyckades")),
    "returned": ("cross", _("I retur")),
    "protected": ("shield", _("Skyddade personuppgifter")),
    "missing": ("warning", _("Saknas")),
    "due": ("clock", ""),
    "waits": ("clock", ""),
}
"""A status tag's icon and usual text; without a text, the label of a card in that state. Any other
tag is for information only and has its own text.
"""
_INFO = ("info", "")


@register.filter
def genitive(name: str) -> str:
    """Returns a name's genitive in Swedish: Elins, but Alexis and Max as they are."""
    return name if name[-1:].casefold() in ("s", "x", "z") else f"{name}s"


@register.simple_tag
def icon(name: str) -> SafeString:
    """Returns a drawn icon, hidden from screen readers because the adjacent text says the same.

    `name` is a symbol of static/img/icons.svg. The line breaks around it set it apart from text. A tag and no template to
    include, since a page has some twenty.
    """
    drawn = '\n<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>\n'
    return format_html(drawn, static("img/icons.svg"), name)


class _FixedAddressNode(defaulttags.URLNode):
    """An address without arguments."""

    def render(self, context: Context) -> str:
        """Returns the address of the name."""
        return fixed_addresses.address(self.view_name.resolve(context))


@register.tag
def url(parser: Parser, token: Token) -> Node:
    """Works as Django's tag, but looks up an address without arguments once per process: the frame of a page has ten."""
    node = defaulttags.url(parser, token)
    if node.args or node.kwargs or node.asvar:
        return node
    return _FixedAddressNode(node.view_name, [], {}, None)


@register.filter
def tag_icon(kind: str) -> str:
    """Returns the icon of a status tag's kind."""
    return _TAGS.get(kind, _INFO)[0]


@register.filter
def tag_text(kind: str) -> str:
    """Returns the usual Swedish word of a status tag's kind, or ""."""
    text = _TAGS.get(kind, _INFO)[1]
    return gettext(text) if text else status_words.word(Noun.CARD, kind)


@register.filter
def status_of(state: str, noun: str) -> str:
    """Returns the word for a state of "card", "eid" or "order", in the gender of that noun."""
    return status_words.word(Noun(noun), state)


@register.filter
def breakable(text: str) -> SafeString:
    """Escapes an e-mail address and allows line breaks after @ and dots. Copied text stays unchanged."""
    return _with_breaks(re.split(r"(?<=[@.])(?=[^\s@.])", text))


@register.filter
def breakable_hash(text: Any) -> Any:
    """Allows a line break after every four bytes of hexadecimal octets, with or without colons. Decimal numbers, other values
    and copied text stay unchanged.
    """
    if not isinstance(text, str) or not _OCTETS.fullmatch(text):
        return text
    return _with_breaks(re.findall(".{1,12}" if ":" in text else ".{1,8}", text))


_OCTETS = re.compile(
    r"[0-9A-F]{40}|[0-9A-F]{64}"  # SHA-1 and SHA-256, even of digits alone
    r"|(?=\d*[A-F])(?:[0-9A-F]{2}){8,}"  # others, as a serial number backwards, told from a decimal number by a letter
    r"|(?:[0-9A-F]{2}:){7,}[0-9A-F]{2}",
    re.IGNORECASE,
)


def _with_breaks(parts: Iterable[str]) -> SafeString:
    return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in parts))


@register.filter
def is_optional(field: BoundField) -> bool:
    """Returns whether the field may be left empty. False for a checkbox, which is obviously optional."""
    return not field.field.required and field.widget_type != "checkbox"


@register.filter
def narrows(form: BaseForm, others: str = "") -> bool:
    """Returns whether a filter form leaves out rows, or has an error: a field has a value other than its first choice.

    `others` has the names of the fields that are not filters, separated by spaces.
    """
    return any(_is_set(field) for field in form.visible_fields() if field.name not in others.split())


def _is_set(field: BoundField) -> bool:
    unset = {"", *(str(value) for value, _label in list(getattr(field.field, "choices", ()))[:1])}
    value = field.value()
    return bool(field.errors) or (value is not None and str(value) not in unset)


_LONGEST_IN_COLUMN = 16
"""How many letters of a word a phone's column of labels holds, by `.stacked` in `tables.css`."""


@register.filter
def has_long_label(row: Iterable[Cell]) -> bool:
    """Returns whether a word of a label is longer than the usual column of labels on a phone."""
    return any(len(word) > _LONGEST_IN_COLUMN for cell in row for word in str(cell.label).split())


@register.simple_tag(takes_context=True)
def widget(context: Context, field: BoundField) -> SafeString:
    """Returns the input of `field`, with aria-describedby for its hint and errors, by the ids that Django would use."""
    described_by = [f"{field.auto_id}_helptext"] if context.get("hint") or field.help_text else []
    if field.errors:
        described_by.append(f"{field.auto_id}_error")
    attributes: dict[str, Any] = {"aria-describedby": " ".join(described_by)} if described_by else {}
    return field.as_widget(attrs=attributes)


@dataclass(frozen=True)
class ErrorLine:
    """A line of the error summary: the field's label and the id of its first input, both "" for an error of the form."""

    text: str
    name: str = ""
    target: str = ""


@register.simple_tag
def error_lines(form: BaseForm) -> list[ErrorLine]:
    """Returns the errors of `form`: first those of the form, then those of its fields.

    The user cannot correct a hidden field without a label, so one line for all of them says what to do.
    """
    lines = [ErrorLine(str(error)) for error in form.non_field_errors()]
    for field in form:
        if field.is_hidden and field.field.label is None:
            lines += [ErrorLine(gettext("Sidan är inte hel. Ladda om den och försök igen.")) for _error in field.errors[:1]]
        else:
            lines += [ErrorLine(str(error), with_colon(str(field.label)), _first_input(field)) for error in field.errors]
    return list(dict.fromkeys(lines))


_NUMBERS = ("noll", "ett", "två", "tre", "fyra", "fem", "sex", "sju", "åtta", "nio")


@register.filter
def number_word(number: int) -> str:
    """Returns a number below ten as a word that begins a sentence, a larger one in digits."""
    return _NUMBERS[number].capitalize() if number < len(_NUMBERS) else str(number)


@register.filter
def beside_heading(count: str, heading: str) -> str:
    """Returns the count of a list without its noun if the heading beside it ends with that noun: "3" beside "Kopplade kontor"."""
    number, _space, noun = str(count).rpartition(" ")
    return number if number and str(heading).split()[-1].casefold().startswith(noun.casefold()) else str(count)


@register.filter
def with_colon(label: str) -> str:
    """Returns the label with a colon, unless it ends with a punctuation mark."""
    label = str(label)
    return label if label.endswith(("?", ".", "!", ":")) else f"{label}:"


def _first_input(field: BoundField) -> str:
    """Returns the id to link to: that of the field, or of the first choice in a group."""
    return f"{field.auto_id}_0" if field.use_fieldset else field.id_for_label


@register.simple_tag(takes_context=True)
def changes(context: Context, search: str = "") -> SafeString:
    """Returns the beginning of a form that changes data: the CSRF token and the hidden button for Enter (`named_buttons`).

    Enter shows the page again, or presses the button `search` in a form with a search. `data-typed` tells the script that the
    form has values that the user typed before.
    """
    name, value = (search, "1") if search else (named_buttons.BUTTON, named_buttons.SHOW)
    token = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', context.get("csrf_token", ""))
    typed = SafeString(" data-typed") if getattr(context.get("request"), "kept_form", None) is not None else ""
    button = '<button class="ds-sr-only" type="submit" name="{}" value="{}" tabindex="-1" aria-hidden="true"{}></button>'
    return token + format_html(button, name, value, typed)


@register.simple_tag
def act() -> SafeString:
    """Returns the name and value of a form's main button."""
    return format_html('name="{}" value="{}"', named_buttons.BUTTON, named_buttons.ACT)


@register.simple_tag(takes_context=True)
def radio_options(context: Context, field: BoundField) -> list[dict[str, Any]]:
    """Returns the choices of `field`, or the context's `options`, each with id and whether it is selected."""
    return list(_options(field, context.get("options")))


def _options(field: BoundField, options: Any) -> Iterator[dict[str, Any]]:
    chosen = str(field.value() if field.value() is not None else "")
    given = options or ({"value": value, "label": label} for value, label in field.field.choices if value != "")  # type: ignore[attr-defined]
    for index, option in enumerate(given):
        values = {name: _get(option, name) for name in ("value", "label", "hint", "lines", "grave", "disabled", "key", "part")}
        checked = _get(option, "checked")  # by default the one with the field's value
        if checked is None:
            checked = str(values["value"]) == chosen
        yield values | {"id": f"{field.auto_id}_{index}", "checked": checked}


def _get(option: Any, name: str) -> Any:
    return option.get(name) if isinstance(option, dict) else getattr(option, name, None)
