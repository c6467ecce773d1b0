"""Tries an act on a carrier, and tells what is wrong with what came of it."""

from typing import Any

from django.db import connection

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import kind_of
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from siths_portal.lib.errors import DomainError
from tests.issuance.carriers.expecting import Act, Expected
from tests.issuance.carriers.situations import Situation

_STATEFUL = ("carrier", "eid", "cardorder", "orderitem", "eidorder", "eidapptransaction", "stockcard", "reservecardissue")
_ROWS = ", ".join(
    f"(SELECT md5(string_agg(concat_ws('/', id, state, seq), ',' ORDER BY id)) FROM issuance_{name})" for name in _STATEFUL
)
_STANDING = f"""
SELECT (SELECT max(id) FROM issuance_event), (SELECT count(*) FROM issuance_supplierevent), {_ROWS},
  (SELECT max(id) FROM pki_event), (SELECT count(*) FROM pki_certificate WHERE status = 'revoked')
"""
_OF_PKI = 2
"""The last columns, which are of `pki`."""

_LEFT = """
SELECT 'an eID is live' FROM issuance_eid WHERE carrier_id = %(id)s AND state IN ('ordered', 'active')
UNION ALL SELECT 'a transaction is open' FROM issuance_eidapptransaction
  WHERE carrier_id = %(id)s AND state IN ('created', 'started', 'code_set')
UNION ALL SELECT 'it is in stock' FROM issuance_stockcard WHERE carrier_id = %(id)s AND state IN ('in_stock', 'missing')
UNION ALL SELECT 'an eID is ordered' FROM issuance_eidorder WHERE carrier_id = %(id)s AND state = 'ordered'
UNION ALL SELECT 'a certificate is ' || status FROM pki_certificate
  WHERE carrier_ref = 'carrier:' || %(id)s AND status <> 'revoked'
"""


def standing() -> tuple[Any, ...]:
    """What a refused act must leave as it is: rows with states, revoked certificates, and the number of events."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING)
        return cursor.fetchone()


def left_behind(carrier_id: Any) -> set[str]:
    """What a revoked carrier must not have."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"id": str(carrier_id)})
        return {what for (what,) in cursor.fetchall()}


def told(card: Situation, act: Act) -> str:
    """The error code of the act, or an empty text."""
    try:
        act.attempt(card)
    except DomainError as error:
        return error.code
    return ""


def fault(card: Situation, act: Act, wanted: Expected, before: tuple[Any, ...]) -> str:
    """What is wrong after the act; an empty text if it is as expected."""
    state = CarrierState(card.carrier.state)
    code = told(card, act)
    if code != wanted.code:
        return f"told {code or 'nothing'}, not {wanted.code or wanted.event or 'nothing'}"
    after = standing()
    if wanted.in_pki:
        after, before = after[:-_OF_PKI], before[:-_OF_PKI]
    if wanted.code or not wanted.event:
        return "" if after == before else "something changed"
    events = Event.objects.filter(id__gt=before[0] or 0)
    if not events.filter(action=wanted.event).exists():
        return f"no event {wanted.event}"
    steps = list(events.filter(subject_type="carrier", subject_ref=str(card.carrier_id)).exclude(subject_seq=None))
    should = kind_of(card.carrier.kind).transitions[state, wanted.step] if wanted.step else state
    carrier = Carrier.objects.get(pk=card.carrier_id)
    if carrier.state != should:
        return f"is {carrier.state}, not {should}"
    if [step.action for step in steps] != ([f"carrier.{wanted.step}"] if wanted.step else []):
        return f"took {[step.action for step in steps]}, not {wanted.step}"
    if steps and (steps[0].facts["from"], steps[0].facts["to"], steps[0].subject_seq) != (state, should, carrier.seq):
        return f"its event says {steps[0].facts}"
    return ", ".join(sorted(left_behind(carrier.pk))) if carrier.state == CarrierState.REVOKED else ""
