"""What a row of the tables beside this file is, and how rows are put into sources."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Bug:
    """A deliberate fault: what it is called, what is wrong then, and which harness should find it (a name in
    `harnesses.py`)."""
    name: str
    says: str
    harness: str


@dataclasses.dataclass(frozen=True)
class Seed:
    """Where bugs are put in: in `file`, below Sources, `old` occurs exactly once, and `new` takes its place. What `new` does
    while no bug is on is what `old` did."""
    file: str
    old: str
    new: str

    @property
    def bugs(self):
        """The bugs that it asks for."""
        marks = ('SeededBug.isOn("', 'seeded_bug("')
        return {part.split('"', 1)[0] for mark in marks for part in self.new.split(mark)[1:]}


def faults(bugs, seeds, harnesses):
    """What is wrong with the tables themselves, in words."""
    names = [bug.name for bug in bugs]
    asked = set().union(*(seed.bugs for seed in seeds))
    return ([f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
            + [f"{name} has no place in the sources" for name in names if name not in asked]
            + [f"{name} is asked for and is no bug of the table" for name in sorted(asked - set(names))]
            + [f"{bug.name}: no harness is called {bug.harness}" for bug in bugs if bug.harness not in harnesses])


def planted(file, text, seeds):
    """The file's text with its seeds in it. Throws `ValueError` where a seed's text is not there exactly once, or two of
    them overlap: the product has changed, and the table has to follow."""
    spans = []
    for seed in seeds:
        count = text.count(seed.old)
        if count != 1:
            raise ValueError(f"{file}: expected once, found {count} times:\n{seed.old}")
        start = text.index(seed.old)
        spans.append((start, start + len(seed.old), seed.new))
    spans.sort()
    for (_, end, _), (start, _, _) in zip(spans, spans[1:]):
        if start < end:
            raise ValueError(f"{file}: two seeds overlap at byte {start}")
    parts, place = [], 0
    for start, end, new in spans:
        parts += [text[place:start], new]
        place = end
    return "".join(parts) + text[place:]
