"""What the holders of the load benchmark have: a process of the environment that writes one JSON file.

Arguments: the number of holders, the file to write. Each holder gets a session on Mina sidor, the carriers that they look at, and
one that they revoke.
"""

import json
import os
import sys
from pathlib import Path

import django

os.environ["SITHS_FACE"] = "minasidor"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402

from issuance.carriers.models import Carrier  # noqa: E402
from issuance.minasidor.domain import Means  # noqa: E402
from tests.issuance.minasidor.mina import session_key  # noqa: E402


def main(count: int, file: Path) -> None:
    """Writes the plan of `count` holders. Fails if the database has fewer with a card in use."""
    active = Carrier.objects.filter(state="active", kind="ordinary_card", person__is_protected=False)
    drawn = list(active.order_by("person_id", "id").distinct("person_id").select_related("person")[:count])
    if len(drawn) < count:
        sys.exit(f"Only {len(drawn)} holders have a card: load more people")
    plans = []
    for carrier in drawn:
        person = carrier.holder
        name = f"{person.given_name_in_use} {person.surname}"
        own = [{"id": str(pk)} for pk in Carrier.objects.filter(person=person).order_by("id").values_list("id", flat=True)]
        session = session_key(f"holder:{person.pk}", Means.LOA3, name)
        plans.append({"role": "holder", "session": session, "carriers": own, "revocations": [{"id": str(carrier.pk)}]})
    file.write_text(json.dumps({"cookie": settings.SESSION_COOKIE_NAME, "clerks": plans}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
