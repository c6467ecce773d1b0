"""A card supplier, a client of the supplier API: pulls orders, makes cards, gets certificates and reports its work.

It keeps one file for each order and writes it before each call, with the exact body. So it can be stopped anywhere and started
again: it repeats the same call with the same idempotency key, and makes and reports nothing twice.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from siths_portal.lib.files.atomic import write_atomically
from siths_portal.simulators.card import ENVELOPE, PROFILES, TRANSPORT, Card, CardError, new_serial
from siths_portal.simulators.supplier_client import Api, Refused, Reply, Unreachable
from siths_portal.simulators.supplier_letters import BadLetter, Printer
from siths_portal.simulators.supplier_records import FINAL, Job, Records

# SEIS cardNumber (SS 61 43 32), as in the certificates of SITHS cards.
CARD_NUMBER = x509.ObjectIdentifier("1.2.752.34.2.1")
PUK_ATTEMPTS = 2
LETTER = "puk_letter"

Report = Callable[[str], None]


class BadDelivery(Exception):
    """The portal's response does not match the card; the message names the check."""


@dataclass
class Supplier:
    """The supplier. `root` is the certificate in which every chain must end, if known; `report` gets a line for each step;
    `printer` prints its PUK letters, if it prints any.

    `p256_articles` are the numbers of articles with P-256 keys; the others have RSA-2048. `spoils` means that it spoils the first
    card of each order and makes another.
    """

    api: Api
    records: Records
    cards: Path
    root: x509.Certificate | None
    report: Report
    poll_seconds: float = 1.0
    polls: int = 60
    p256_articles: frozenset[str] = frozenset()
    spoils: bool = False
    printer: Printer | None = None

    def round(self, only: str | None = None) -> bool:
        """Continues every unfinished order and accepts queued ones, or only the order `only`.

        Returns True if all are finished, or if the one order is sent. Waits for another process with the same records.
        """
        with self.records.turn():
            return self._round(only)

    def _round(self, only: str | None) -> bool:
        queued: list[str] = []
        new: list[str] = []
        read = True
        unfinished = [job.order_id for job in self.records.all() if job.step not in FINAL]
        try:
            self._follow_changes()
            queued += self._queued()
            new += [order_id for order_id in queued if self._is_new(order_id)]
        except (Refused, Unreachable) as failure:
            self.report(f"orders not read: {failure}")
            read = False
        if only is not None:
            if only not in queued and self.records.find(only) is None:
                self.report(f"order {only}: not in the queue")
                return False
            return self._guarded(only)
        results = [self._guarded(order_id) for order_id in [*unfinished, *new]]
        return all(results) and read

    def _queued(self) -> list[str]:
        """Returns the ids of the orders that wait for the supplier."""
        return [order["id"] for order in self.api.orders("queued")]

    def _is_new(self, order_id: str) -> bool:
        """Returns whether a queued order is to be taken: a new one, or one whose card came back and is made again."""
        job = self.records.find(order_id)
        if job is None or job.step != "sent":
            return job is None
        added = self._items(job, job.item)
        if added:
            self.records.save(Job(order_id, item=added[-1]["number"]))
        return bool(added)

    def _follow_changes(self) -> None:
        """Stops withdrawn orders and marks revoked cards. Other changes are only reported: each step reads what it needs."""
        try:
            changes = list(self.api.changes(self.records.last_change()))
        except Refused as refusal:
            if refusal.code != "change-unknown":
                raise
            changes = list(self.api.changes(0))  # the portal's database is a new one
        for change in changes:
            self._follow(change)
            self.records.followed(change["number"])

    def _follow(self, change: dict[str, Any]) -> None:
        job = self.records.find(change["order"]) if change["order"] else None
        concerned = job is not None and job.step not in FINAL and change["item"] in (None, job.item)
        if job is not None and concerned and change["kind"] in ("cancelled", "revoked"):
            if change["kind"] == "cancelled":
                job.step, job.stopped_by = "stopped", change["reason"]
            job.revoked = change["kind"] == "revoked"
            self.records.save(job)
        self.report(f"change {change['number']}: {change['kind']} {change['order'] or change['customisation']}")

    def _guarded(self, order_id: str) -> bool:
        """Continues one order as far as possible. Returns whether it is sent."""
        job = self.records.find(order_id) or Job(order_id)
        try:
            self._work(job)
        except Unreachable as failure:
            self.report(f"order {order_id}: waits, {failure}")
        except (Refused, BadDelivery, BadLetter, CardError) as failure:
            job.step, job.stopped_by = "stopped", str(failure)
            self.records.save(job)
            self.report(f"order {order_id}: stopped, {failure}")
        return job.step == "sent"

    def _work(self, job: Job) -> None:
        steps = {
            "taken": self._accept,
            "accepted": self._make_card,
            "made": self._get_certificates,
            "personalised": self._finish_card,
            "printed": self._report_printed,
            "produced": self._await_puk,
            "puk-sealed": self._report_sent,
        }
        self.records.save(job)
        while job.step in steps:
            (self._report_failed if job.revoked and job.step != "taken" else steps[job.step])(job)
            self.records.save(job)
            self.report(f"order {job.order_id}: {job.step}")

    def _post(self, job: Job, name: str, path: str, body: Callable[[], Any]) -> Any:
        """Posts with an idempotency key for the item and step. The body is made once and stored for repeats."""
        if name not in job.bodies:
            job.bodies[name] = body()
            self.records.save(job)
        key = f"{job.order_id}:{job.item}:{name}"
        return self.api.post(f"orders/{job.order_id}/{path}", key=key, body=job.bodies[name])

    @staticmethod
    def _of_item(job: Job, path: str) -> str:
        """Returns the path of a call on the item. An ordinary card that is the only item needs no number."""
        alone = job.item == 1 and not job.several and job.profiles == list(PROFILES)
        return path if alone else f"items/{job.item}/{path}"

    def _accept(self, job: Job) -> None:
        order = self._accepted_order(job)
        job.registered_mail = bool(order["article"]["registered_mail"])
        job.several = order["item_count"] > 1
        job.keys = "ec-p256" if order["article"]["number"] in self.p256_articles else "rsa-2048"
        job.step = "accepted"

    def _accepted_order(self, job: Job) -> dict[str, Any]:
        """Accepts the order and returns it."""
        return cast(dict[str, Any], self._post(job, "accept", "accept", dict).body)

    def _make_card(self, job: Job) -> None:
        order = self.api.get(f"orders/{job.order_id}").body  # the print data and the delivery address, which are not stored here
        if order["print"] is None:
            raise BadDelivery("the card is not to be made: it is revoked, or its order has ended")
        item = self._items(job, job.item - 1)[0]
        if item["kind"] == LETTER:
            self._print_letter(job, order)
            return
        job.profiles = item["profiles"]
        if not job.serial:
            job.serial = new_serial()
            job.puk = "".join(secrets.choice("0123456789") for _ in range(8))
            # The code of a blank reserve card is the envelope's, so its holder types it.
            blank = job.profiles == [TRANSPORT]
            job.transport_code = f"{secrets.randbelow(10**6):06d}" if blank else secrets.token_urlsafe(24)
            self.records.save(job)
        try:
            codes = {"puk": job.puk, "transport_code": job.transport_code}
            Card.make(self.cards, job.serial, **codes, keys=job.keys, profiles=job.profiles)
        except CardError as refusal:
            if refusal.code != "exists":  # otherwise an interrupted run made it, with the codes of this record
                raise
        if job.profiles == [TRANSPORT]:
            write_atomically(self.cards / job.serial / ENVELOPE, job.transport_code.encode())
        self._print_photo(job, order["print"]["photo_sha256"])
        job.step = "made"

    def _print_letter(self, job: Job, order: dict[str, Any]) -> None:
        """Reads the PUK of a letter, which the portal hands out once, and prints it. Has the letter made again if its PUK was
        handed out before, and the answer lost.
        """
        if self.printer is None:
            raise BadDelivery("the supplier prints no letters")
        try:
            reply = self._polled(f"orders/{job.order_id}/puk", self.api.get(f"orders/{job.order_id}/puk"))
        except Refused as refusal:
            if refusal.code != "puk-gone":
                raise
            self._remake(job)
            return
        self.printer.print_letter(order, job.item, reply.body["puk_jwe"])
        job.step = "printed"

    def _report_printed(self, job: Job) -> None:
        self._post(job, "produced", self._of_item(job, "events"), lambda: {"type": "produced"})
        job.step = "puk-sealed"

    def _polled(self, path: str, reply: Reply) -> Reply:
        """Repeats the call until the portal has what is read there."""
        for _ in range(self.polls):
            if reply.status != 202:
                return reply
            self.api.sleep(self.poll_seconds)
            reply = self.api.get(path)
        if reply.status == 202:
            raise Unreachable("the answer is still pending")
        return reply

    def _print_photo(self, job: Job, sha256: str | None) -> None:
        """Stores the order's photo next to the card. Raises BadDelivery if it is not the ordered photo."""
        if sha256 is None:
            return
        picture = self.api.picture(f"orders/{job.order_id}/photo")
        if hashlib.sha256(picture).hexdigest() != sha256:
            raise BadDelivery("the photo is another than the one ordered")
        write_atomically(self.cards / job.serial / "photo.jpg", picture)

    def _get_certificates(self, job: Job) -> None:
        card = Card(self.cards / job.serial)

        def body() -> dict[str, Any]:
            csrs = card.csrs(code=job.transport_code, profiles=job.profiles)
            return {"card_serial": job.serial, "card_key": card.card_key(), "csrs": csrs}

        path = self._of_item(job, "certificates")
        reply = self._polled(f"orders/{job.order_id}/{path}", self._post(job, "certificates", path, body))
        self._check(job, reply.body)
        card.store_certificates(reply.body["certificates"], code=job.transport_code)
        job.step = "personalised"

    def _check(self, job: Job, delivery: dict[str, Any]) -> None:
        """Raises BadDelivery unless each certificate has the card's key and number and a chain to the root."""
        if set(delivery["certificates"]) != set(job.profiles):
            raise BadDelivery("other certificates than asked for")
        for profile, pem in delivery["certificates"].items():
            certificate = x509.load_pem_x509_certificate(pem.encode())
            request = x509.load_pem_x509_csr(job.bodies["certificates"]["csrs"][profile].encode())
            if certificate.public_key() != request.public_key():
                raise BadDelivery(f"{profile} has another key")
            number = certificate.extensions.get_extension_for_oid(CARD_NUMBER).value
            if not isinstance(number, x509.UnrecognizedExtension) or not number.value.endswith(job.serial.encode()):
                raise BadDelivery(f"{profile} has another card number")
            chain = [certificate, *x509.load_pem_x509_certificates(delivery["chains"][profile].encode())]
            try:
                for subject, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True):
                    subject.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                raise BadDelivery(f"{profile} has no unbroken chain") from None
            if len(chain) < 2 or (self.root is not None and chain[-1] != self.root):
                raise BadDelivery(f"{profile} does not end in the known root")

    def _finish_card(self, job: Job) -> None:
        """Reports the card produced, or spoils it if it is the order's first and the supplier spoils those."""
        (self._remake if self.spoils and job.item == 1 else self._report_produced)(job)

    def _report_produced(self, job: Job) -> None:
        def body() -> dict[str, Any]:
            first = job.bodies.get("produced")
            mifare_id = first["mifare_id"] if first else str(secrets.randbelow(2**32)).zfill(10)
            puk = {"no_puk": True} if job.profiles == [TRANSPORT] else {"puk_jwe": self._encrypted_puk(job)}
            return {"type": "produced", "mifare_id": mifare_id, **puk}

        events = self._of_item(job, "events")
        # A PUK is sent again with another idempotency key, since its JWE differs.
        self._post(job, f"produced-{job.puk_refusals}" if job.puk_refusals else "produced", events, body)
        job.step = "produced"

    def _remake(self, job: Job) -> None:
        """Gives up the card as spoilt, waits until the portal has added the item that replaces it, and begins with that."""
        body = {"item": job.item, "reason": "misprint", "fault": "supplier"}
        number = self._post(job, "remake", "remake", lambda: body).body["item"]
        for poll in range(self.polls + 1):
            if poll:
                self.api.sleep(self.poll_seconds)
            if self._items(job, number - 1):
                self._begin(job, number)
                return
        raise Unreachable("the item is not added yet")

    def _await_puk(self, job: Job) -> None:
        """Waits until the portal has decrypted the PUK. Sends it again, to the newest key, if it was refused."""
        for poll in range(self.polls + 1):
            if poll:
                self.api.sleep(self.poll_seconds)
            # The list, because the order itself contains the holder's address.
            item = self._items(job, job.item - 1)[0]
            if item["state"] != "produced":
                raise BadDelivery("the item is not produced any more")
            if item["puk"] in ("sealed", "none"):
                job.puk = job.transport_code = ""
                job.step = "puk-sealed"
                return
            if item["puk"] == "refused":
                job.puk_refusals += 1
                if job.puk_refusals > PUK_ATTEMPTS:
                    raise BadDelivery(f"the PUK is refused: {item['puk_refusal']}")
                job.step = "personalised"
                return
        raise Unreachable("the PUK is still pending")

    def _encrypted_puk(self, job: Job) -> str:
        """Returns the PUK as JWE (ECDH-ES, A256GCM) for the portal's newest key. The protected header has order and card."""
        key = self.api.get("keys").body["keys"][0]
        registry = jwe.JWERegistry(
            header_registry={name: HeaderParameter(name, "str") for name in ("order", "serial")},
            algorithms=["ECDH-ES", "A256GCM"],
        )
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], "order": job.order_id, "serial": job.serial}
        return jwe.encrypt_compact(header, job.puk.encode(), ECKey.import_key(key), registry=registry)

    def _report_failed(self, job: Job) -> None:
        """Reports a revoked card as failed, and ends the order."""
        self._post(job, "failed", self._of_item(job, "events"), lambda: {"type": "failed", "reason": "card-revoked"})
        job.puk = job.transport_code = ""
        job.step, job.stopped_by = "stopped", "card-revoked"

    def _report_sent(self, job: Job) -> None:
        def body() -> dict[str, Any]:
            today = dt.datetime.now(ZoneInfo("Europe/Stockholm")).date().isoformat()
            report = {"type": "sent", "sent_on": today}
            if job.registered_mail:
                report["registered_mail_id"] = f"LA00R{secrets.randbelow(10**6):06d}SE"
            return report

        self._post(job, "sent", self._of_item(job, "events"), body)
        waiting = [item for item in self._items(job, job.item) if item["state"] == "waiting"] if job.several else []
        if waiting:
            self._begin(job, waiting[0]["number"])
        else:
            job.bodies = {}
            job.step = "sent"

    def _items(self, job: Job, after: int) -> list[dict[str, Any]]:
        """Returns the items of the order after a number."""
        return cast(list[dict[str, Any]], self.api.get(f"orders/{job.order_id}/items", after=str(after)).body["items"])

    @staticmethod
    def _begin(job: Job, item: int) -> None:
        """Begins with another item of the accepted order."""
        job.item, job.serial, job.puk, job.transport_code, job.puk_refusals, job.bodies = item, "", "", "", 0, {}
        job.step = "accepted"
