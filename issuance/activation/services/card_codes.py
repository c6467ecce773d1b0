"""The cards whose holder has chosen the code (port `pki.revocation.holds.CardCodes`)."""

import datetime as dt
from collections.abc import Collection

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.references import carrier_id_of, carrier_ref
from issuance.carriers.models import Carrier

_WITH_CODE = [CarrierState.ACTIVATED_UNSIGNED.value, CarrierState.ACTIVE.value]


class CardCodes:
    """Reads the carriers. The caller passes a moment in the past, because releasing a hold takes a while."""

    def chosen(self, carrier_refs: Collection[str], *, before: dt.datetime) -> set[str]:
        """Returns the refs of the carriers whose code was set before `before`. Ignores refs that are not carriers."""
        ids = [id_ for ref in carrier_refs if (id_ := carrier_id_of(ref)) is not None]
        rows = Carrier.objects.filter(pk__in=ids, state__in=_WITH_CODE, code_set_at__lt=before)
        return {carrier_ref(id_) for id_ in rows.values_list("pk", flat=True)}
