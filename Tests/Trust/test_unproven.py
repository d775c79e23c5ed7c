"""A file whose every byte can be decompressed, and whose checksum at its end is wrong: nothing of it is committed, however
small blocks are and however often is committed meanwhile; what is before it is there to the last event."""
import gzip, json, os, random, sqlite3, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "BlackBox"), os.path.join(HERE, "..", "..", "fixtures")]
from retail.codecs import zstd_bytes
from support import replay
from torture import Archive, event

GOOD, DAMAGED = 2_000, 10_000
# Where a checksum begins, from the end: a member has its length behind it.
PLACES = {"gzip": -8, "zstd": -4}


class Unproven(unittest.TestCase):
    def test_nothing_is_committed_before_its_checksum_was_read(self):
        chance = random.Random(5)
        lines = [json.dumps(event(chance, 0, 1, n), separators=(",", ":")).encode() for n in range(GOOD + DAMAGED)]
        for codec, place in PLACES.items():
            with tempfile.TemporaryDirectory() as home:
                archive = Archive(chance, os.path.join(home, "archive"), [lines])
                archive.layout = "confluent"
                archive.add(0, GOOD)
                archive.add(0, GOOD + DAMAGED)
                path = os.path.join(archive.root, f"topics/retail/partition=0/retail+0+{GOOD:010}.json.gz")
                with open(path, "rb") as file:
                    data = file.read()
                # What a file is compressed by its first bytes say, not its name.
                data = bytearray(data if codec == "gzip" else zstd_bytes(gzip.decompress(data), "-1", "--check"))
                data[place] ^= 1
                with open(path, "wb") as file:
                    file.write(data)
                for lanes in (1, 4):
                    with self.subTest(codec=codec, lanes=lanes):
                        self.refuses(archive, os.path.join(home, f"{lanes}.db"), lanes)

    def refuses(self, archive, store, lanes):
        done = replay("--archive", archive.root, "--store", store, "--function", "event-counts", "--function",
                      "recently-viewed", "--lanes", lanes, "--block-bytes", 4096, "--commit-events", 1000,
                      "--commit-interval", 0.01)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("corrupt", done.stderr)
        with sqlite3.connect(store) as database:
            counted = database.execute("SELECT sum(events) FROM event_counts").fetchone()[0]
        self.assertEqual(counted, GOOD)


if __name__ == "__main__":
    unittest.main()
