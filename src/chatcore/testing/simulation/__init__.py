"""A seeded simulation of several nodes on one store, of users whose lines break, and of everything that goes wrong."""

from .cancellation import CancelAt as CancelAt
from .climate import FAULTS as FAULTS
from .run import Run as Run
from .run import simulate as simulate
from .scenes import SCENES as SCENES
from .stress import STRESSES as STRESSES
