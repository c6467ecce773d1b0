"""A worker of its own, for tests that kill it or race it: `python -m tests.billing.worker WHAT FACTS.json [GATE]`.

WHAT is collect, draft, issue, render, deliver, credit or run, or a task: task-draft, task-issue, task-render. With GATE it waits
until that file exists. Prints what it did last.
"""

import sys
import time
from functools import partial
from pathlib import Path


def main(what: str, facts_file: str, gate: str = "") -> None:
    import django

    django.setup()
    from billing.delivery.services import sending
    from billing.invoices.services import rendering
    from billing.ledger.services import ledger
    from billing.runs.models import InvoiceRun
    from billing.runs.services import drafting, issuing, schedule
    from billing.service import run_month
    from siths_portal.lib import clock
    from tests.billing.facts import Facts
    from tests.billing.world import APRIL, IN_MAY

    Facts.load(Path(facts_file)).connect()
    deadline = time.monotonic() + 60
    while gate and not Path(gate).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(gate)
        time.sleep(0.005)
    with clock.moved_to(IN_MAY):
        if what == "collect":
            print(ledger.collect(batch=3))
            return
        if what == "deliver":
            print(sending.send_due())
            return
        if what == "credit":
            print(approve_the_credit())
            return
        if what == "run":
            result = run_month(APRIL, actor_ref="user:test", issue=True)
            print(result.issued)
            return
        run = InvoiceRun.objects.get()
        if what.startswith("task-"):
            print(getattr(schedule, what.removeprefix("task-"))(run.pk))
            return
        work = {
            "draft": partial(drafting.draft_items, run),
            "issue": partial(issuing.issue, run),
            "render": partial(rendering.render_missing, period=run.period),
        }
        print(work[what](actor_ref="user:test"))


def approve_the_credit() -> str | None:
    """Approves the one request for a credit note, as somebody of finance who did not ask for it. Returns the number."""
    from billing.credit.models import CreditRequest
    from billing.credit.services import crediting
    from issuance.authz import Role
    from issuance.roles.models.grants import RoleGrant
    from issuance.roles.services.actors import actor_of_person

    asked = CreditRequest.objects.get()
    finance = RoleGrant.objects.filter(role=Role.FINANCE_ADMIN.value).values_list("person", flat=True)
    second = next(actor for actor in map(actor_of_person, finance) if actor.ref != asked.requested_by)
    return crediting.approve_credit(actor=second, request_id=asked.pk).number


if __name__ == "__main__":
    main(*sys.argv[1:])
