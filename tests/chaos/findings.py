"""What a scenario measured, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """What was measured, and what is wrong with it."""

    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def measured(self, name: str, value: float, *, most: float) -> None:
        """Take a figure in; it is wrong when it is above its bound."""
        self.figures[name] = round(value, 2)
        if value > most:
            self.wrong.append(f"{name}: {value:.2f}, at most {most:g} allowed")

    def expect(self, what: str, *, holds: bool) -> None:
        """Take in what must hold."""
        if not holds:
            self.wrong.append(what)
