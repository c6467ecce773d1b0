"""Checks whether OCSP responses can be signed: every few seconds, each token with a responder's key makes a signature.

The result is stored next to the OCSP store (`pki.ocspd.signer_health`), for the health checks of the responder's processes and
for an alarm. If only the token is gone, the store follows the database and all stored responses are valid, so nothing else would
show the fault before they expire.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import structlog
from django.db import DatabaseError, InterfaceError, connection

from pki.hsm import HsmError
from pki.hsm.token import CHALLENGE
from pki.models import ANSWERING, CertificateAuthority, OcspSigner
from pki.ocsp import presigning
from pki.ocspd import signer_health
from siths_portal.lib import clock

log = structlog.get_logger(__name__)


def look() -> str:
    """Returns why some responder's token cannot sign; empty if each one signs, or if there is no responder. Never raises."""
    try:
        responders = _one_for_each_token()
        for responder in responders:
            challenge = CHALLENGE + secrets.token_bytes(32)
            (signature,) = responder.signatures([challenge])
            presigning.verify(responder.certificate, challenge, signature)
    except (HsmError, presigning.SelfCheckFailed) as error:
        return type(error).__name__
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        return type(error).__name__
    return ""


def _one_for_each_token() -> list[presigning.Responder]:
    labels = OcspSigner.objects.filter(ca__state__in=ANSWERING, retired_at=None).values_list("ca_id", "token_label")
    by_token: dict[str, presigning.Responder] = {}
    for ca in CertificateAuthority.objects.filter(id__in={ca_id for ca_id, _ in labels}).order_by("id"):
        found = presigning.delegated_responder(ca, clock.now())
        if found is not None and found.signer is not None:
            by_token.setdefault(found.signer.token_label, found)
    return list(by_token.values())


@contextlib.contextmanager
def told(folder: Path) -> Iterator[None]:
    """Reports inside the block, in a thread of its own: a token that hangs must not delay waiting relying parties."""
    ended = threading.Event()
    thread = threading.Thread(target=_run, args=[folder, ended], name="ocsp-signable", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(signer_health.EACH)


def _run(folder: Path, ended: threading.Event) -> None:
    try:
        while not ended.is_set():
            _tell(folder)
            ended.wait(signer_health.EACH)
    finally:
        connection.close()


def _tell(folder: Path) -> None:
    """Makes one check and reports it. Logs an unexpected error, so that the next check still runs."""
    try:
        why = look()
        if why:
            log.error("ocsp_signable.not", error=why)
        signer_health.tell(folder, why, clock.now().timestamp())
    except OSError as error:
        log.error("ocsp_signable.not_told", error=type(error).__name__)
    except Exception:
        log.exception("ocsp_signable.fault")
