"""What the supplier of the intake benchmark works on: a process of the house that places orders and makes their cards.

`orders CLERKS PLAN FIRST COUNT`: places orders as the clerks of `clerk_plan` from number FIRST on, and writes PLAN, a line of
JSON for each: the order, and the bodies of the supplier's calls. The keys of cards are made here, in as many processes as there
are cores, since a supplier makes them on its cards.
`ocsp FILE`: writes a request for each of some issued card certificates, as `tests.bench.paced` reads them. They are on hold until
their holders activate the cards, so each response is signed when it is asked for.
`stored FILE`: writes a request for each stored response in the same way.
"""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402
from django.db import connections  # noqa: E402

from issuance.articles.models import OrganisationArticle  # noqa: E402
from issuance.carriers.models import CarrierCertificate  # noqa: E402
from issuance.offices.models import Office  # noqa: E402
from issuance.orders.services import ordering  # noqa: E402
from issuance.people.models.persons import Post  # noqa: E402
from issuance.roles.services.actors import actor_of_person  # noqa: E402
from pki import service as pki  # noqa: E402
from pki.models import OcspResponse  # noqa: E402
from siths_portal.lib import clock  # noqa: E402
from siths_portal.lib.errors import DomainError  # noqa: E402
from tests.bench.status_worker import request  # noqa: E402
from tests.issuance.suppliers.api.cards import PaperCard  # noqa: E402

SERIALS = 200


def orders(clerks: Path, plan: Path, first: int, count: int) -> None:
    """Writes the plan. Fails if the clerks have fewer orders."""
    placed = [order_id for order_id, _ in zip(_placed(clerks, first), range(count), strict=False)]
    if len(placed) < count:
        sys.exit(f"Only {len(placed)} orders can be placed: load more people")
    (key, *_) = pki.secret_jwks()["keys"]
    connections.close_all()
    with ProcessPoolExecutor(os.cpu_count()) as processes, plan.open("w") as lines:
        for body in processes.map(_card, placed, [key] * count, chunksize=8):
            lines.write(json.dumps(body) + "\n")


def _placed(clerks: Path, first: int) -> Iterator[str]:
    """Places the clerks' orders, each when it is asked for. Leaves out people for whom no card can be ordered."""
    for clerk in json.loads(clerks.read_text())["clerks"][first:]:
        for one in clerk.get("orders", ()):
            post = Post.objects.select_related("organisation").get(pk=one["post"])
            article = OrganisationArticle.objects.filter(
                organisation=post.organisation, orderable=True, article__photo=False, article__registered_mail=False
            ).first()
            office = Office.objects.filter(connections__organisation=post.organisation).first()
            if article is None or office is None:
                continue
            try:
                order = ordering.submit_order(
                    actor=actor_of_person(UUID(clerk["officer"])),
                    post_id=post.pk,
                    article_code=article.article.code,
                    office_id=office.pk,
                    idempotency_key=uuid4().hex,
                )
            except DomainError:
                continue
            yield str(order.pk)


def _card(order_id: str, key: dict[str, str]) -> dict[str, Any]:
    card = PaperCard()
    sent = {"type": "sent", "sent_on": clock.today().isoformat()}
    return {"order": order_id, "card": card.request(), "produced": card.produced(order_id, key), "sent": sent}


def requests(file: Path) -> None:
    """Writes the requests."""
    ids = CarrierCertificate.objects.order_by("-pk").values_list("certificate_id", flat=True)[:SERIALS]
    with file.open("w") as lines:
        for view in pki.certificates(list(ids)):
            if view.der is None:
                continue
            issuer = x509.load_der_x509_certificate(pki.chain(view.ca, view.generation)[0])
            asked = ocsp.OCSPRequestBuilder().add_certificate(x509.load_der_x509_certificate(view.der), issuer, hashes.SHA1())
            lines.write(f"P {asked.build().public_bytes(serialization.Encoding.DER).hex()}\n")


def stored(file: Path) -> None:
    """Writes a request for each stored response."""
    rows = OcspResponse.objects.select_related("certificate__ca").order_by("pk")
    lines = [request(row.certificate.ca, row.cert_id_hash, int(row.certificate.serial, 16)) for row in rows]
    file.write_text("".join(f"{line}\n" for line in lines))


def main(what: str, *arguments: str) -> None:
    """Does what the arguments say."""
    if what == "orders":
        clerks, plan, first, count = arguments
        orders(Path(clerks), Path(plan), int(first), int(count))
    else:
        {"ocsp": requests, "stored": stored}[what](Path(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
