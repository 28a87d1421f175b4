"""Money: decimals, rounded as the currency says. Odoo sends amounts as doubles, which hold what it stores exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as the server has it; ``rounding`` is its smallest step, such as 0.01."""

    id: int
    name: str
    rounding: Decimal = Decimal("0.01")

    def rounded(self, amount: Decimal) -> Decimal:
        """The nearest amount there is in this currency, halves away from zero, as Odoo rounds."""
        step = self.rounding.normalize()  # 1.0 has no decimal places
        return ((amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step).quantize(step)

    def shown(self, amount: Decimal) -> str:
        """``1,234.50 EUR``."""
        return f"{self.rounded(amount):,f} {self.name}"


def decimal(value: Any) -> Decimal:
    """An amount from the wire; 0 for Odoo's empty ``false``."""
    return Decimal(repr(value)) if value else Decimal(0)


def number(amount: Decimal) -> int | float:
    """The amount as a JSON number, for conditions: 5000, 42.5."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
