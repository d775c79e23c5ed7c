"""Positions at the edge of 64 bits: in the names of a stream's files, and of an archive's."""
import gzip, json, os, unittest

from support import replay
from test_live import LiveCase
from torture import event

EDGE = 2**63


class Edge(LiveCase):
    def setUp(self):
        super().setUp()
        self.dir = os.path.join(self.scratch, "retail")
        self.root = os.path.join(self.scratch, "archive")
        self.lines = [json.dumps(event(self.chance, 0, 1, n), separators=(",", ":")).encode() for n in range(6)]

    def stream(self, start, count):
        os.makedirs(os.path.join(self.dir, "partition=0"), exist_ok=True)
        with open(os.path.join(self.dir, "partition=0", f"{start:020}.jsonl"), "wb") as file:
            file.write(b"".join(line + b"\n" for line in self.lines[:count]))

    def archived(self, start, count):
        path = os.path.join(self.root, "topics/retail/partition=0", f"retail+0+{start:010}.json.gz")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with gzip.open(path, "wb") as file:
            file.write(b"".join(line + b"\n" for line in self.lines[:count]))

    def run_it(self, *more):
        return replay("--archive", self.root, "--store", self.store, "--function", "event-counts", "--live",
                      "dir:" + self.dir, "--until-caught-up", *more)

    def test_a_stream_below_the_edge(self):
        self.stream(EDGE - 6, 5)
        self.archived(EDGE - 6, 4)
        self.assertEqual(self.run_it().returncode, 0)
        self.stream(EDGE - 6, 6)
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"next {EDGE}", done.stderr)
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stderr)
        done = replay("append", "dir:" + self.dir, stdin=self.lines[0].decode())
        self.assertEqual((done.returncode, done.stdout), (65, ""), done.stderr)
        self.assertIn("no positions left", done.stderr)
        self.assertEqual(replay("wait", "--store", self.store, "--position", f"0:{EDGE - 1}").returncode, 0)
        self.assertEqual(replay("wait", "--store", self.store, "--position", f"0:{EDGE}", "--timeout", "0s").returncode, 124)

    def test_a_stream_beyond_the_edge(self):
        """Its lines were followed once; the run after it called that a fault of ours."""
        self.stream(EDGE - 2, 4)
        self.archived(EDGE - 2, 2)
        for _ in range(2):
            done = self.run_it()
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("more lines than there are positions", done.stderr)
            self.assertIn("next:", done.stderr)

    def test_an_archive_beyond_the_edge(self):
        self.stream(EDGE - 2, 2)
        for start in (EDGE + 1, 2**64 - 1, 2**64, 10**30):
            with self.subTest(start=start):
                for name in os.listdir(self.root + "/topics/retail/partition=0") if os.path.exists(self.root) else []:
                    os.remove(os.path.join(self.root, "topics/retail/partition=0", name))
                self.archived(start, 2)
                done = self.run_it()
                self.assertEqual(done.returncode, 81, done.stderr)
                alone = replay("--archive", self.root, "--store", f"{self.store}.{start}", "--function", "event-counts")
                self.assertEqual(alone.returncode, 0, alone.stderr)

    def test_a_file_that_begins_beyond_the_edge(self):
        self.stream(EDGE, 1)
        self.archived(EDGE, 1)
        done = self.run_it()
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("below 2^63", done.stderr)


if __name__ == "__main__":
    unittest.main()
