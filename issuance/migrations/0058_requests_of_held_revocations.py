"""A request for everything of a person holds several revocations, which a second officer decides together (ADR 0297)."""

from django.db import migrations, models

_GUARD = """
CREATE OR REPLACE FUNCTION issuance_held_revocation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'open' THEN
    RAISE EXCEPTION 'the request % is closed', OLD.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF (NEW.{columns}) IS DISTINCT FROM (OLD.{olds}) THEN
    RAISE EXCEPTION 'what was requested does not change' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
"""
_BEFORE = ("carrier_id", "eid_id", "reason", "received_at", "requested_by_ref", "requested_at")


def _guard(columns: tuple[str, ...]) -> str:
    new, old = ", NEW.".join(columns), ", OLD.".join(columns)
    return _GUARD.format(columns=new, olds=old)


# Each row so far is a request of its own. The guard refuses changes of closed rows, so it rests meanwhile.
_FILL = """
ALTER TABLE issuance_heldrevocation DISABLE TRIGGER issuance_held_revocation_guard;
UPDATE issuance_heldrevocation SET request_id = id;
ALTER TABLE issuance_heldrevocation ENABLE TRIGGER issuance_held_revocation_guard;
"""


class Migration(migrations.Migration):
    """Adds the request of each row, which does not change either."""

    dependencies = [("issuance", "0057_stock")]

    operations = [
        migrations.AddField("heldrevocation", "request_id", models.UUIDField(null=True)),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField("heldrevocation", "request_id", models.UUIDField()),
        migrations.AddIndex("heldrevocation", models.Index(fields=["request_id"], name="issuance_held_revocation_act")),
        migrations.RunSQL(_guard((*_BEFORE, "request_id")), _guard(_BEFORE)),
    ]
