"""What a look at the CAs finds: one line each, with a severity and, where there is one, a number for graphs."""

import enum
from dataclasses import dataclass


class Severity(enum.IntEnum):
    """`OK`; `WARNING`: somebody should look, work goes on; `ERROR`: something is not as it must be."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """One line of `pki_check`: what was looked at, how it is, and a text in Swedish.

    `value` is the number that was judged, in the unit that `measure` names (`seconds`, `days`, `count`).
    """

    subject: str
    severity: Severity
    text: str
    measure: str = ""
    value: float = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, though somebody should perhaps look."""
        return self.severity < Severity.ERROR


def finding(subject: str, fine: object, text: str, *, measure: str = "", value: float = 0) -> Finding:
    """A finding that is either as it should be or wrong."""
    return Finding(subject, Severity.OK if fine else Severity.ERROR, text, measure, value)
