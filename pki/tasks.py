"""Tasks of the `pki` worker. Arguments are ids; each task may run twice or be lost, because a sweeper finds its work."""

from uuid import UUID

from celery import shared_task

from pki.approvals import dual_control
from pki.crl import building
from pki.health import checks
from pki.hsm import inventory
from pki.issuing import (
    certifying,
    issuance_sets,
    key_checks,
    pkilint_sampling,
    reconciling,
    responders,
    shared_factors,
    signing,
)
from pki.mass_revocation import execution
from pki.ocsp import presigning
from pki.ocsp import unknown as ocsp_unknown
from pki.operators import status_measures
from pki.revocation import releasing, revoking
from pki.secrets import delivering, received, resealing, sealing
from pki.takeover import signatures
from siths_portal.lib.processes import jobs


@shared_task(name="pki.sign")  # type: ignore[untyped-decorator]
def sign(certificate_ids: list[str]) -> None:
    """Signs planned certificates, then other waiting ones in batches: under load, the tasks of those then find nothing to do."""
    signing.sign_reserved([UUID(id_) for id_ in certificate_ids])
    signing.sign_waiting()


@shared_task(name="pki.certify")  # type: ignore[untyped-decorator]
def certify(request_id: str) -> None:
    """Makes the certificates that a card asks for. If the task is lost, the app's next call wakes it again."""
    certifying.certify(UUID(request_id))


@shared_task(name="pki.settle")  # type: ignore[untyped-decorator]
def settle() -> None:
    """Signs certificates that a crash or a lost task left reserved, and revokes those that cannot be settled within an hour."""
    signing.settle()


@shared_task(name="pki.keep_whole")  # type: ignore[untyped-decorator]
def keep_whole() -> None:
    """Revokes the rest of incomplete sets, and certificates whose key another certificate just showed to be compromised."""
    issuance_sets.settle()
    key_checks.revoke_compromised()


@shared_task(name="pki.revoke_compromised")  # type: ignore[untyped-decorator]
def revoke_compromised() -> None:
    """Like `keep_whole`, but for all keys that were ever compromised, not only the recent ones."""
    key_checks.revoke_compromised(whole=True)


@shared_task(name="pki.compare_moduli")  # type: ignore[untyped-decorator]
def compare_moduli() -> None:
    """Continues the search for RSA keys that share a prime."""
    shared_factors.compare_due()


@shared_task(name="pki.lint_sample")  # type: ignore[untyped-decorator]
def lint_sample() -> None:
    """Checks some of the last hour's certificates with pkilint."""
    pkilint_sampling.lint_sample()


@shared_task(name="pki.presign")  # type: ignore[untyped-decorator]
def presign(certificate_ids: list[str]) -> None:
    """Signs OCSP responses for certificates whose status has just changed."""
    presigning.presign(UUID(id_) for id_ in certificate_ids)


@shared_task(name="pki.presign_due")  # type: ignore[untyped-decorator]
def presign_due() -> None:
    """Signs OCSP responses that are missing, for an old status version, or past half their lifetime."""
    presigning.presign_due()


@shared_task(name="pki.sign_unknown")  # type: ignore[untyped-decorator]
def sign_unknown() -> None:
    """Signs `unknown` for serials that were requested and never issued."""
    ocsp_unknown.sign()


@shared_task(name="pki.publish_due_crls")  # type: ignore[untyped-decorator]
def publish_due_crls() -> None:
    """Publishes the CRL of each online CA whose newest CRL is older than its period."""
    building.publish_due()


@shared_task(name="pki.publish_crls")  # type: ignore[untyped-decorator]
def publish_crls() -> None:
    """Publishes a CRL of each online CA now, whatever the age of its newest one."""
    building.publish_online()


@shared_task(name="pki.mass_revoke")  # type: ignore[untyped-decorator]
def mass_revoke(mass_revocation_id: str) -> None:
    """Runs one turn of a mass revocation, and queues the next."""
    if execution.run(UUID(mass_revocation_id)):
        jobs.enqueue("pki.mass_revoke", queue="pki", mass_revocation_id=mass_revocation_id)


