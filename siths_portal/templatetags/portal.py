"""What the components under `templates/components/` need from bound fields of forms."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from siths_portal.lib.pages import named_buttons

register = template.Library()

_AT_THE_SUPPLIER = _("Hos kortleverantören")
_TAGS = {
    "ordered": ("clock", _("Beställd")),
    "queued": ("clock", _("Beställd")),
    "accepted": ("clock", _AT_THE_SUPPLIER),
    "in_production": ("clock", _AT_THE_SUPPLIER),
    "produced": ("envelope", _AT_THE_SUPPLIER),
    "sent": ("envelope", _("Skickat")),
    "new": ("star", _("Ny")),
    "active": ("tick", _("Aktiv")),
    "activated_unsigned": ("pen", _("Aktiverad – underskrift saknas")),
    "revoked": ("ban", _("Spärrad")),
    "expired": ("hourglass", _("Utgången")),
    "cancelled": ("cross", _("Avbruten")),
    "failed": ("cross", _("Misslyckades")),
    "returned": ("cross", _("I retur")),
    "protected": ("shield", _("Skyddade personuppgifter")),
    "missing": ("warning", _("Saknas")),
}
"""A status tag's icon and usual text. What is none of these only informs, in words of its own."""
_INFO = ("info", "")


@register.filter
def tag_icon(kind: str) -> str:
    """The symbol of a status tag's kind."""
    return _TAGS.get(kind, _INFO)[0]


@register.filter
def tag_text(kind: str) -> str:
    """The usual word of a status tag's kind, empty for one that has none."""
    text = _TAGS.get(kind, _INFO)[1]
    return gettext(text) if text else ""


@register.filter
def breakable(text: str) -> SafeString:
    """An address that may be broken after its @ and dots, escaped. What is copied from the page is the text as it was."""
    parts = re.split(r"(?<=[@.])(?=[^\s@.])", text)
    return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in parts))


@register.filter
def is_optional(field: BoundField) -> bool:
    """True for what may be left empty; a box that may be ticked says so by itself."""
    return not field.field.required and field.widget_type != "checkbox"


@register.simple_tag(takes_context=True)
def widget(context: Context, field: BoundField) -> SafeString:
    """The input of `field`, described by its hint (also the context's) and its errors, by the ids that Django would use."""
    described_by = [f"{field.auto_id}_helptext"] if context.get("hint") or field.help_text else []
    if field.errors:
        described_by.append(f"{field.auto_id}_error")
    attributes: dict[str, Any] = {"aria-describedby": " ".join(described_by)} if described_by else {}
    return field.as_widget(attrs=attributes)


@dataclass(frozen=True)
class ErrorLine:
    """A line of the error summary: the field's label and the id of its first input, both empty for the form as a whole."""

    text: str
    name: str = ""
    target: str = ""


@register.simple_tag
def error_lines(form: BaseForm) -> list[ErrorLine]:
    """Returns what is wrong with `form`: first with the form as a whole, then field by field.

    A hidden field without a label is the page's own: what is wrong with it nobody can correct, so one line says what to do.
    """
    lines = [ErrorLine(str(error)) for error in form.non_field_errors()]
    for field in form:
        if field.is_hidden and field.field.label is None:
            lines += [ErrorLine(gettext("Sidan är inte hel. Ladda om den och försök igen.")) for _error in field.errors[:1]]
        else:
            lines += [ErrorLine(str(error), _before_error(str(field.label)), _first_input(field)) for error in field.errors]
    return list(dict.fromkeys(lines))


def _before_error(label: str) -> str:
    """The label as it introduces an error: with a colon, unless it ends a sentence by itself."""
    return label if label.endswith(("?", ".", "!", ":")) else f"{label}:"


def _first_input(field: BoundField) -> str:
    """The id that a link to the field leads to: of a group, its first choice's."""
    return f"{field.auto_id}_0" if field.use_fieldset else field.id_for_label


@register.simple_tag(takes_context=True)
def changes(context: Context, search: str = "") -> SafeString:
    """What a form that changes something begins with: its token, and the hidden button that Enter presses (`named_buttons`).

    Enter shows the page again, or presses the button `search` of a form that is searched in before it is sent. `data-typed` tells
    the script that the form holds what was typed before.
    """
    name, value = (search, "1") if search else (named_buttons.BUTTON, named_buttons.SHOW)
    token = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', context.get("csrf_token", ""))
    typed = SafeString(" data-typed") if getattr(context.get("request"), "kept_form", None) is not None else ""
    button = '<button class="ds-sr-only" type="submit" name="{}" value="{}" tabindex="-1" aria-hidden="true"{}></button>'
    return token + format_html(button, name, value, typed)


@register.simple_tag
def act() -> SafeString:
    """The name and value of a form's main button."""
    return format_html('name="{}" value="{}"', named_buttons.BUTTON, named_buttons.ACT)


@register.simple_tag(takes_context=True)
def radio_options(context: Context, field: BoundField) -> list[dict[str, Any]]:
    """The choices of `field`, or the context's `options` in their place, with id and whether picked."""
    return list(_options(field, context.get("options")))


def _options(field: BoundField, options: Any) -> Iterator[dict[str, Any]]:
    chosen = str(field.value() if field.value() is not None else "")
    given = options or ({"value": value, "label": label} for value, label in field.field.choices if value != "")  # type: ignore[attr-defined]
    for index, option in enumerate(given):
        values = {name: _get(option, name) for name in ("value", "label", "hint", "lines", "grave", "disabled", "key")}
        yield values | {"id": f"{field.auto_id}_{index}", "checked": str(values["value"]) == chosen}


def _get(option: Any, name: str) -> Any:
    return option.get(name) if isinstance(option, dict) else getattr(option, name, None)
