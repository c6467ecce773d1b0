"""The forms of pages as data, and what is wrong with a page that answers one: for tests that send every form of the portal."""

import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from lxml import html

from siths_portal.lib.pages import named_buttons
from tests import pressing
from tests.access.asking import content

MARKUP = "<i class=typed>{{7|add:7}}</i>"
"""What a page shows as it was written (S39)."""
LONG = MARKUP + "Å1" * 5000
"""10,000 characters that no field takes."""
LONG_IN_QUERY = MARKUP + "Å1" * 1150
"""The same in a query: by one such parameter a request line is as long as a front takes, 8 KiB."""
MOST = 120
"""Characters of LONG that a page may show in a row, outside of fields."""
_TYPED = frozenset({"text", "search", "email", "tel", "url", "number", "date", "datetime-local"})
_SENDS = frozenset({"submit", "button", "file", "image"})
_READ_ALOUD = ("title", "aria-label", "alt", "placeholder")
_UNREAD = frozenset({"textarea", "script", "style"})
_BUTTONS = pressing.NAMED | {named_buttons.BUTTON, "csrfmiddlewaretoken"}


def parsed(response: Any) -> Any:
    """The response as a tree of elements; None if it is no page."""
    text = content(response) if response.headers.get("Content-Type", "").startswith("text/html") else ""
    return html.fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8")) if text else None


def fields_sent_to(name: str, page: Any, path: str) -> tuple[set[str], set[str]]:
    """The fields of the page's forms whose address has this name: those that one types into, and the others."""
    typed, others = set(), set()
    for form in page.forms:
        if _name_of(urlsplit(form.get("action") or path).path) != name:
            continue
        for field in form.inputs:
            kind = field.get("type", "text")
            if field.get("name") and field.get("name") not in _BUTTONS and kind not in _SENDS and field.tag != "button":
                is_typed = field.tag == "textarea" or (field.tag == "input" and kind in _TYPED)
                (typed if is_typed else others).add(field.get("name"))
    return typed, others


def _name_of(path: str) -> str:
    try:
        return resolve(path).url_name or ""
    except Resolver404:
        return ""


def faults(page: Any) -> Iterator[str]:
    """What a page that answers a form must not have: MARKUP as markup or as a template, a flood of LONG, and errors that the
    summary or the field does not tell.
    """
    if page.xpath("//i[@class='typed']") or "typed>14" in page.text_content():
        yield "what was written is interpreted"
    for place, length in _runs(page):
        if length > MOST:
            yield f"{length} characters of a long text in a row in {place}"
    for link in page.xpath('//div[contains(@class, "ds-error-summary")]//a'):
        target, text = link.get("href", "")[1:], _squeezed(link.text_content())
        found = page.xpath("//*[@id=$id]", id=target)
        if len(found) != 1:
            yield f"{text[:150]!r} leads to #{target}, which {len(found)} elements have"
            continue
        labels = list(_labels(page, found[0], target))
        if not any(name and text.startswith(name) for name in labels):
            yield f"{text[:150]!r} leads to #{target}, which is called {labels}"
        if _is_answered(found[0]) and not any(text.endswith(said) for said in _errors_at(page, found[0])):
            yield f"{text[:150]!r} does not stand at #{target}"


def lost(page: Any, names: Collection[str]) -> Iterator[str]:
    """The fields that do not hold what was typed into them."""
    for name in sorted(names):
        if not page.xpath("//*[@name=$name and (@value=$typed or normalize-space(.)=$typed)]", name=name, typed=LONG):
            yield f"{name} does not hold what was typed"


def _runs(page: Any) -> Iterator[tuple[str, int]]:
    """The runs of LONG in what a page shows or reads aloud, and in which element each is."""
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        texts = [element.text or "", *(element.get(name, "") for name in _READ_ALOUD)] if element.tag not in _UNREAD else []
        for text in (*texts, *(child.tail or "" for child in element)):
            place = f"<{element.tag} {dict(element.attrib)}>"[:MOST]
            yield from ((place, len(run)) for run in re.findall("(?:å1)+", text.lower()))


def _labels(page: Any, element: Any, target: str) -> Iterator[str]:
    """The names of a field: its label, the legend or heading of what it is in, and its own text if it is a heading."""
    for label in page.xpath("//label[@for=$id]", id=target):
        yield _squeezed("".join(label.xpath('.//text()[not(ancestor::*[contains(@class, "field-optional")])]')))
    yield _squeezed(element.get("aria-label", ""))
    for above in (element, *element.iterancestors()):
        for legend in above.xpath("./legend"):
            yield _squeezed("".join(legend.xpath(".//text()[not(ancestor::small)]")))  # without its note
        for heading in (above.get("aria-labelledby") or "").split():
            yield from (_squeezed(each.text_content()) for each in page.xpath("//*[@id=$id]", id=heading))
    if element.tag in ("h1", "h2", "h3"):
        yield _squeezed(element.text_content())


def _is_answered(element: Any) -> bool:
    """True of a field, and of the heading of a list in which one ticks; not of the heading of a page that asks nothing."""
    lists = element.xpath("ancestor::*[contains(concat(' ', @class, ' '), ' list-frame ')]")
    return element.tag in ("input", "select", "textarea") or any(frame.xpath(".//input[@type='checkbox']") for frame in lists)


def _errors_at(page: Any, element: Any) -> Iterator[str]:
    """The errors that describe a field, or the group that it is in."""
    for above in (element, *element.iterancestors()):
        for described in (above.get("aria-describedby") or "").split():
            for message in page.xpath("//*[@id=$id]//*[contains(@class, 'ds-validation-message')]", id=described):
                yield _squeezed("".join(message.xpath(".//text()[not(ancestor::*[contains(@class, 'ds-sr-only')])]")))


def _squeezed(text: str) -> str:
    return " ".join(text.split())
