"""Panels of the page of an invoice that higher packages register, as organisations' pages get their tabs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from siths_portal.lib.registry import Registry


@dataclass(frozen=True)
class InvoicePanel:
    """A panel. `build` returns what its template shows of the invoice, or None to leave the panel out.

    The page gives it the `InvoiceView` that it has found for its reader; `build` checks any further right itself.
    """

    rank: int
    template: str
    build: Callable[[HttpRequest, Any], Mapping[str, Any] | None]


@dataclass(frozen=True)
class BuiltPanel:
    """A panel with its content, for the page's template."""

    template: str
    content: Mapping[str, Any]


INVOICE_PANELS: Registry[InvoicePanel] = Registry(key=lambda panel: panel.template, order=lambda panel: panel.rank)


def invoice_panels(request: HttpRequest, view: Any) -> list[BuiltPanel]:
    """Returns the panels of an invoice, in order."""
    built = ((panel, panel.build(request, view)) for panel in INVOICE_PANELS)
    return [BuiltPanel(panel.template, content) for panel, content in built if content is not None]
