"""One card from order to invoice: the demo, on the running house, as its users and neighbours would do it."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from django.conf import settings

from billing import service as billing
from billing.domain.periods import Month
from billing.models import FileFormat, Invoice
from billing.services import rendering
from issuance.domain.order_states import OrderState
from pki import service as pki
from siths_portal import chains
from siths_portal.demo import holder, log_scan, ordering, portraits, receipts
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.clerk import Clerk, Wish
from siths_portal.demo.status_client import await_ocsp, fetch_crl
from siths_portal.lib import jobs

SUPPLIER_SECONDS = 120
ALGORITHMS: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA1(), hashes.SHA256())  # noqa: S303  (CertID hashes, RFC 6960)


class WalkFault(RuntimeError):
    """A step did not end as it must."""


@dataclass
class Issued:
    """One certificate of the card with its issuer, and the files they lie in."""

    profile: str
    certificate: x509.Certificate
    issuer: x509.Certificate
    file: str
    issuer_file: str


@dataclass
class Walk:
    """Carries what the steps learn. `month` is the one that is invoiced; `say` gets a line a step."""

    artefacts: Artefacts
    month: Month
    say: Callable[[str], None]
    case: ordering.Case | None = None
    clerk: Clerk = field(default_factory=Clerk)
    code: str = field(default_factory=holder.new_code, repr=False)
    issued: list[Issued] = field(default_factory=list)

    def run(self) -> None:
        """Does every step in order and stops at the first that fails. The summary is written after each."""
        self.artefacts.summary["portal_url"] = settings.PORTAL_BASE_URL
        for name, step in self.steps():
            started = time.monotonic()
            with self.artefacts.step(name):
                step()
            self.say(f"  {name:<44} {time.monotonic() - started:6.1f} s")

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """The steps that exist, in the order in which a card lives."""
        return [
            ("Log in at the identity provider", self.log_in),
            ("Order a card at the portal's pages", self.place_order),
            ("Supplier makes, certifies and sends the card", self.supply),
            ("Collect the certificates and their chain", self.collect_certificates),
            ("Activate the card with the eID app", self.activate),
            ("Judge the signed receipt", self.judge_receipt),
            ("OCSP says good", self.ask_good),
            ("Log in with the card and its code", self.log_in_with_card),
            ("Revoke the card at the portal's pages", self.revoke),
            ("OCSP says revoked", self.ask_revoked),
            ("The identity provider refuses the card", self.refuse_card),
            ("Publish and fetch the CRLs", self.publish_crls),
            ("Invoice last month", self.invoice),
            ("The card is in the running month", self.preview),
            ("Verify the audit chains", self.verify_audit),
            ("Find no personal data in the logs", self.scan_logs),
        ]

    def log_in(self) -> None:
        """An ID-administrator logs in as one of the provider's test persons."""
        self.case = ordering.find_case()
        self.clerk.log_in(self.case.clerk.name, self.case.clerk.hsa_id)

    def place_order(self) -> None:
        """She finds a person without a card and orders one, with a photo."""
        case = self._case
        self.clerk.find(case.holder.written)
        photo = portraits.portrait_of(int(case.holder.number[-5:]))
        self.clerk.order(Wish(ordering.ARTICLE, photo, case.office.name, case.holder.hsa_id))
        self.artefacts.summary["person_id"] = str(case.holder.person_id)

    def supply(self) -> None:
        """The supplier, a process of its own, pulls the order over mTLS and reports the card sent."""
        order_id = str(ordering.order_of(self._case.holder).id)
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "supplier_simulator", "--once", "--order", order_id]
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=SUPPLIER_SECONDS, check=False
        )
        order = ordering.order_of(self._case.holder)
        if done.returncode or order.state != OrderState.SENT:
            raise WalkFault(f"the supplier did not finish: {(done.stderr or done.stdout).strip()[-400:]}")
        self.artefacts.summary["card_serial"] = order.carrier.card_serial

    def collect_certificates(self) -> None:
        """Four certificates, the root and the CAs that issued them, as PEM files."""
        views = pki.certificates(ordering.certificate_ids(ordering.order_of(self._case.holder)))
        chain_files: list[str] = []
        issuers: dict[tuple[str, int], tuple[str, x509.Certificate]] = {}
        for ca in sorted({(view.ca, view.generation) for view in views}):
            for der in reversed(pki.chain(*ca)):
                certificate = x509.load_der_x509_certificate(der)
                name = f"chain/{_file_name(certificate)}.pem"
                if name not in chain_files:
                    chain_files.append(self.artefacts.put(name, certificate.public_bytes(Encoding.PEM)))
                issuers[ca] = (name, certificate)
        for view in views:
            if view.der is None:
                raise WalkFault(f"{view.profile} has no certificate")
            certificate = x509.load_der_x509_certificate(view.der)
            file = self.artefacts.put(f"certificates/{view.profile}.pem", certificate.public_bytes(Encoding.PEM))
            issuer_file, issuer = issuers[view.ca, view.generation]
            self.issued.append(Issued(view.profile, certificate, issuer, file, issuer_file))
        if len(self.issued) != 4:
            raise WalkFault("the card does not have four certificates")
        self.artefacts.summary |= {
            "certificates": [one.file for one in self.issued],
            "ca_chain": chain_files,
            "issuer_of": {one.file: one.issuer_file for one in self.issued},
        }

    def ask_good(self) -> None:
        """Each certificate is good, by both CertID hashes."""
        self.artefacts.summary["ocsp_before"] = self._ask("before", ocsp.OCSPCertStatus.GOOD)

    def activate(self) -> None:
        """The clerk identifies the holder, who chooses a code and signs the receipt in the eID app's windows."""
        self.clerk.begin_activation("Körkort")
        holder.activate(self.clerk.handle(), self._serial, self.code)
        self.clerk.finish_activation()

    def judge_receipt(self) -> None:
        """The PDF that the portal shows is signed over its whole by the card's own key, up to the root."""
        pdf = self.clerk.receipt()
        signing = next(one for one in self.issued if one.profile == "person-id-sign")
        root = x509.load_der_x509_certificate(pki.chain("root")[0])
        receipts.check(pdf, signer=signing.certificate, root=root, intermediates=[signing.issuer])
        self.artefacts.summary["receipt_pdf"] = self.artefacts.put("receipt.pdf", pdf)

    def log_in_with_card(self) -> None:
        """The holder, with a role for as long as it takes, logs in with the new card, and out again."""
        case = self._case
        grant = ordering.give_reading_role(case.holder)
        try:
            own = Clerk()
            own.log_in_with_card(self._serial, self.code, case.holder.hsa_id)
            own.log_out()
        finally:
            ordering.end_reading_role(case.holder, grant)

    def revoke(self) -> None:
        """The card is reported lost."""
        self.clerk.find(self._case.holder.written)
        self.clerk.revoke_card("Förlorat eller stulet")

    def refuse_card(self) -> None:
        """A revoked card opens nothing any more."""
        refused = Clerk().try_card(self._serial, self.code)
        if "spärrat" not in refused.text:
            raise refused.fault("the revoked card was not refused")

    def ask_revoked(self) -> None:
        """Each certificate is revoked within five seconds, by both CertID hashes."""
        self.artefacts.summary["ocsp_after"] = self._ask("after", ocsp.OCSPCertStatus.REVOKED)

    def _ask(self, moment: str, wanted: ocsp.OCSPCertStatus) -> list[str]:
        files = []
        for one in self.issued:
            answers = [await_ocsp(one.certificate, one.issuer, algorithm, wanted) for algorithm in ALGORITHMS]
            files.append(self.artefacts.put(f"ocsp/{moment}-{one.profile}.der", answers[0]))
        return files

    def publish_crls(self) -> None:
        """The pki worker publishes; each issuing CA's list names its two certificates, the root's list names no CA."""
        jobs.enqueue("pki.publish_crls", queue="pki")
        files: list[str] = []
        wanted = [(one.certificate, True) for one in self.issued] + [(one.issuer, False) for one in self.issued]
        for certificate, listed in wanted:
            name, content = fetch_crl(certificate, listed=listed)
            path = self.artefacts.put(f"crl/{name}", content)
            if path not in files:
                files.append(path)
        self.artefacts.summary["crl"] = files

    def invoice(self) -> None:
        """Last month is drafted, numbered and rendered; again it stays as it is."""
        result = billing.run_month(self.month, actor_ref="system:demo", issue=True)
        issued = [customer for customer in result.customers if customer.number]
        if not issued:
            raise WalkFault("no invoice was issued for the month")
        largest = max(issued, key=lambda customer: customer.payable)
        invoice = Invoice.objects.get(number=largest.number)
        self.artefacts.summary |= {
            "invoice_number": invoice.number,
            "invoice_total": f"{invoice.gross:.2f}",
            "invoice_payable": f"{invoice.payable:.2f}",
            "invoice_ubl": self.artefacts.put(f"invoice/{invoice.number}.xml", rendering.stored(invoice, FileFormat.PEPPOL)),
            "invoice_pdf": self.artefacts.put(f"invoice/{invoice.number}.pdf", rendering.stored(invoice, FileFormat.PDF)),
        }

    def preview(self) -> None:
        """The card of this walk stands in the running month's preview."""
        if billing.previewed_line(ordering.order_of(self._case.holder).id) is None:
            raise WalkFault("the card is not in the running month's preview")

    def verify_audit(self) -> None:
        """Every application's events are chained and agree with the chain."""
        chains.seal_all()
        faults = [chain.app for chain in chains.all_chains() if not chains.verify(chain).ok]
        self.artefacts.summary["audit_ok"] = not faults
        if faults:
            raise WalkFault(f"the audit chain is broken in {', '.join(faults)}")

    def scan_logs(self) -> None:
        """No log of the house names a person, a card or a secret."""
        folders = [settings.VAR_DIR / "log", settings.VAR_DIR / "supervisor"]
        found = log_scan.scan(folders, log_scan.terms())
        if found:
            raise WalkFault(f"personal data in {', '.join(found[:5])}")

    @property
    def _case(self) -> ordering.Case:
        if self.case is None:
            raise WalkFault("nobody was found to order a card for")
        return self.case

    @property
    def _serial(self) -> str:
        return str(self.artefacts.summary["card_serial"])


def _file_name(certificate: x509.Certificate) -> str:
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(name.value).lower().replace(" ", "").replace("-", "")
