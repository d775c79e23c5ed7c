"""A member whose every byte can be inflated, and whose CRC-32 at its end is wrong: nothing of it is committed, however small
blocks are and however often is committed meanwhile; what is before it is there to the last event."""
import json, os, random, sqlite3, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "BlackBox"))
from support import replay
from torture import Archive, event

GOOD, DAMAGED = 3_000, 20_000


class Unproven(unittest.TestCase):
    def test_nothing_is_committed_before_its_checksum_was_read(self):
        chance = random.Random(5)
        lines = [json.dumps(event(chance, 0, 1, n), separators=(",", ":")).encode() for n in range(GOOD + DAMAGED)]
        with tempfile.TemporaryDirectory() as home:
            archive = Archive(chance, os.path.join(home, "archive"), [lines])
            archive.layout = "confluent"
            archive.add(0, GOOD)
            archive.add(0, GOOD + DAMAGED)
            path = os.path.join(archive.root, f"topics/retail/partition=0/retail+0+{GOOD:010}.json.gz")
            with open(path, "r+b") as file:
                file.seek(-8, os.SEEK_END)
                crc = file.read(1)
                file.seek(-8, os.SEEK_END)
                file.write(bytes([crc[0] ^ 1]))
            for lanes in (1, 4):
                with self.subTest(lanes=lanes):
                    store = os.path.join(home, f"{lanes}.db")
                    done = replay("--archive", archive.root, "--store", store, "--function", "event-counts", "--function",
                                  "recently-viewed", "--lanes", lanes, "--block-bytes", 4096, "--commit-events", 200,
                                  "--commit-interval", 0.001)
                    self.assertEqual(done.returncode, 65, done.stderr)
                    self.assertIn("CRC-32", done.stderr)
                    with sqlite3.connect(store) as database:
                        counted = database.execute("SELECT sum(events) FROM event_counts").fetchone()[0]
                    self.assertEqual(counted, GOOD)


if __name__ == "__main__":
    unittest.main()
