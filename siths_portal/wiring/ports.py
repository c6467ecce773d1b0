"""Connects ports to adapters. Only this module selects adapter classes, from dotted paths in the settings."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

from authn import service as authn
from authn.ports import CardCertificates, CertificateStatusChecker, SubjectDirectory
from billing.delivery.ports import AccessPoint
from billing.ports import IssuanceFacts
from issuance import service as issuance
from issuance.activation.services.card_codes import CardCodes as CodesOfCards
from issuance.activation.services.card_log_ins import CertificatesOfCards
from issuance.activation.services.unlock_check import VisitsOfHolders
from issuance.administration.ports import InvoiceReadiness
from issuance.articles.ports import ArticlePrices
from issuance.authz import Action, Actor, policy
from issuance.minasidor.services.holders import Holders
from issuance.orders.ports import InvoiceLine, InvoiceLines
from issuance.organisations.ports import OrganisationDirectory
from issuance.people.adapters.directory_file import FilesOfTheCatalogue
from issuance.people.ports import PersonRegister, StaffDirectory
from issuance.people.ports_files import DirectoryFiles
from issuance.reserve_cards.services.requested import CardsWithoutPuk, RequestsOfCards
from issuance.roles.services.subjects import Subjects
from issuance.suppliers.push.ports import Channel
from issuance.suppliers.services.letter_check import OrderedLetters
from pki.audit.keys import TokenAuditKeys
from pki.ocsp import status as pki_status
from pki.ports import BlankCards, CertificateRequests, IssuanceCheck, LetterOrders, UnlockVisits
from pki.revocation.holds import CardCodes
from siths_portal.lib import ports
from siths_portal.lib.audit.keys import AuditKeys
from siths_portal.lib.mail import Mailer
from siths_portal.lib.mail.smtp import SmtpMailer
from siths_portal.lib.rest import idempotency


class OwnAuthorities:
    """Checks certificates that our own CAs issued."""

    def refusal(self, der: bytes) -> str:
        """Returns why our own certificate does not authenticate a machine, or "". Returns "" for other issuers' certificates."""
        return pki_status.refusal_of_machine(der)


class OwnInvoicing:
    """Finds obstacles to invoicing. It loads `billing` at the first call, since few processes need it."""

    def invoice_obstacles(self, party_id: UUID, article_codes: Collection[str]) -> Sequence[str]:
        """Returns the obstacles to the party's invoice today, if these articles are ordered."""
        from billing.runs.services import readiness

        return readiness.invoice_obstacles(party_id, article_codes)


class OwnPrices:
    """Reads our own price list. It loads `billing` at the first call."""

    def prices(self, party_id: UUID | None, article_codes: Collection[str]) -> Mapping[str, Decimal]:
        """Returns today's price of each article that has one, in SEK without VAT: the party's or, with None, the gross list's."""
        from billing.prices.services import prices

        return prices.prices_today(party_id, article_codes)

    def letter_price(self, party_id: UUID) -> Decimal | None:
        """Returns today's price of a PUK letter for the party, in SEK without VAT, or None if it has none."""
        from billing.records.domain.codes import PUK_LETTER

        return self.prices(party_id, [PUK_LETTER]).get(PUK_LETTER)


class OwnInvoiceLines:
    """Words the lines of our own invoices. It loads `billing` at the first call."""

    def to_come(self, office_comment: str) -> InvoiceLine:
        """Returns the line of a bundle for an office with this invoice comment, as it would be written today."""
        from billing.runs.services import preview

        return InvoiceLine(preview.reserve_card_line(office_comment))

    def issued(self, actor: Actor, order_id: UUID) -> Sequence[InvoiceLine]:
        """Returns the lines that bill or credit the order, of the invoices that `actor` may read."""
        from billing.invoices.queries import invoices

        if not policy.holds(actor, Action.VIEW_INVOICE):
            return []
        return [
            InvoiceLine(line.text, line.number, reverse("invoice_line", args=[line.number, line.position]))
            for line in invoices.lines_of_order(actor, order_id)
        ]


def connect() -> None:
    """Connects each port to its adapter. `lib.ports` calls it once, at the first use of a port."""
    directory = import_string(settings.DIRECTORY_BACKEND)()
    ports.connect(OrganisationDirectory, directory)
    ports.connect(StaffDirectory, directory)
    ports.connect(PersonRegister, import_string(settings.PERSON_REGISTER_BACKEND)())
    ports.connect(DirectoryFiles, FilesOfTheCatalogue())
    facts: IssuanceFacts = issuance
    ports.connect(IssuanceFacts, facts)
    ports.connect(InvoiceReadiness, OwnInvoicing())
    ports.connect(Mailer, SmtpMailer())
    ports.connect(AccessPoint, import_string(settings.ACCESS_POINT_BACKEND)())
    ports.connect(Channel, import_string(settings.SUPPLIER_CHANNEL_BACKEND)())
    ports.connect(ArticlePrices, OwnPrices())
    ports.connect(InvoiceLines, OwnInvoiceLines())
    ports.connect(CertificateStatusChecker, OwnAuthorities())
    ports.connect(CardCertificates, CertificatesOfCards())
    ports.connect(SubjectDirectory, Holders() if settings.FACE == "minasidor" else Subjects())
    ports.connect(idempotency.Store, authn.idempotency_store())
    ports.connect(AuditKeys, TokenAuditKeys())
    ports.connect(CardCodes, CodesOfCards())
    ports.connect(LetterOrders, OrderedLetters())
    ports.connect(UnlockVisits, VisitsOfHolders())
    ports.connect(CertificateRequests, RequestsOfCards())
    ports.connect(BlankCards, CardsWithoutPuk())
    ports.connect(IssuanceCheck, import_string(settings.ISSUANCE_CHECK_BACKEND)())
