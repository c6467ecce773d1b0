"""The suppliers' worker, for tests that kill it: `python -m tests.issuance.suppliers.push.worker TASK OUTSIDE`.

TASK is push or reconcile. OUTSIDE is the file of the outside systems that the test knows.
"""

import pickle
import sys
from pathlib import Path


def main(task: str, outside: str) -> None:
    import django

    django.setup()
    from issuance.people.ports import PersonRegister
    from issuance.suppliers.push.services import reconciliation, sending
    from siths_portal.lib import ports

    ports.connect(PersonRegister, pickle.loads(Path(outside).read_bytes()))
    print(sending.push_to("bureau") if task == "push" else reconciliation.reconcile("bureau"))


if __name__ == "__main__":
    main(*sys.argv[1:])
