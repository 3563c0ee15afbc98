"""A seeded simulation of chat nodes and their clients under faults, and checks of what chatcore promises."""

from .processes import CancelAt as CancelAt
from .profile import FAULTS as FAULTS
from .run import Run as Run
from .run import simulate as simulate
from .scenarios import SCENARIOS as SCENARIOS
from .stress import STRESSES as STRESSES
