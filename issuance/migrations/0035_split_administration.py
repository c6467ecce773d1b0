"""The administration's one role becomes three: master data, PKI operation and finance (ADR 0295).

Holders of today get all three for the same time. Their old role ends, and the events say so.
"""

from typing import Any

from django.db import migrations, models
from django.utils import timezone

from siths_portal.lib.ids import new_id

_OLD = "system_admin"
_NEW = ("master_data_admin", "pki_operator", "finance_admin")


def split(apps: Any, schema_editor: Any) -> None:
    """Ends each grant of the old role that has not ended, and gives its holder the three new ones from the same moment."""
    grants, events = (apps.get_model("issuance", name) for name in ("RoleGrant", "Event"))
    now = timezone.now()
    for old in grants.objects.filter(role=_OLD).exclude(valid_to__lte=now).order_by("pk"):
        last, old.valid_to, old.version = old.valid_to, now, old.version + 1
        old.save(update_fields=["valid_to", "version"])
        _record(events, "role.ended", old, now)
        for role in _NEW:
            new = grants.objects.create(
                id=new_id(),
                person_id=old.person_id,
                role=role,
                protected_persons=old.protected_persons,
                valid_from=old.valid_from,
                valid_to=last,
            )
            _record(events, "role.assigned", new, now)


def _record(events: Any, action: str, grant: Any, now: Any) -> None:
    facts = {
        "grant": str(grant.pk),
        "role": grant.role,
        "scope_path": "/",
        "protected_persons": grant.protected_persons,
        "valid_from": grant.valid_from.isoformat(),
        "valid_to": grant.valid_to.isoformat() if grant.valid_to else None,
    }
    events.objects.create(
        at=now,
        actor_ref="system:setup",
        action=action,
        subject_type="person",
        subject_ref=str(grant.person_id),
        facts=facts,
    )


_GLOBAL = ["finance_admin", "global_reader", "global_revoker", "master_data_admin", "pki_operator"]
_ORGANISATION = ["deputy_issuer", "id_administrator", "reader", "reserve_card_admin_loa2", "reserve_card_admin_loa3", "revoker"]


class Migration(migrations.Migration):
    """Removes the constraint, changes the rows, and adds the constraint with the new roles."""

    dependencies = [("issuance", "0034_suppliers_of_customisations")]

    operations = [
        migrations.RemoveConstraint(model_name="rolegrant", name="issuance_grant_reach"),
        migrations.RunPython(split, migrations.RunPython.noop),
        # Foreign keys are checked now: a table with deferred checks takes no constraint.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"),
        migrations.AddConstraint(
            model_name="rolegrant",
            constraint=models.CheckConstraint(
                condition=models.Q(area=None, organisation=None, role__in=_GLOBAL)
                | models.Q(area=None, organisation=None, role__in=["system_admin"], valid_to__isnull=False)
                | models.Q(area__isnull=False, organisation=None, role__in=["responsible_issuer"])
                | models.Q(area=None, organisation__isnull=False, role__in=_ORGANISATION),
                name="issuance_grant_reach",
            ),
        ),
    ]
