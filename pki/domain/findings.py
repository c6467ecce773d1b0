"""Results of checks of the CAs: one line each, with a severity and, if there is one, a number for graphs."""

import enum
from dataclasses import dataclass


class Severity(enum.IntEnum):
    """`OK`; `WARNING`: somebody should check, work continues; `ERROR`: something is wrong."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """One line of `pki_check`: what was checked, the severity, and a text in Swedish.

    `value` is the measured number, in the unit that `measure` gives (`seconds`, `milliseconds`, `days`, `count`).
    """

    subject: str
    severity: Severity
    text: str
    measure: str = ""
    value: float = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; a warning also counts as ok."""
        return self.severity < Severity.ERROR


def finding(subject: str, fine: object, text: str, *, measure: str = "", value: float = 0) -> Finding:
    """Returns a finding that is either OK or an error."""
    return Finding(subject, Severity.OK if fine else Severity.ERROR, text, measure, value)
