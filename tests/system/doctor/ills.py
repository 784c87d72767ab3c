"""All that can be wrong in the table of the doctor's tests, by what it is wrong with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.doctor.ills_of_pool import POOL_ILLS
from tests.system.doctor.ills_of_service_bus import BUS_ILLS
from tests.system.doctor.ills_of_settings import SETTINGS
from tests.system.doctor.ills_of_storage import CLOCK_ILLS, STORAGE_ILLS

if TYPE_CHECKING:
    from tests.system.doctor.ill import Ill

_BY_PART = {
    "settings": SETTINGS,
    "service-bus": BUS_ILLS,
    "storage": STORAGE_ILLS,
    "pool": POOL_ILLS,
    "clock": CLOCK_ILLS,
}
ILLS: dict[str, Ill] = {
    f"{part}: {name}": ill for part, ills in _BY_PART.items() for name, ill in ills.items()
}
