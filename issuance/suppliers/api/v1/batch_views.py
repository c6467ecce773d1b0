"""Batches of the supplier API: up to 50 single calls in one, each with its own result. One entry's fault stops no other."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.suppliers.api.v1 import answers, problems, repeats
from issuance.suppliers.api.v1 import batch_serializers as batches
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.base import SupplierView
from issuance.suppliers.api.v1.items import ItemCertificates
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from issuance.suppliers.services.card_certificates import CardRequest
from pki import service as pki
from siths_portal.lib.errors import DomainError
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.batches import Batch, Result, attempted, refused, results
from siths_portal.lib.rest.json_views import JsonView, client_ref, idempotent, valid

_PROBLEMS = problems.responses(*openapi.WITH_KEY, *openapi.WITH_BODY)


def _entries(request: Request) -> list[Any]:
    return list(valid(Batch, request.data)["entries"])


def _answer(found: Sequence[Result]) -> Response:
    return Response({"results": [{"status": result.status, "body": result.body} for result in found]})


class AcceptBatch(SupplierView):
    """The acceptance of many orders."""

    @extend_schema(
        operation_id="accept_orders",
        summary="Accept up to 50 queued orders",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=batches.AcceptBatch,
        responses={200: batches.AcceptResults, **_PROBLEMS},
    )
    @idempotent(about=repeats.of_batch)
    def post(self, request: Request) -> Response:
        """Returns a result for each entry. Send a refused entry again in a batch with another Idempotency-Key."""
        caller = client_ref(request)

        def act(entry: Any) -> Result:
            order_id = valid(batches.AcceptEntry, entry)["order"]
            order = supplier_intake.accept(client_ref=caller, order_id=order_id)
            return Result(200, forms.OrderSerializer(order).data)

        return _answer(results(_entries(request), act, problems.TEXTS))


class ReportBatch(SupplierView):
    """Reports on many orders."""

    @extend_schema(
        operation_id="report_events",
        summary="Report up to 50 events",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=batches.ReportBatch,
        responses={200: batches.ReportResults, **_PROBLEMS},
    )
    @idempotent(about=repeats.of_batch)
    def post(self, request: Request) -> Response:
        """Returns a result for each entry. Send a refused entry again in a batch with another Idempotency-Key."""
        caller = client_ref(request)

        def act(entry: Any) -> Result:
            given = valid(batches.ReportEntry, entry)
            report = answers.report(given["body"])
            outcome = supplier_events.register_event(
                client_ref=caller, order_id=given["order"], item=given.get("item"), event=report
            )
            return Result(answers.report_status(outcome, report), {"outcome": outcome.value})

        return _answer(results(_entries(request), act, problems.TEXTS))


def _without_certificates(data: Any) -> Any:
    """Returns the results with the bodies of problems alone: certificates name persons, and are not stored with the key."""
    return [{"status": each["status"], "body": each["body"] if each["status"] >= 300 else None} for each in data["results"]]


def _read_again(_view: JsonView, request: Request, *, stored: list[Any]) -> Response:
    """Returns the stored problems, and for the other entries the certificates as they are now."""
    cards, _ = _cards(_entries(request))
    done = {place: cards[place] for place, result in enumerate(stored) if result["status"] < 300}
    by_order = card_certificates.planned_ids(client_ref=client_ref(request), order_ids=[card.order_id for card in done.values()])
    planned = {place: ids for place, card in done.items() if (ids := _ids_of(card, by_order.get(card.order_id, {})))}
    found = _certificate_results(planned, pki.certificates(id_ for ids in planned.values() for id_ in ids))
    kept = {place: Result(result["status"], result["body"]) for place, result in enumerate(stored) if place not in found}
    return _answer([(found | kept)[place] for place in range(len(stored))])


def _ids_of(card: CardRequest, items: Mapping[int, list[UUID]]) -> list[UUID]:
    """Returns the ids of the card's item, of the last one if the entry named none."""
    return items.get(card.item if card.item is not None else max(items, default=0), [])


class CertificateBatch(SupplierView):
    """The certificates of many cards."""

    @extend_schema(
        operation_id="request_batch_certificates",
        summary="Bind up to 50 cards to their orders and have their certificates signed together",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=batches.CertificateBatch,
        responses={200: batches.CertificateResults, **_PROBLEMS},
    )
    @idempotent(read_again=_read_again, kept=_without_certificates, about=repeats.of_batch)
    def post(self, request: Request) -> Response:
        """Returns a result for each entry: 201 with the certificates, or 202 if they are not signed within the time that a
        request may wait; read those at the order. Send a refused entry again in a batch with another Idempotency-Key.
        """
        caller = client_ref(request)
        cards, found = _cards(_entries(request))
        outcomes = card_certificates.request_batch(client_ref=caller, requests=list(cards.values()))
        planned: dict[int, list[UUID]] = {}
        for place, outcome in zip(cards, outcomes, strict=True):
            if isinstance(outcome, DomainError):
                found[place] = refused(outcome, problems.TEXTS)
            else:
                planned[place] = outcome
        ids = [id_ for of_card in planned.values() for id_ in of_card]
        settled = pki.wait_until_settled(ids, seconds=settings.CERTIFICATE_WAIT_SECONDS)
        supplier_events.replay_parked_of([cards[place].order_id for place in planned])
        found |= _certificate_results(planned, settled)
        return _answer([found[place] for place in sorted(found)])


def _cards(entries: Sequence[Any]) -> tuple[dict[int, CardRequest], dict[int, Result]]:
    """Returns the cards of well-formed entries and the problems of the others, by place."""
    cards: dict[int, CardRequest] = {}
    wrong: dict[int, Result] = {}
    for place, entry in enumerate(entries):
        try:
            cards[place] = _card(entry)
        except serializers.ValidationError as error:
            wrong[place] = refused(error, problems.TEXTS)
    return cards, wrong


def _card(entry: Any) -> CardRequest:
    given = valid(batches.CertificateEntry, entry)
    body = given["body"]
    attestations = body.get("attestations", ())
    return CardRequest(given["order"], body["card_serial"], body["card_key"], body["csrs"], given.get("item"), attestations)


def _certificate_results(planned: Mapping[int, Sequence[UUID]], settled: Sequence[pki.CertificateView]) -> dict[int, Result]:
    """Returns the result of each entry from the ids of its certificates. Reads the chain of each CA once."""
    views, chain = {view.id: view for view in settled}, functools.cache(answers.pem_chain)

    def result(ids: Sequence[UUID]) -> Result:
        data = answers.certificates([views[id_] for id_ in ids], chain)
        return Result(202, {"status": "pending"}) if data is None else Result(201, ItemCertificates(data).data)

    return {place: attempted(lambda ids=ids: result(ids), problems.TEXTS) for place, ids in planned.items()}  # type: ignore[misc]
