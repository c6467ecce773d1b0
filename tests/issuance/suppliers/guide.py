"""The parts of docs/supplier that are made from the code, between `<!-- name -->` and `<!-- /name -->`.

`python -m tests.issuance.suppliers.guide` writes them; a test compares them.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import django
import yaml

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "supplier"
DESCRIPTION = ROOT / "issuance" / "suppliers" / "api" / "v1" / "openapi.yaml"
BASE = "/api/supplier/v1/"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(heads), *([" ".join(str(cell).split()) for cell in row] for row in rows)]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([texts[0], "|" + "---|" * len(lines[0]), *texts[1:]])


def calls() -> str:
    """Every call of the API, with what it does."""
    described: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())["paths"]
    rows = [
        (f"`{method.upper()} {path.removeprefix(BASE).replace('{order_id}', '{id}')}`", operation["summary"])
        for path, operations in described.items()
        for method, operation in operations.items()
    ]
    return table(("call", "what it does"), rows)


def states() -> str:
    """The diagram of an order's states."""
    from issuance.orders.domain.order_states import TRANSITIONS, OrderAction, OrderState

    labels = {
        OrderAction.ACCEPT: "POST accept",
        OrderAction.CANCEL: "the customer withdraws",
        OrderAction.START_PRODUCTION: "POST certificates, GET puk of a letter",
        OrderAction.PRODUCE: "produced",
        OrderAction.SEND: "sent, and the PUK is sealed",
        OrderAction.FAIL: "failed",
        OrderAction.RETURN: "returned",
        OrderAction.REMAKE: "POST remake",
    }
    again = {
        (state, OrderAction.REMAKE): "the customer has a returned piece made again"
        for state in (OrderState.SENT, OrderState.RETURNED)
    }
    steps = [f"    {step[0]} --> {end}: {again.get(step, labels[step[1]])}" for step, end in TRANSITIONS.items()]
    ends = set(TRANSITIONS.values()) - {start for start, _ in TRANSITIONS}
    steps += [f"    {end} --> [*]" for end in sorted(ends)]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> queued: the customer orders", *steps, "```"])


def outcomes() -> str:
    """The outcome of the first report of each kind on a card in each state."""
    from issuance.orders.domain.items import ItemState
    from issuance.suppliers.domain import outcome_of

    refused = {ItemState.CANCELLED: "409 `order-withdrawn`"}
    rows = [(f"*{state}*", *(refused.get(state) or outcome_of(kind, state) for kind in REPORTS)) for state in ItemState]
    return table(("state of the item", *(f"*{kind}*" for kind in REPORTS)), rows)


REPORTS = ("produced", "sent", "failed", "returned")


def visible() -> str:
    """What the supplier may read in each state."""
    from issuance.orders.domain.order_states import OrderState
    from issuance.suppliers.services.supplier_intake import _OPEN, _UNFINISHED

    rows = [(f"*{state}*", "yes" if state in _OPEN else "no", "yes" if state in _UNFINISHED else "no") for state in OrderState]
    return table(("state of the order", "`print` and `delivery`", "photo"), rows)


def codes() -> str:
    """Every error code, with what to do."""
    from issuance.suppliers.api.v1.problems import TEXTS

    rows = sorted((text.status, code, text) for code, text in TEXTS.items())
    return table(
        ("status", "code", "meaning", "what to do"),
        ((str(status), f"`{code}`", text.meaning, text.action) for status, code, text in rows),
    )


def changes() -> str:
    """The reasons of changes."""
    from issuance.suppliers.domain import REASONS

    return table(("`reason`", "meaning"), ((f"`{reason}`", meaning) for reason, meaning in REASONS.items()))


def refusals() -> str:
    """The reasons of refused PUKs."""
    from issuance.orders.domain.puk_states import REFUSALS

    return table(("`puk_refusal`", "meaning"), ((f"`{code}`", meaning) for code, meaning in REFUSALS.items()))


PLACES = {
    "given_name": "front, before the surname",
    "surname": "front",
    "organisation_name": "front",
    "service_id": "front",
    "valid_to": "front, as a day",
    "photo_sha256": "names the photo, front",
    "logotype_sha256": "names the logotype of the card customisation, front",
    "issuer_number": "back",
    "back_text": "back, its lines as they are: at most 8 with at most 45 characters",
}


def printed() -> str:
    """Where each value of an order is printed."""
    from issuance.suppliers.api.v1.serializers import PrintSerializer

    rows = [(f"`print.{name}`", PLACES[name]) for name in PrintSerializer().fields]
    rows += [
        ("your card serial", "back, 19 digits in groups of 4, 4, 3, 4 and 4"),
        ("`delivery.recipient`, `delivery.address`", "envelope only"),
    ]
    return table(("value", "where"), rows)


def cases() -> str:
    """The cases of the sandbox."""
    from siths_portal.demo.sandbox_cases import CASES

    rows = ((f"`{case.code}`", case.happens, case.expected, f"*{case.ends}*") for case in CASES)
    return table(("case", "what happens", "what your client does", "ends as"), rows)


SECTIONS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"calls": calls},
    "states.md": {"states": states, "outcomes": outcomes, "visible": visible},
    "changes.md": {"reasons": changes},
    "errors.md": {"codes": codes},
    "puk.md": {"refusals": refusals},
    "printing.md": {"printed": printed},
    "sandbox.md": {"cases": cases},
}


def filled(page: str) -> str:
    """The text of a page with its parts as the code has them now. Raises ValueError if the page lacks the place of a part."""
    text = (GUIDE / page).read_text()
    for name, make in SECTIONS.get(page, {}).items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        content = make()
        text, found = place.subn(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{page}: {name}")
    return text


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
    django.setup()
    for each in SECTIONS:
        (GUIDE / each).write_text(filled(each))