@shared_task(name="pki.mass_revoke_due")  # type: ignore[untyped-decorator]
def mass_revoke_due() -> None:
    """Queues turns of mass revocations that no worker works on, after a crash, a lost task or a failed CRL."""
    execution.wake_due()


@shared_task(name="pki.tell_revoked")  # type: ignore[untyped-decorator]
def tell_revoked(certificate_ids: list[str]) -> None:
    """Sends the signal that certificates were revoked. Runs in the default worker: it needs no token."""
    revoking.tell([UUID(id_) for id_ in certificate_ids])


@shared_task(name="pki.open_secrets")  # type: ignore[untyped-decorator]
def open_secrets(secret_ids: list[str] | None = None) -> None:
    """Opens and seals received secrets."""
    sealing.open_secrets(None if secret_ids is None else [UUID(id_) for id_ in secret_ids])


@shared_task(name="pki.tell_settled")  # type: ignore[untyped-decorator]
def tell_settled(secret_ids: list[str]) -> None:
    """Sends the signal that secrets were sealed or refused. Runs in the default worker: it needs no token."""
    received.tell_settled([UUID(id_) for id_ in secret_ids])


@shared_task(name="pki.rotate_keks")  # type: ignore[untyped-decorator]
def rotate_keks() -> None:
    """Creates the year's key encryption key, and seals again the secrets that are under older ones."""
    resealing.rotate()


@shared_task(name="pki.deliver_secrets")  # type: ignore[untyped-decorator]
def deliver_secrets(delivery_ids: list[str] | None = None) -> None:
    """Encrypts step tokens, and the secrets that belong to them, to their recipients."""
    delivering.deliver_secrets(None if delivery_ids is None else [UUID(id_) for id_ in delivery_ids])


@shared_task(name="pki.release_holds")  # type: ignore[untyped-decorator]
def release_holds(certificate_ids: list[str] | None = None) -> None:
    """Ends the holds of certificates on cards whose holder has chosen the code."""
    releasing.release_holds(None if certificate_ids is None else [UUID(id_) for id_ in certificate_ids])


@shared_task(name="pki.release_overdue_holds")  # type: ignore[untyped-decorator]
def release_overdue_holds() -> None:
    """Like `release_holds`, but for all requests that were not carried out, not only the recent ones."""
    releasing.release_holds(overdue=True)


@shared_task(name="pki.renew_responders")  # type: ignore[untyped-decorator]
def renew_responders() -> None:
    """Renews OCSP responders that are past half their lifetime, and destroys the keys of expired ones."""
    responders.renew_due()


@shared_task(name="pki.hsm.inventory")  # type: ignore[untyped-decorator]
def inventory_due() -> None:
    """Compares the tokens with the rows of keys, once a day."""
    inventory.run_due()


@shared_task(name="pki.reconcile_cards")  # type: ignore[untyped-decorator]
def reconcile_cards() -> None:
    """Continues the day's comparison of issued certificates on cards with orders and receipts."""
    reconciling.run_due()


@shared_task(name="pki.expire_approvals")  # type: ignore[untyped-decorator]
def expire_approvals() -> None:
    """Closes requests for approval that are too old. Runs in the default worker: it needs no token."""
    dual_control.expire()


@shared_task(name="pki.sign_import_reports")  # type: ignore[untyped-decorator]
def sign_import_reports() -> None:
    """Signs the reports of imports that were finished in a process without a token."""
    signatures.sign_waiting()


@shared_task(name="pki.measure_status")  # type: ignore[untyped-decorator]
def measure_status() -> None:
    """Measures what relying parties receive: CRLs, OCSP responses, and the state of the OCSP store and its processes."""
    status_measures.measure()


@shared_task(name="pki.measure_health")  # type: ignore[untyped-decorator]
def measure_health() -> None:
    """Runs all checks of `pki_check`, for graphs and alarms."""
    checks.measure()
