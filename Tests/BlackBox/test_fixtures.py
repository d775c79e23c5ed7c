"""Every fixture through the executable: rows as the generator's tally has them, exit codes and messages as documented."""
import json, os, tempfile, unittest

import fixtures_check
from support import FIXTURES, GOOD, TOOL, replay


class Fixtures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = json.load(open(os.path.join(FIXTURES, "cases.json")))
        cls.expected = json.load(open(os.path.join(FIXTURES, "expected.json")))

    def check(self, case, *more):
        with tempfile.TemporaryDirectory() as scratch:
            wrong = fixtures_check.check(TOOL, case, self.expected, scratch, *more)
        self.assertEqual(wrong, [], case["name"])

    def test_every_case(self):
        for case in self.cases:
            with self.subTest(case["name"]):
                self.check(case)

    def test_same_rows_for_any_lanes_and_block_size(self):
        good = [case for case in self.cases if case["kind"] == "good"]
        self.assertGreater(len(good), 25)
        for case in good:
            for lanes in range(1, 17):
                with self.subTest(case["name"], lanes=lanes):
                    self.check(case, "--lanes", str(lanes), "--block-bytes", "2048", "--commit-events", "100")

    def test_a_bad_archive_loses_nothing_before_the_damage(self):
        """What is committed before a fault in one partition is the exact prefix: its count is the generator's."""
        for case in self.cases:
            if case["kind"] != "bad" or case["exit"] != 65 or case["events"] is None:
                continue
            with self.subTest(case["name"]), tempfile.TemporaryDirectory() as scratch:
                store = os.path.join(scratch, "t.db")
                arguments = ["--archive", os.path.join(FIXTURES, case["path"]), "--store", store]
                functions = [p for f in fixtures_check.FUNCTIONS for p in ("--function", f)]
                done = replay(*arguments, *functions, *case["args"])
                self.assertEqual(done.returncode, 65)
                settled = sum(row[2] for row in fixtures_check.rows(store, "event_counts"))
                self.assertLessEqual(settled, case["events"])
                self.assertIn(f"{settled} events of this run are committed", done.stderr)


if __name__ == "__main__":
    unittest.main()
