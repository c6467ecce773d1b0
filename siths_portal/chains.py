"""The audit chains of all applications: every application with a model `Event` and a model `EventSeal` has one."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps

from siths_portal.lib import anchors, audit

log = structlog.get_logger(__name__)
BATCH = 1000


@dataclass(frozen=True)
class Chain:
    """One application's event table and its seals."""

    app: str
    events: Any
    seals: Any


def all_chains() -> list[Chain]:
    """The chain of each application that has one, by the application's label."""
    found = []
    for config in apps.get_app_configs():
        models = {model.__name__: model for model in config.get_models()}
        if "Event" in models and "EventSeal" in models:
            found.append(Chain(config.label, models["Event"], models["EventSeal"]))
    return sorted(found, key=lambda chain: chain.app)


def seal_all() -> int:
    """Seals everything below the horizon in each chain and returns how many events that was.

    A chain that does not agree with its anchor is left as it is, so that what was done to it stays visible.
    """
    total = 0
    for chain in all_chains():
        if fault := anchor_fault(chain):
            log.error("audit.anchor_disagrees", app=chain.app, seal=fault[0], fault=fault[1])
            continue
        sealed = done = audit.seal(chain.events, chain.seals, batch=BATCH)
        while done == BATCH:
            done = audit.seal(chain.events, chain.seals, batch=BATCH)
            sealed += done
        if sealed:
            anchors.note(chain.app, chain.seals)
        total += sealed
    return total


def anchor_fault(chain: Chain) -> tuple[int, str] | None:
    """Where and how the chain differs from its anchor; None if it does not."""
    try:
        anchor = anchors.read(chain.app)
    except ValueError:
        return 1, "ankaret utanför databasen går inte att läsa"
    return anchors.disagreement(anchor, chain.seals)


def verify(chain: Chain, *, start: int = 1) -> audit.Verification:
    """Walks the chain from seal `start`, and compares its end with the anchor outside the database."""
    fault = anchor_fault(chain)
    found = audit.verify(chain.events, chain.seals, start=start)
    if found.ok and fault:
        return dataclasses.replace(found, first_bad=fault[0], fault=fault[1])
    return found
