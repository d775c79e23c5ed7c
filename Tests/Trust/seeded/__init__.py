"""The deliberate faults, by the room of the house that they are in."""
from . import archive, commits, functions, live, rows

ROOMS = [archive, rows, commits, live, functions]
BUGS = [bug for room in ROOMS for bug in room.BUGS]
SEEDS = [seed for room in ROOMS for seed in room.SEEDS]
