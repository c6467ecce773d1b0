"""`pki_ca_state plan CA GENERATION STATE --justification TEXT`, then `carry-out ID` after two persons have approved it."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from pki.approvals import dual_control
from pki.authorities import ca_states
from pki.management import arguments
from pki.models import ApprovalAction, ApprovalRequest, ApprovalState, CaState, CertificateAuthority
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Changes a CA's state under dual control. Two persons approve in the portal, after they have logged in."""

    help = "Ändrar en utfärdares tillstånd: begär, och genomför när två personer har godkänt i portalen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares `list`, `plan` and `carry-out`."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="list | plan | carry-out")
        acts.add_parser("list", help="visa utfärdarna, deras tillstånd och ärenden som väntar")
        plan = acts.add_parser("plan", help="begär en ändring")
        plan.add_argument("ca", metavar="NAMN", help="utfärdaren, till exempel person-hsaid-3")
        plan.add_argument("generation", type=int)
        plan.add_argument("to", choices=[str(each) for each in CaState], metavar="TILLSTÅND", help="det nya tillståndet")
        plan.add_argument("--justification", required=True, metavar="TEXT", help="varför, för den som ska godkänna")
        carry_out = acts.add_parser("carry-out", help="genomför en godkänd ändring")
        carry_out.add_argument("request", type=UUID, metavar="ID", help="ärendet, som plan skrev ut")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for a refused request."""
        try:
            {"list": self._list, "plan": self._plan, "carry-out": self._carry_out}[options["act"]](options)
        except DomainError as error:
            raise CommandError(error.message) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for ca in CertificateAuthority.objects.order_by("slug", "generation"):
            to = ", ".join(ca_states.target_states(ca.state)) or "-"
            self.stdout.write(f"{ca.slug} {ca.generation} {ca.state} ({ca.common_name}); kan bli {to}")
        waiting = ApprovalRequest.objects.filter(
            action=ApprovalAction.CA_STATE, state__in=[ApprovalState.OPEN, ApprovalState.APPROVED]
        )
        for row in waiting.order_by("created_at"):
            self.stdout.write(f"{row.id} {row.state}: {row.summary}")

    def _plan(self, options: dict[str, Any]) -> None:
        asked = ca_states.plan_state_change(
            slug=options["ca"],
            generation=options["generation"],
            target=options["to"],
            justification=options["justification"],
            requester_ref=arguments.operator_ref(),
        )
        self.stdout.write(f"{asked.id} väntar på godkännande av {asked.required} personer i portalen: {asked.summary}")

    def _carry_out(self, options: dict[str, Any]) -> None:
        ca = ca_states.carry_out_state_change(request_id=options["request"], actor_ref=arguments.operator_ref())
        who = ", ".join(dual_control.approver_refs(ApprovalRequest.objects.get(id=options["request"])))
        self.stdout.write(f"{ca.slug} {ca.generation} är {ca.state}; godkänt av {who}")
