"""One card of the demo from order to signed receipt, with the portal's pages, the supplier and the eID app."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from pki import service as pki
from siths_portal.demo import holder, ordering, portraits, receipts
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.clerk import CardRequest, Clerk
from siths_portal.demo.logotypes import PUSHED_SUPPLIER

SUPPLIER_SECONDS = 120


class LineFault(RuntimeError):
    """A step did not have the expected result."""


@dataclass
class Issued:
    """A certificate of the card, its issuer, and the names of their files."""

    profile: str
    certificate: x509.Certificate
    issuer: x509.Certificate
    file: str
    issuer_file: str


@dataclass
class CardLine:
    """The steps of one card's life and their results. `folder` is the folder of its certificates, below the artefacts' folder.

    `place` is the HSA-id of the organisation to look in first.
    """

    artefacts: Artefacts
    article: str
    folder: str
    place: str = ""
    clerk: Clerk = field(default_factory=Clerk)
    code: str = field(default_factory=holder.new_code, repr=False)
    earlier_secrets: list[str] = field(default_factory=list, repr=False)
    issued: list[Issued] = field(default_factory=list)
    chain_files: list[str] = field(default_factory=list)
    found: ordering.Case | None = None
    order_id: UUID | None = None
    letter_id: UUID | None = None

    @property
    def case(self) -> ordering.Case:
        """Holder, ID administrator and office. Raises LineFault before `log_in`."""
        if self.found is None:
            raise LineFault("no person was found to order a card for")
        return self.found

    @property
    def card_order(self) -> CardOrder:
        """The order of this card. Raises LineFault before `order`."""
        if self.order_id is None:
            raise LineFault("no card was ordered")
        return CardOrder.objects.with_card().get(pk=self.order_id)

    @property
    def serial(self) -> str:
        """The card's serial number."""
        return self.card_order.carrier.card_serial

    @property
    def secrets(self) -> list[str]:
        """Every code that the holder has chosen, and the PUK as a letter shows it."""
        return [self.code, *self.earlier_secrets]

    def log_in(self) -> None:
        """Finds a person without a card. The person's ID administrator logs in as one of the provider's test persons."""
        self.found = ordering.find_case(self.article, first=self.place)
        self.clerk.log_in(self.case.clerk.name, self.case.clerk.hsa_id)

    def order(self) -> None:
        """The ID administrator finds the person and orders a card with a photo."""
        self.clerk.find(self.case.holder.written)
        photo = portraits.portrait_of(int(self.case.holder.number[-5:]))
        self.clerk.order(CardRequest(self.article, photo, self.case.office.name, self.case.holder.hsa_id))
        self.order_id = ordering.order_of(self.case.holder).id

    def replace(self, old: "CardLine", reason: str) -> None:
        """The ID administrator of another line orders this card in the place of that line's card."""
        self.clerk, self.found = old.clerk, old.found
        self.clerk.find(self.case.holder.written)
        self.clerk.replace_card(reason)
        self.order_id = ordering.order_of(self.case.holder).id

    def supply(self) -> None:
        """The supplier, a separate process, gets the order over mTLS and reports the card sent."""
        if self.card_order.supplier_ref == PUSHED_SUPPLIER:
            self._await_pushed()
            return
        run_supplier(str(self.card_order.id))

    def _await_pushed(self) -> None:
        """Waits for the running supplier, which the portal calls. Raises LineFault."""
        deadline = time.monotonic() + SUPPLIER_SECONDS
        while self.card_order.state != OrderState.SENT:
            if time.monotonic() > deadline:
                raise LineFault(f"the supplier that is pushed to did not finish: the order is {self.card_order.state}")
            time.sleep(0.1)

    def collect_certificates(self) -> None:
        """Writes the four certificates, the root and the issuing CAs as PEM files. Raises LineFault."""
        views = pki.certificates(ordering.certificate_ids(self.card_order))
        issuers: dict[tuple[str, int], tuple[str, x509.Certificate]] = {}
        for ca in sorted({(view.ca, view.generation) for view in views}):
            for der in reversed(pki.chain(*ca)):
                certificate = x509.load_der_x509_certificate(der)
                name = f"chain/{_file_name(certificate)}.pem"
                if name not in self.chain_files:
                    self.chain_files.append(self.artefacts.put(name, certificate.public_bytes(Encoding.PEM)))
                issuers[ca] = (name, certificate)
        for view in views:
            if view.der is None:
                raise LineFault(f"{view.profile} has no certificate")
            certificate = x509.load_der_x509_certificate(view.der)
            file = self.artefacts.put(f"{self.folder}/{view.profile}.pem", certificate.public_bytes(Encoding.PEM))
            issuer_file, issuer = issuers[view.ca, view.generation]
            self.issued.append(Issued(view.profile, certificate, issuer, file, issuer_file))
        if len(self.issued) != 4:
            raise LineFault("the card does not have four certificates")

    def activate(self) -> None:
        """The ID administrator identifies the holder, who chooses a code and signs the receipt in the eID app."""
        self.clerk.begin_activation("Körkort")
        holder.activate(self.clerk.handle(), self.serial, self.code)
        self.clerk.finish_activation()

    def unlock(self) -> None:
        """The holder has forgotten the code. The ID administrator identifies the holder, who chooses a new code in the app."""
        self._choose_new_code()
        self.clerk.find(self.case.holder.written)
        self.clerk.begin_unlocking("Pass")
        holder.unlock(self.clerk.handle("Öppna SITHS eID-appen"), self.serial, self.code)
        self.clerk.finish_unlocking()

    def unlock_by_letter(self) -> None:
        """The holder has forgotten the code again and gets a letter with the PUK, which the supplier prints."""
        self._choose_new_code()
        self.clerk.find(self.case.holder.written)
        self.clerk.order_letter(self.case.office.name)
        letter = OrderItem.objects.filter(puk_of=self.card_order.carrier).latest("pk")
        self.letter_id = letter.order_id
        run_supplier(str(letter.order_id))
        printed = settings.VAR_DIR / "simulators" / "supplier" / "letters" / f"{letter.order_id}-{letter.number}.txt"
        puk = printed.read_text().split()[-1]
        self.earlier_secrets.append(puk)
        holder.unlock_with_letter(self.serial, puk, self.code)

    def _choose_new_code(self) -> None:
        self.earlier_secrets.append(self.code)
        self.code = holder.new_code()

    def judged_receipt(self) -> bytes:
        """Returns the receipt that the portal shows, after checking that the card's key signed the complete file.

        Raises ReceiptFault.
        """
        pdf = self.clerk.receipt()
        signing = next(one for one in self.issued if one.profile == "person-id-sign")
        root = x509.load_der_x509_certificate(pki.chain("root")[0])
        receipts.check(pdf, signer=signing.certificate, root=root, intermediates=[signing.issuer])
        return pdf


def run_supplier(order_id: str) -> None:
    """Has the supplier, in a process of its own, finish the order. Raises LineFault."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "supplier_simulator", "--once", "--order", order_id]
    if user := os.environ.get("SITHS_SIMULATORS_USER"):  # so that the simulators can read the card
        command = ["runuser", "-u", user, "--", *command]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=SUPPLIER_SECONDS, check=False)
    if done.returncode or CardOrder.objects.get(pk=order_id).state != OrderState.SENT:
        raise LineFault(f"the supplier did not finish: {(done.stderr or done.stdout).strip()[-400:]}")


def _file_name(certificate: x509.Certificate) -> str:
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(name.value).lower().replace(" ", "").replace("-", "")
