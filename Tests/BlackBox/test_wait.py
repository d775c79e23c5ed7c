"""`replay wait`: an event is settled or it is not, whoever wrote the store and whether he still runs."""
import json, os, shutil, sqlite3, subprocess, tempfile, time, unittest

from support import GOOD, TOOL, generate, replay

ARCHIVE = os.path.join(GOOD, "confluent-gzip")
# What the fixture's files are named: partition 3 holds the events 0 to 499.
LAST = 499


class Wait(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.store = os.path.join(self.home, "t.db")
        done = replay("--archive", ARCHIVE, "--function", "event-counts", "--store", self.store)
        self.assertEqual(done.returncode, 0, done.stderr)

    def tearDown(self):
        shutil.rmtree(self.home)

    def wait(self, position, *more, function="event-counts"):
        named = ["--function", function] if function else []
        return replay("wait", "--store", self.store, *named, "--position", position, *more)

    def test_what_the_archive_had_is_settled_at_once(self):
        began = time.monotonic()
        for event in (0, 30, LAST):
            done = self.wait(f"3:{event}")
            self.assertEqual((done.returncode, done.stdout), (0, f"applied 3:{event} (next {LAST}:1)\n"), done.stderr)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(os.listdir(self.home), ["t.db"], "waiting makes no file")

    def test_json(self):
        done = self.wait("3:30", "--json")
        self.assertEqual(json.loads(done.stdout), {
            "message_type": "settled", "settled": True, "as": "applied", "partition": "3", "position": "30",
            "next": f"{LAST}:1"})

    def test_without_a_function_every_one_counts(self):
        self.assertEqual(self.wait("3:30", function=None).returncode, 0)
        with sqlite3.connect(self.store) as database:
            database.execute("INSERT INTO _replay_functions SELECT 'slower', first, last, format, version, shape, tables,"
                             " views, fence, owner, phase, events, epochs, updated_at, reading, command"
                             " FROM _replay_functions")
        database.close()
        self.assertEqual(self.wait("3:30").returncode, 0)
        self.assertEqual(self.wait("3:30", "--timeout", "50ms", function=None).returncode, 124)

    def test_what_does_not_come_in_time(self):
        began = time.monotonic()
        late = self.wait(f"3:{LAST + 1}", "--timeout", "300ms")
        passed = time.monotonic() - began
        self.assertEqual(late.returncode, 124, late.stderr)
        self.assertIn(f"its next position is {LAST}:1", late.stderr)
        self.assertGreater(passed, 0.3)
        self.assertEqual(late.stdout, "")

    def test_positions_at_the_edge_of_64_bits(self):
        for number in (2**63 - 1, 2**63, 2**64 - 1):
            for index in ("", f":{2**63 - 1}"):
                late = self.wait(f"3:{number}{index}", "--timeout", "0s")
                self.assertEqual(late.returncode, 124, late.stderr)
                self.assertIn(f"its next position is {LAST}:1", late.stderr)
        self.assertEqual(self.wait(f"3:{2**64}", "--timeout", "0s").returncode, 64)

    def test_an_idle_store_is_opened_once(self):
        time.sleep(0.2)
        trace = os.path.join(self.home, "trace")
        done = subprocess.run(["strace", "-f", "-e", "trace=openat", "-o", trace, TOOL, "wait", "--store", self.store,
                               "--position", f"3:{LAST + 1}", "--timeout", "1s"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 124, done.stderr)
        with open(trace) as file:
            opened = [line for line in file if "t.db\"" in line]
        self.assertEqual(len(opened), 1, opened)

    def test_a_partition_that_is_not_there_yet(self):
        late = self.wait("9:1", "--timeout", "100ms")
        self.assertEqual(late.returncode, 124)
        self.assertIn("no such partition yet; known: 0, 1, 2, 3", late.stderr)

    def test_bad_questions(self):
        for position in ("3", "3:", "3:x", ""):
            self.assertEqual(self.wait(position).returncode, 64, position)
        for timeout in ("5", "0.5s", "-1s", "1001d"):
            self.assertEqual(self.wait("3:30", f"--timeout={timeout}").returncode, 64, timeout)
        unknown = self.wait("3:30", function="event-count")
        self.assertEqual(unknown.returncode, 64)
        self.assertIn("functions: event-counts", unknown.stderr)
        self.store = os.path.join(self.home, "none.db")
        self.assertEqual(self.wait("3:30").returncode, 66)
        self.assertEqual(os.listdir(self.home), ["t.db"])

    def test_it_waits_for_a_running_run(self):
        archive, store = os.path.join(self.home, "big"), os.path.join(self.home, "big.db")
        generate(archive, "--events", 200000, "--codec", "gzip", "--segments", 8)
        run = subprocess.Popen([TOOL, "--archive", archive, "--function", "event-counts", "--store", store, "--lanes", "1",
                                "--commit-interval", "0.01", "--progress", "none"], stderr=subprocess.DEVNULL)
        while replay("wait", "--store", store, "--position", "0:0", "--timeout", "0s").returncode in (64, 66):
            time.sleep(0.01)
        self.store = store
        done = self.wait("0:20000", "--timeout", "60s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run.wait(60), 0)
        status = json.loads(replay("status", "--store", store, "--json").stdout)
        ends = {place["partition"]: place["next"] for place in status["functions"][0]["positions"]}
        last = int(ends["0"].split(":")[0])
        self.assertEqual(self.wait(f"0:{last}").returncode, 0)
        self.assertEqual(self.wait(f"0:{last + 1}", "--timeout", "0s").returncode, 124)


if __name__ == "__main__":
    unittest.main()
