"""The table of deliberate faults is true of the sources as they are now; whether they are found, `seeded_bugs.py` says."""
import unittest

import seeded_bugs
from seeded import BUGS, SEEDS
from seeded.harnesses import HARNESSES
from seeded.table import Bug, Seed, faults, planted


class Table(unittest.TestCase):
    def test_every_fault_has_its_place_in_the_sources(self):
        self.assertEqual(faults(BUGS, SEEDS, HARNESSES), [])
        self.assertGreaterEqual(len(BUGS), 30)
        found = seeded_bugs.sources()
        for bug in BUGS:
            self.assertTrue(any(f'"{bug.name}"'.encode() in text for path, text in found.items()
                                if path.startswith("Sources")), bug.name)

    def test_a_text_that_is_gone_or_there_twice_is_told(self):
        for text in ("nothing of it", "old old"):
            with self.assertRaises(ValueError):
                planted("a.swift", text, [Seed("a.swift", "old", "new")])
        with self.assertRaises(ValueError):
            planted("a.swift", "one two three", [Seed("a.swift", "one two", ""), Seed("a.swift", "two three", "")])
        both = [Seed("a.swift", "three", "3"), Seed("a.swift", "one", "1")]
        self.assertEqual(planted("a.swift", "one two three", both), "1 two 3")

    def test_a_table_that_contradicts_itself_is_told(self):
        seed = Seed("a.swift", "old", 'SeededBug.isOn("a") seeded_bug("b")')
        self.assertEqual(faults([Bug("a", "", "x"), Bug("b", "", "x")], [seed], ["x"]), [])
        self.assertEqual(len(faults([Bug("a", "", "y"), Bug("a", "", "x"), Bug("c", "", "x")], [seed], ["x"])), 4)


if __name__ == "__main__":
    unittest.main()
