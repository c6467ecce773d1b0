"""E-mail: a message, the port that sends it, and the adapter for SMTP (`lib.mail.smtp`)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """A text message. It has no personal data but the recipient's address. `message_id` is the same at each try."""

    message_id: str  # RFC 5322 msg-id without angle brackets
    recipient: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends e-mail."""

    def send(self, message: Message) -> None:
        """Hands the message to the mail server.

        Raises Unavailable if the server does not take it now, so that the caller tries again, and Refused if it never will.
        """
        ...
