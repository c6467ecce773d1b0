"""The terms of the subscription: what is counted, when, on which carriers, and for how long one fee holds."""

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class SubscriptionTerms:
    """The terms that a price of the subscription has. The counting rule of runs knows only these values."""

    count_basis: str = "person"
    cutoff: str = "last_day"
    carriers: tuple[str, ...] = ("ordinary", "reserve")
    interval: str = "month"

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Self:
        """Returns stored terms; the usual ones for a price from before terms were stored."""
        return cls(**{**value, "carriers": tuple(value["carriers"])}) if value else cls()

    def as_json(self) -> dict[str, Any]:
        """Returns the terms as they are stored."""
        return {**asdict(self), "carriers": list(self.carriers)}

    def words(self) -> list[tuple[str, str]]:
        """Returns labels and values in Swedish."""
        carriers = {"ordinary": "Ordinarie kort", "reserve": "Reservkort"}
        return [
            ("Räknas per", {"person": "Person, oavsett antal kort"}.get(self.count_basis, self.count_basis)),
            ("Räknas när", {"last_day": "Vid slutet av månadens sista dag"}.get(self.cutoff, self.cutoff)),
            ("Kort som räknas", ", ".join(carriers.get(each, each) for each in self.carriers)),
            ("Priset gäller för", {"month": "En månad"}.get(self.interval, self.interval)),
        ]
