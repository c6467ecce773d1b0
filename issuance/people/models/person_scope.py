"""An index of people by organisation, derived from assignments, carriers and eIDs and updated in their transactions."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.indexes import OpClass
from django.db import connection, models
from django.db.models import F
from django.db.models.functions import Lower

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person

_WANTED = """
    SELECT organisation_id, person_id FROM issuance_post WHERE ended_at IS NULL {of_person}
    UNION SELECT organisation_id, person_id FROM issuance_carrier WHERE person_id IS NOT NULL {of_person}
    UNION SELECT e.organisation_id, c.person_id FROM issuance_eid e JOIN issuance_carrier c ON c.id = e.carrier_id
          WHERE true {of_carriers_person}
"""


class PersonScopeManager(ScopedManager["PersonScope"]):
    """Maintains and checks the table, and limits it to what an actor sees."""

    def refresh(self, person_ids: Iterable[UUID]) -> None:
        """Recomputes the rows of these people in the caller's transaction.

        Locks the people first, so of two concurrent changes to one person the later sees the earlier.
        """
        ids = sorted(set(person_ids))
        list(Person.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id").values_list("id"))
        self._follow("= ANY(%(ids)s)", {"ids": ids})

    def refresh_listed(self, table: str) -> None:
        """Recomputes the rows of the people in column `person_id` of a temporary table. The caller has locked or created them."""
        self._follow(f"IN (SELECT person_id FROM pg_temp.{connection.ops.quote_name(table)})", {})  # noqa: S608

    @staticmethod
    def _follow(those: str, parameters: dict[str, list[UUID]]) -> None:
        wanted = _WANTED.format(of_person=f"AND person_id {those}", of_carriers_person=f"AND c.person_id {those}")
        with connection.cursor() as cursor:
            cursor.execute(
                # Only constants of this module are put into these statements.
                f"""DELETE FROM issuance_personscope s WHERE s.person_id {those}
                    AND NOT EXISTS (SELECT FROM ({wanted}) w
                                    WHERE w.organisation_id = s.organisation_id AND w.person_id = s.person_id)""",  # noqa: S608
                parameters,
            )
            cursor.execute(
                f"""INSERT INTO issuance_personscope (organisation_id, person_id, sort_name)
                    SELECT w.organisation_id, w.person_id, p.sort_name
                    FROM ({wanted}) w JOIN issuance_person p ON p.id = w.person_id
                    ON CONFLICT (organisation_id, person_id) DO UPDATE SET sort_name = excluded.sort_name
                    WHERE issuance_personscope.sort_name IS DISTINCT FROM excluded.sort_name""",  # noqa: S608
                parameters,
            )

    def differences(self) -> tuple[int, int, int]:
        """Returns the numbers of missing rows, surplus rows, and rows with another name than their person's."""
        wanted = _WANTED.format(of_person="", of_carriers_person="")
        with connection.cursor() as cursor:
            cursor.execute(
                f"""WITH wanted AS ({wanted}),
                         found AS (SELECT organisation_id, person_id FROM issuance_personscope)
                    SELECT (SELECT count(*) FROM (SELECT * FROM wanted EXCEPT SELECT * FROM found) missing),
                           (SELECT count(*) FROM (SELECT * FROM found EXCEPT SELECT * FROM wanted) surplus),
                           (SELECT count(*) FROM issuance_personscope s JOIN issuance_person p ON p.id = s.person_id
                            WHERE p.sort_name <> s.sort_name)"""  # noqa: S608
            )
            missing, surplus, misnamed = cursor.fetchone()
        return missing, surplus, misnamed


class PersonScope(models.Model):
    """An index entry: a person has a current assignment in an organisation, or a carrier or an eID of it.

    It gives no right of its own: `visible_to` decides who sees the person. With this table, listing the people in a scope follows
    one index. Only `refresh` and `refresh_listed` write it; `issuance_check_scope` checks it.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="person_scopes")
    sort_name = models.CharField(max_length=210, db_collation="sv-x-icu")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="scopes")

    objects: ClassVar[PersonScopeManager] = PersonScopeManager()
    scope = ScopeRule(path="organisation__scope_path", protected="person__is_protected", person="person_id")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "person"], name="issuance_person_scope_once")]
        indexes = [
            models.Index(fields=["organisation", "sort_name", "person"], name="issuance_person_scope_page"),
            # Search by the beginning of a name in each organisation of a scope.
            models.Index(
                F("organisation"), OpClass(Lower("sort_name"), name="text_pattern_ops"), name="issuance_person_scope_name"
            ),
        ]
