"""What the database itself refuses: a way out of a final state, another serial on a card, and changes of what was signed."""

from django.db import migrations

from siths_portal.lib.events import append_only

FINAL = """
CREATE FUNCTION issuance_refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the state % of a row of % is final', OLD.state, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER issuance_carrier_final BEFORE UPDATE OF state ON issuance_carrier FOR EACH ROW
  WHEN (OLD.state IN ('revoked', 'expired', 'cancelled') AND NEW.state IS DISTINCT FROM OLD.state)
  EXECUTE FUNCTION issuance_refuse_revival();
CREATE TRIGGER issuance_eid_final BEFORE UPDATE OF state ON issuance_eid FOR EACH ROW
  WHEN (OLD.state IN ('revoked', 'expired', 'cancelled') AND NEW.state IS DISTINCT FROM OLD.state)
  EXECUTE FUNCTION issuance_refuse_revival();

CREATE FUNCTION issuance_refuse_rebinding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the serial of a card is set once' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER issuance_carrier_serial_once BEFORE UPDATE OF card_serial ON issuance_carrier FOR EACH ROW
  WHEN (OLD.card_serial <> '' AND NEW.card_serial IS DISTINCT FROM OLD.card_serial)
  EXECUTE FUNCTION issuance_refuse_rebinding();
"""

FINAL_REVERSE = """
DROP TRIGGER issuance_carrier_serial_once ON issuance_carrier;
DROP TRIGGER issuance_eid_final ON issuance_eid;
DROP TRIGGER issuance_carrier_final ON issuance_carrier;
DROP FUNCTION issuance_refuse_rebinding();
DROP FUNCTION issuance_refuse_revival();
"""


class Migration(migrations.Migration):
    dependencies = [("issuance", "0002_append_only")]

    operations = [
        migrations.RunSQL(FINAL, FINAL_REVERSE),
        *append_only("issuance_receipt"),
        *append_only("issuance_receipttext"),
    ]
