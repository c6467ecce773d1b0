"""The demo: one card from order to invoice in the running development environment, over the interfaces of users and systems."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from billing import service as billing
from billing.records.domain.periods import Month
from pki import service as pki
from siths_portal.demo import guide, log_scan, ordering, places, secret_scan, status_client
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.card_line import CardLine
from siths_portal.demo.clerk import Clerk
from siths_portal.demo.invoicing import MonthOfInvoices
from siths_portal.demo.own_mobile import OwnMobile
from siths_portal.demo.reserve_cards import ReserveCards
from siths_portal.demo.status_client import await_ocsp, fetch_crl
from siths_portal.lib.processes import jobs
from siths_portal.wiring import chains

_LOGS = (settings.VAR_DIR / "log", settings.VAR_DIR / "supervisor")
ALGORITHMS: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA1(), hashes.SHA256())  # noqa: S303  (CertID hashes, RFC 6960)


class WalkFault(RuntimeError):
    """A step did not have the expected result."""


@dataclass
class Walk:
    """The steps of the demo and their results. `month` is the month to invoice; `say` gets a line for each step."""

    artefacts: Artefacts
    month: Month
    say: Callable[[str], None]
    card: CardLine = field(init=False)
    p256: CardLine = field(init=False)
    replacement: CardLine = field(init=False)
    reserve_cards: ReserveCards = field(init=False)
    invoices: MonthOfInvoices = field(init=False)
    mobile: OwnMobile = field(default_factory=OwnMobile)

    def __post_init__(self) -> None:
        self.card = CardLine(self.artefacts, ordering.ARTICLE, "certificates")
        self.p256 = CardLine(self.artefacts, ordering.ARTICLE_P256, "certificates-p256", places.PUSHED_PLACE)
        self.replacement = CardLine(self.artefacts, ordering.ARTICLE_P256, "certificates-replacement", places.PUSHED_PLACE)
        self.reserve_cards = ReserveCards(self.artefacts)
        self.invoices = MonthOfInvoices(self.artefacts, self.month)

    def run(self) -> None:
        """Runs every step in order and stops at the first failure. Writes the summary after each."""
        self.artefacts.summary["portal_url"] = settings.PORTAL_BASE_URL
        for name, step in self.steps():
            started = time.monotonic()
            with self.artefacts.step(name):
                step()
            self.say(f"  {name:<44} {time.monotonic() - started:6.1f} s")

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Returns the steps in order, each with its name."""
        return [
            ("Log in at the identity provider", self.card.log_in),
            ("Registervård lists last month's cards", self.list_work),
            ("Order a card at the portal's pages", self.place_order),
            ("Supplier makes, certifies and sends the card", self.supply),
            ("Collect the certificates and their chain", self.collect_certificates),
            ("OCSP says that it is on hold", self.ask_on_hold),
            ("Activate the card with the eID app", self.card.activate),
            ("Judge the signed receipt", self.judge_receipt),
            ("OCSP says good", self.ask_good),
            ("Log in with the card and its code", self.log_in_with_card),
            *self._mobile_steps(),
            ("Unlock the card at a visit", self.card.unlock),
            ("Unlock it by a PUK letter", self.card.unlock_by_letter),
            ("Revoke the card at the portal's pages", self.revoke),
            ("OCSP says revoked", self.ask_revoked),
            ("The identity provider refuses the card", self.refuse_card),
            # The ID administrator may be the same person; logging in again ends the earlier session.
            ("Order a card with P-256 keys", self.order_p256),
            ("Supplier makes, certifies and sends it", self.supply_p256),
            ("Activate it and judge its receipt", self.activate_p256),
            ("Replace it as damaged", self.replace),
            ("Supplier makes, certifies and sends the new card", self.replacement.supply),
            ("Activate it, which revokes the old one", self.activate_replacement),
            ("Stop a visit for a suspected document", self.suspect_document),
            ("Order a bundle of reserve cards", self.reserve_cards.order_bundle),
            ("Supplier makes and sends the bundle", self.reserve_cards.supply),
            ("Two officers get cards of their own", self.reserve_cards.give_officers_cards),
            ("An officer receives the bundle", self.reserve_cards.receive),
            ("Two officers hand out a reserve card", self.reserve_cards.hand_out),
            ("Activate the reserve card", self.reserve_cards.activate),
            ("Log in with the reserve card on Mina sidor", self.reserve_cards.log_in),
            ("Name in the guide what can be tried by hand", self.write_guide),
            ("Publish and fetch the CRLs", self.publish_crls),
            ("The scheduled job drafts last month's invoices", self.invoices.draft),
            ("Two finance people approve them", self.invoices.approve),
            ("Tasks number and render the invoices", self.invoices.issue),
            ("The access point delivers the invoice", self.invoices.deliver),
            ("Two finance people credit one line", self.invoices.credit),
            ("Card, letter and bundle are in the running month", self.preview),
            ("Verify the audit chains", self.verify_audit),
            ("Find no personal data in the logs", self.scan_logs),
            ("Find no PUK, code or PIN in database and logs", self.scan_secrets),
        ]

    def list_work(self) -> None:
        """The ID administrator opens Registervård, which lists what is to be taken care of."""
        self.card.clerk.work_lists()

    def place_order(self) -> None:
        """The ID administrator finds a person without a card and orders one."""
        self.card.order()
        self.artefacts.summary["person_id"] = str(self.card.case.holder.person_id)

    def supply(self) -> None:
        """The supplier makes the card."""
        self.card.supply()
        self.artefacts.summary["card_serial"] = self.card.serial

    def collect_certificates(self) -> None:
        """Writes certificates and chain as files."""
        self.card.collect_certificates()
        self.artefacts.summary |= {
            "certificates": [one.file for one in self.card.issued],
            "ca_chain": self.card.chain_files,
            "issuer_of": {one.file: one.issuer_file for one in self.card.issued},
        }

    def order_p256(self) -> None:
        """Orders a card for another person, of an article whose cards have P-256 keys."""
        self.p256.log_in()
        self.p256.order()

    def supply_p256(self) -> None:
        """The supplier, which the portal calls, makes the card; its four certificates have P-256 keys."""
        self.p256.supply()
        self.p256.collect_certificates()
        keys = [one.certificate.public_key() for one in self.p256.issued]
        if not all(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" for key in keys):
            raise WalkFault("the card's keys are not on P-256")
        self.artefacts.summary["card_serial_p256"] = self.p256.serial
        self.artefacts.summary["certificates_p256"] = [one.file for one in self.p256.issued]

    def activate_p256(self) -> None:
        """The holder signs the receipt with ECDSA."""
        self.p256.activate()
        pdf = self.p256.judged_receipt()
        self.artefacts.summary["receipt_pdf_p256"] = self.artefacts.put("receipt-p256.pdf", pdf)

    def replace(self) -> None:
        """Orders a new card in the place of the P-256 card, which stays in use."""
        self.replacement.replace(self.p256, "Skadat eller ur funktion")

    def activate_replacement(self) -> None:
        """Checks that the certificates of the replaced card are revoked when the new one is activated, and not before."""
        for one in self.p256.issued:
            await_ocsp(one.certificate, one.issuer, ALGORITHMS[-1], status_client.GOOD)
        self.replacement.activate()
        for one in self.p256.issued:
            await_ocsp(one.certificate, one.issuer, ALGORITHMS[-1], status_client.REVOKED)
        self.artefacts.summary["card_serial_replacement"] = self.replacement.serial

    def suspect_document(self) -> None:
        """A visitor who wants that card unlocked shows a document that may be false. A responsible issuer is to judge it."""
        clerk, visited = self.replacement.clerk, self.replacement.case.holder
        clerk.find(visited.written)
        clerk.report_document("Pass", "Fotot är inklistrat och kanterna är lösa.")
        clerk.log_out()

    def write_guide(self) -> None:
        """Logs the officers out, and writes to the guide whose cards stay valid, and whose card the document stops."""
        self.reserve_cards.log_out_officers()
        stopped = self.replacement.case
        lines = [
            "",
            "Ett besök som stoppades av en misstänkt id-handling. Områdets ansvariga utgivare ser det på Dagen och bedömer:",
            "",
            f"  {stopped.holder.written}  ett kort i bruk, där {stopped.clerk.name} är ID-administratör",
        ]
        guide.write_walk([*self.reserve_cards.guide(), *lines])

    def ask_on_hold(self) -> None:
        """Checks that each certificate of the sent card is on hold, with both CertID hashes."""
        self.artefacts.summary["ocsp_on_hold"] = self._ask("on-hold", status_client.ON_HOLD)

    def ask_good(self) -> None:
        """Checks that each certificate is good, with both CertID hashes."""
        self.artefacts.summary["ocsp_before"] = self._ask("before", status_client.GOOD)

    def judge_receipt(self) -> None:
        """Checks that the card's key signed the PDF that the portal shows."""
        self.artefacts.summary["receipt_pdf"] = self.artefacts.put("receipt.pdf", self.card.judged_receipt())

    def log_in_with_card(self) -> None:
        """The holder gets a role temporarily, logs in with the new card and logs out."""
        case = self.card.case
        grant = ordering.give_reading_role(case.holder)
        try:
            own = Clerk()
            own.log_in_with_card(self.card.serial, self.card.code, case.holder.hsa_id)
            own.log_out()
        finally:
            ordering.end_reading_role(case.holder, grant)

    def _mobile_steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Returns the steps of Mobilt SITHS, none where no maker's devices are accepted."""
        if not settings.DEVICE_ATTESTATION_ROOTS:
            return []
        return [
            ("The holder gets a mobile eID on Mina sidor", self.get_mobile_eid),
            ("Log in with the mobile eID", self.mobile.log_in),
        ]

    def get_mobile_eid(self) -> None:
        """The holder gets a mobile eID with the new card, of the card's issuer, and writes its certificates as files."""
        self.mobile.get(self.card.serial, self.card.code)
        carrier = self.mobile.carrier(self.card.case.holder.person_id)
        if carrier.organisation_id != self.card.card_order.carrier.organisation_id:
            raise WalkFault("the mobile eID has another issuer than the card")
        ids = carrier.certificates.values_list("certificate_id", flat=True)
        made = {view.profile: ssl.DER_cert_to_PEM_cert(view.der or b"") for view in pki.certificates(list(ids))}
        files = [self.artefacts.put(f"mobile/{profile}.pem", pem.encode()) for profile, pem in sorted(made.items())]
        self.artefacts.summary["mobile_eid"] = files

    def revoke(self) -> None:
        """Revokes the card as lost. The ID administrator logs in again: ordering the second card ended the session."""
        self.card.clerk = Clerk()
        self.card.clerk.log_in(self.card.case.clerk.name, self.card.case.clerk.hsa_id)
        self.card.clerk.find(self.card.case.holder.written)
        self.card.clerk.revoke_card("Förlorat eller stulet")

    def refuse_card(self) -> None:
        """Checks that the identity provider refuses the revoked card."""
        refused = Clerk().try_card(self.card.serial, self.card.code)
        if "spärrat" not in refused.text:
            raise refused.fault("the revoked card was not refused")

    def ask_revoked(self) -> None:
        """Checks that each certificate is revoked within five seconds, with both CertID hashes."""
        self.artefacts.summary["ocsp_after"] = self._ask("after", status_client.REVOKED)

    def _ask(self, moment: str, wanted: str) -> list[str]:
        files = []
        for one in self.card.issued:
            answers = [await_ocsp(one.certificate, one.issuer, algorithm, wanted) for algorithm in ALGORITHMS]
            files.append(self.artefacts.put(f"ocsp/{moment}-{one.profile}.der", answers[0]))
        return files

    def publish_crls(self) -> None:
        """Has the CRLs published, and checks that each issuing CA's lists its certificates and the root's lists no CA."""
        jobs.enqueue("pki.publish_crls", queue="pki")
        files: list[str] = []
        wanted = [(one.certificate, True) for one in self.card.issued] + [(one.issuer, False) for one in self.card.issued]
        for certificate, listed in wanted:
            name, content = fetch_crl(certificate, listed=listed)
            path = self.artefacts.put(f"crl/{name}", content)
            if path not in files:
                files.append(path)
        self.artefacts.summary["crl"] = files

    def preview(self) -> None:
        """Checks that the running month's preview includes the card, the letter and the bundle."""
        for order_id in (self.card.card_order.id, self.card.letter_id, self.reserve_cards.order_id):
            if order_id is None or billing.previewed_line(order_id) is None:
                raise WalkFault("the card, its letter or the bundle is not in the running month's preview")

    def verify_audit(self) -> None:
        """Seals and verifies every application's audit chain."""
        chains.seal_all()
        faults = [chain.app for chain in chains.all_chains() if not chains.verify(chain).ok]
        self.artefacts.summary["audit_ok"] = not faults
        if faults:
            raise WalkFault(f"the audit chain is broken in {', '.join(faults)}")

    def scan_logs(self) -> None:
        """Checks that no log contains a person's data, a card serial or a secret."""
        found = log_scan.scan(_LOGS, log_scan.terms())
        if found:
            raise WalkFault(f"personal data in {', '.join(found[:5])}")

    def scan_secrets(self) -> None:
        """Checks that neither a table nor a log contains a code, the letter's PUK or a PIN of the token in clear."""
        lines = (self.card, self.p256, self.replacement, self.reserve_cards, self.mobile)
        secrets = [secret for line in lines for secret in line.secrets]
        secrets += [file.read_text().strip() for file in (settings.VAR_DIR / "secrets").glob("*pin*")]
        files = [path for folder in _LOGS for path in folder.rglob("*.log*")]  # none in containers
        found = secret_scan.in_tables(secret_scan.own_tables(), secrets) + secret_scan.in_files(files, secrets)
        if found:
            raise WalkFault(f"a PUK, code or PIN in clear in {', '.join(found)}")
