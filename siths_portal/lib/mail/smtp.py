"""The mail server, by Django's SMTP backend and the setting MAILERS, and the metric of its mails."""

import smtplib

from django.core.mail import EmailMessage
from django.db import connection

from siths_portal.lib.errors import Refused, Unavailable
from siths_portal.lib.mail import Message
from siths_portal.lib.monitoring import metrics

_MAILS = metrics.counter("mails", "Mails: sent, refused (the address) or failed (the server)", ["outcome"])


class SmtpMailer:
    """`Mailer` by the default of MAILERS. The sender is DEFAULT_FROM_EMAIL."""

    def send(self, message: Message) -> None:
        """Sends one message in a connection of its own. Raises RuntimeError inside a transaction."""
        if any(not block._from_testcase for block in connection.atomic_blocks):  # type: ignore[attr-defined]
            raise RuntimeError("no mail inside a transaction: it would hold locks while the server waits")
        mail = EmailMessage(
            subject=message.subject,
            body=message.text,
            to=[message.recipient],
            headers={"Message-ID": f"<{message.message_id}>", "Auto-Submitted": "auto-generated"},
        )
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _text in error.recipients.values()]
            raise _failure(min(codes, default=550)) from None
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code) from None
        except (smtplib.SMTPException, OSError):
            _MAILS.labels("failed").inc()
            raise Unavailable("mail-unavailable", "E-postservern svarar inte.") from None
        _MAILS.labels("sent").inc()


def _failure(code: int) -> Refused | Unavailable:
    """Counts and returns the error of an SMTP reply code: 5yz is permanent, 4yz is not (RFC 5321 section 4.2.1)."""
    _MAILS.labels("refused" if 500 <= code < 600 else "failed").inc()
    if 500 <= code < 600:
        return Refused("mail-refused", f"E-postservern tar inte emot adressen (svar {code}).", status=code)
    return Unavailable("mail-unavailable", "E-postservern tar inte emot meddelandet nu.")
