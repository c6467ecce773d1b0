"""The audit chains of all applications. Every application with the models `Event`, `EventSeal` and `EventMacs` has one."""

import structlog
from django.apps import apps

from siths_portal.lib import ports
from siths_portal.lib.audit import anchors, macs, seals
from siths_portal.lib.audit import heads as audit_heads
from siths_portal.lib.audit.keys import AuditKeys, KeysUnavailable
from siths_portal.lib.audit.verification import Tables, Verification
from siths_portal.lib.audit.verification import verify as verify_tables

log = structlog.get_logger(__name__)
BATCH = 1000


def all_chains() -> list[Tables]:
    """Returns the chain of each application that has one, sorted by label."""
    found = []
    for config in apps.get_app_configs():
        models = {model.__name__: model for model in config.get_models()}
        if {"Event", "EventSeal", "EventMacs"} <= set(models):
            found.append(Tables(config.label, models["Event"], models["EventSeal"], models["EventMacs"]))
    return sorted(found, key=lambda chain: chain.app)


def seal_all() -> int:
    """Seals all events below the horizon in each chain and returns how many.

    Does not extend a chain that differs from its anchor, so that the change stays visible.
    """
    total = 0
    for chain in all_chains():
        if fault := anchor_fault(chain):
            log.error("audit.anchor_disagrees", app=chain.app, seal=fault[0], fault=fault[1])
            continue
        sealed = done = seals.seal(chain.events, chain.seals, batch=BATCH)
        while done == BATCH:
            done = seals.seal(chain.events, chain.seals, batch=BATCH)
            sealed += done
        if sealed:
            anchors.note(chain.app, chain.seals)
        total += sealed
    return total


def mac_all(*, blocks: int = 50) -> int:
    """Makes MACs of up to `blocks` blocks of seals in each chain and returns how many. Runs in the `pki` worker, with the token.

    If a chain differs from its anchors, events or MACs, makes none for it and logs an error. If the keys cannot be used now, the
    seals wait.
    """
    keys, total = ports.get(AuditKeys), 0
    if not keys.usable():
        log.error("audit.no_keys")
        return 0
    for chain in all_chains():
        if fault := anchor_fault(chain) or mac_anchor_fault(chain):
            log.error("audit.anchor_disagrees", app=chain.app, seal=fault[0], fault=fault[1])
            continue
        try:
            total += _mac(chain, keys, blocks)
        except macs.Disagreement as error:
            log.error("audit.chain_disagrees", app=chain.app, seal=error.fault.seq, fault=error.fault.text)
        except KeysUnavailable as error:
            log.error("audit.macs_postponed", app=chain.app, error=str(error))
    return total


def _mac(chain: Tables, keys: AuditKeys, blocks: int) -> int:
    made = 0
    for _ in range(blocks):
        done = macs.extend(chain.app, chain.events, chain.seals, chain.macs, keys)
        made += done
        if done:
            anchors.note_macs(chain.app, chain.macs)
        if done < macs.BLOCK:
            break
    return made


def heads() -> dict[str, audit_heads.Head]:
    """Returns the newest seal of each chain that has one, by application."""
    found = {}
    for chain in all_chains():
        if newest := chain.seals.objects.order_by("-seq").first():
            found[chain.app] = audit_heads.Head(newest.seq, bytes(newest.digest))
    return found


def anchor_fault(chain: Tables) -> tuple[int, str] | None:
    """Returns where and how the chain differs from its anchor, or None."""
    try:
        anchor = anchors.read(chain.app)
    except ValueError:
        return 1, "ankaret utanför databasen går inte att läsa"
    return anchors.disagreement(anchor, chain.seals)


def mac_anchor_fault(chain: Tables) -> tuple[int, str] | None:
    """Returns where and how the MACs differ from their anchor, or None."""
    try:
        anchor = anchors.read(chain.app + anchors.MACS)
    except ValueError:
        return 1, "ankaret för MAC utanför databasen går inte att läsa"
    return anchors.macs_disagreement(anchor, chain.macs)


def verify(chain: Tables, *, start: int = 1) -> Verification:
    """Verifies the chain from seal `start` against MACs, signed heads and the anchors outside the database.

    MACs are recomputed if this process may open the token.
    """
    keys = ports.get(AuditKeys)
    faults = [fault for fault in (anchor_fault(chain), mac_anchor_fault(chain)) if fault]
    outside = min(faults, key=lambda fault: fault[0], default=None)
    marks = lambda: audit_heads.marks(chain.app)  # noqa: E731
    found = verify_tables(chain, keys=keys if keys.usable() else None, marks=marks, start=start)
    if outside is None or (found.first_bad is not None and found.first_bad <= outside[0]):
        return found
    return found.but(*outside)
