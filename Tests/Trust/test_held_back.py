"""Functions with so many keys that their events are held back, part by part of the key space, before they are applied: each
is applied once all the same, whatever the number of lanes and wherever cuts are made."""
import json, os, random, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "BlackBox"))
from support import replay
from torture import FUNCTIONS, Archive, event, rows, tally

KEYS, EVENTS = 12_000, 30_000


class HeldBack(unittest.TestCase):
    def test_every_event_is_applied(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        events = []
        for number in range(EVENTS):
            one = event(chance, 0, 1, number)
            one["partitionkey"] = one["data"]["customer"] = f"c-{chance.randrange(KEYS)}"
            events.append(one)
        lines = [json.dumps(one, separators=(",", ":")).encode() for one in events]
        wanted = tally([events])
        with tempfile.TemporaryDirectory() as home:
            archive = Archive(chance, os.path.join(home, "archive"), [lines])
            archive.layout = "confluent"
            for end in (EVENTS // 3, EVENTS // 2, EVENTS):
                archive.add(0, end)
            for lanes, commits in ((1, 1_000_000), (3, 4_000)):
                with self.subTest(lanes=lanes, seed=seed):
                    store = os.path.join(home, f"{lanes}.db")
                    done = replay("--archive", archive.root, "--store", store, "--lanes", lanes, "--commit-events", commits,
                                  *(part for name in FUNCTIONS for part in ("--function", name)))
                    self.assertEqual(done.returncode, 0, done.stderr)
                    found = rows(store)
                    wrong = [table for table in wanted if found[table] != wanted[table]]
                    self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
