"""The inventory: compares every object in each token with the rows of `HsmKey` (E2.15). Runs in the `pki` worker.

An unknown object, a missing key and a key that differs from its row raise alarms: an event, a log line and, for a known key, the
finding in its row. The root's token is expected to be absent between ceremonies.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from pki.domain.key_inventory import InventoryReport, Problem, ProblemKind, TokenSeen, TokenState
from pki.hsm import HsmError, TokenObject, hsm_for
from pki.hsm.token_keys import SECRET_KEYS, keys_at_rest
from pki.models import Event, HsmKey, KeyFinding, KeyInventory
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex

log = structlog.get_logger(__name__)

ACTOR = "system:key-inventory"
PERIOD = dt.timedelta(days=1)
_EARLY = dt.timedelta(hours=1)  # a run that comes slightly early still counts for the day
# An event has at most this many problems; the report has all.
_IN_EVENT = 50


def run_due() -> InventoryReport | None:
    """Makes the day's inventory, unless it exists. Also runs for a key that the token has not confirmed yet."""
    newest = KeyInventory.newest()
    unconfirmed = HsmKey.objects.filter(retired_at=None, finding="").exists()
    if newest is not None and clock.now() - newest.started_at < PERIOD - _EARLY and not unconfirmed:
        return None
    return run()


def run() -> InventoryReport:
    """Compares now, stores the result and raises the alarms. No keys are created or destroyed in the meantime."""
    started = clock.now()
    problems: list[Problem] = []
    tokens: list[TokenSeen] = []
    checked: list[HsmKey] = []
    with keys_at_rest():
        rows: dict[str, list[HsmKey]] = {label: [] for label in (settings.PKCS11_TOKEN, settings.PKCS11_ROOT_TOKEN)}
        for row in HsmKey.objects.order_by("label"):
            rows.setdefault(row.token_label, []).append(row)
        for label, known in sorted(rows.items()):
            seen, objects = _read(label)
            tokens.append(seen)
            if seen.state == TokenState.READ:
                problems += _compare(label, objects, known)
                checked += [row for row in known if row.retired_at is None]
            elif seen.state == TokenState.UNREACHABLE and known:
                problems.append(Problem(ProblemKind.UNREACHABLE, label))
    return _store(started, tokens, problems, checked)


def _read(label: str) -> tuple[TokenSeen, list[TokenObject]]:
    token = hsm_for(label)
    try:
        if not token.is_present():
            offline = label == settings.PKCS11_ROOT_TOKEN != settings.PKCS11_TOKEN
            return TokenSeen(label, TokenState.OFFLINE if offline else TokenState.UNREACHABLE), []
        objects = token.everything()
    except HsmError as error:
        log.error("inventory.token_failed", token=label, error=type(error).__name__)
        return TokenSeen(label, TokenState.UNREACHABLE), []
    return TokenSeen(label, TokenState.READ, len(objects)), objects


def _compare(token: str, objects: Sequence[TokenObject], rows: Iterable[HsmKey]) -> list[Problem]:
    """Returns the token's problems, and sets the finding of each row whose key should be in it."""
    problems: list[Problem] = []
    left = list(objects)
    retired = set()
    for row in rows:
        if row.retired_at is not None:
            retired.add(row.key_id)
            continue
        key = _take(left, row, ("secret_key",) if row.purpose in SECRET_KEYS else ("private_key",))
        public = None if row.purpose in SECRET_KEYS else _take(left, row, ("public_key",))
        facts = {} if key is None else _drift(row, key, public)
        row.finding = KeyFinding.MISSING if key is None else KeyFinding.DRIFTED if facts else KeyFinding.AS_RECORDED
        row.finding_facts = facts
        if row.finding != KeyFinding.AS_RECORDED:
            problems.append(Problem(str(row.finding), token, row.key_id, row.label, facts))
    for each in left:
        facts = {"object": each.kind} | ({"retired": True} if each.key_id in retired else {})
        problems.append(Problem(ProblemKind.UNKNOWN, token, each.key_id, each.label, facts))
    return problems


def _take(left: list[TokenObject], row: HsmKey, kinds: tuple[str, ...]) -> TokenObject | None:
    """Removes the row's object from `left` and returns it; if several have its CKA_ID, prefers the one with its label."""
    found = sorted(
        (each for each in left if each.key_id == row.key_id and each.kind in kinds), key=lambda each: each.label != row.label
    )
    if not found:
        return None
    left.remove(found[0])
    return found[0]


def _drift(row: HsmKey, key: TokenObject, public: TokenObject | None) -> dict[str, Any]:
    """Returns how a key differs from its row: pairs of the recorded and the found value."""
    facts: dict[str, Any] = {
        name: [value, key.attributes.get(name)] for name, value in row.attributes.items() if key.attributes.get(name) is not value
    }
    if key.label != row.label:
        facts["label"] = [row.label, key.label]
    if row.purpose not in SECRET_KEYS:
        recorded = sha256_hex(bytes(row.public_key_der))
        found = public.public_key_sha256 if public else None
        if found != recorded:
            facts["public_key_sha256"] = [recorded, found]
    return facts


def _store(
    started: dt.datetime, tokens: Sequence[TokenSeen], problems: Sequence[Problem], checked: Sequence[HsmKey]
) -> InventoryReport:
    for problem in problems:
        log.error("inventory.alarm", **asdict(problem))
    with transaction.atomic(durable=True):
        row = KeyInventory.objects.create(
            started_at=started,
            ended_at=clock.now(),
            tokens=[asdict(each) for each in tokens],
            problems=[asdict(each) for each in problems],
        )
        for key in checked:
            key.checked_at = row.ended_at
        HsmKey.objects.bulk_update(checked, ["checked_at", "finding", "finding_facts"], batch_size=500)
        Event.record(
            actor_ref=ACTOR,
            action="inventory.alarm" if problems else "inventory.completed",
            subject_type="key_inventory",
            subject_ref=str(row.id),
            facts={
                "tokens": row.tokens,
                "keys": len(checked),
                "problem_count": len(problems),
                "problems": row.problems[:_IN_EVENT],
            },
        )
    return row.report()
