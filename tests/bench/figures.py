"""What is measured, and what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A bound that a figure must keep."""

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{self.what} {self.value:.4g} {sign} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was run, by what, the figures by name, and the bounds."""

    scenario: str
    contender: str
    figures: dict[str, float]
    targets: tuple[Target, ...] = field(default=())

    def document(self) -> dict[str, object]:
        """The row as JSON has it."""
        targets = [
            {"what": t.what, "value": t.value, "bound": t.bound, "at_least": t.at_least, "met": t.met}
            for t in self.targets
        ]
        return {
            "scenario": self.scenario,
            "contender": self.contender,
            "figures": self.figures,
            "targets": targets,
        }


def percentile(values: list[float], part: float) -> float:
    """The smallest value that at least this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 1).__int__() - 1)]
