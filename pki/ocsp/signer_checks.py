"""Whether OCSP answers can be signed now: each token that holds a responder's key is asked for a signature every few seconds.

Told beside the store (`pki.ocspd.signer_health`), for the health of the processes that answer and for an alarm: with the token
alone gone, the store follows the database, all stored answers hold, and nothing else would tell before they end.
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
    """Why no answer can be signed with some responder's token; empty if each signs, or none is to. Never raises."""
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
    """Tells of it inside the block, in a thread apart: a token that hangs must not hold up who waits for answers."""
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
    """One look. What fails unforeseen is told in the log, and the next look is made all the same."""
    try:
        why = look()
        if why:
            log.error("ocsp_signable.not", error=why)
        signer_health.tell(folder, why, clock.now().timestamp())
    except OSError as error:
        log.error("ocsp_signable.not_told", error=type(error).__name__)
    except Exception:
        log.exception("ocsp_signable.fault")
