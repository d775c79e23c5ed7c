"""Functions in other languages that follow a stream with several workers: a slow or failing key is in nobody's way, and
what is committed is whole."""
import collections, json, os, random, signal, sqlite3, subprocess, tempfile, time, unittest

from streams import DirectoryStream
from support import HERE, TOOL, replay
from torture import Archive

ARCHIVED, KEYS, EVENTS = 10, 40, 400
SLOW = "slow"

# Writes down what it is given and when; stays a while with the slow key.
LINES = """
import json, sys, time
for line in sys.stdin:
    given = json.loads(line)
    if given["key"] == "slow" and given["phase"] == "live": time.sleep(%(seconds)s)
    with open(%(log)r, "a") as log:
        log.write(f"{time.time()} {given['key']} {given['position']}\\n")
    print("{}", flush=True)
"""

LAMBDA = """
import base64, json, sys, time
sys.path.insert(0, %(here)r)
from runtime_client import Runtime
runtime = Runtime()
while True:
    request, headers, event = runtime.next()
    phase = json.loads(headers["Lambda-Runtime-Client-Context"])["custom"]["replay_phase"]
    for record in event["Records"]:
        key = record["kinesis"]["partitionKey"]
        if key == "slow" and phase == "live": time.sleep(%(seconds)s)
        with open(%(log)r, "a") as log:
            log.write(f"{time.time()} {key} {record['eventID'].rsplit(':', 1)[1]}\\n")
    runtime.answer(request, None)
"""

# Answers changes, and fails the events of the slow key.
FAILING = """
import json, sys
for line in sys.stdin:
    given = json.loads(line)
    if given["key"] == "slow" and given["phase"] == "live":
        sys.stderr.write("not this one\\n"); sys.stderr.flush()
        continue
    print(json.dumps({"merges": [{"table": "sums", "row": {"k": given["key"], "events": 1}}]}), flush=True)
"""
TABLES = {"function": "sums", "contract": "changes",
          "tables": {"sums": {"key": {"k": "text"}, "merge": {"events": "sum"}}}}


class LiveWorkers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, chance = folder.name, random.Random(3)
        self.store, self.log = os.path.join(self.folder, "s.db"), os.path.join(self.folder, "log")
        # The first live event is the slow key's; then come some of every key.
        keys = [f"k{n % KEYS}" for n in range(ARCHIVED)] + [SLOW] + [f"k{n % KEYS}" for n in range(EVENTS)] + [SLOW]
        self.keys = keys
        self.lines = [json.dumps({"partitionkey": key, "id": str(n), "n": n}).encode() for n, key in enumerate(keys)]
        archive = Archive(chance, os.path.join(self.folder, "archive"), [self.lines])
        archive.layout = "aiven"
        archive.add(0, ARCHIVED)
        self.archive = archive.root
        self.stream = DirectoryStream(os.path.join(self.folder, "retail"), chance)
        self.stream.create(1)
        self.stream.append(0, self.lines[:ARCHIVED])

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def function(self, form, seconds):
        words = {"log": self.log, "seconds": seconds, "here": os.path.join(HERE, "workers")}
        if form == "lambda":
            return "lambda:exec:python3 " + self.write("handler.py", LAMBDA % words)
        return "exec:python3 " + self.write("lines.py", LINES % words)

    def command(self, function, *more):
        return ["--archive", self.archive, "--store", self.store, "--live", self.stream.address, "--function", function,
                *map(str, more)]

    def start(self, function, *more):
        """A run that follows the stream; it has caught up with what is archived."""
        process = subprocess.Popen([TOOL, *self.command(function, *more)], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if "caught up" in line:
                return process
        self.fail("the run has ended")

    def delivered(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log) as log:
            return [(float(at), key, int(position)) for at, key, position in map(str.split, log)]

    def wait(self, condition, seconds=20):
        until = time.time() + seconds
        while not condition():
            self.assertLess(time.time(), until, "it does not come")
            time.sleep(0.02)

    def test_other_keys_are_delivered_while_one_takes_its_time(self):
        for form in ("exec", "lambda"):
            with self.subTest(form):
                self.setUp()
                process = self.start(self.function(form, 3), "--contract", "writes-itself", "--workers", 4,
                                     "--batch-size", 10)
                self.stream.append(0, self.lines[ARCHIVED:])
                self.wait(lambda: any(key == SLOW for _, key, _ in self.delivered()))
                first = min(at for at, key, _ in self.delivered() if key == SLOW)
                before = {position for at, key, position in self.delivered() if at < first and position > ARCHIVED}
                # Three workers in four have nothing to do with that key.
                self.assertGreater(len(before), EVENTS // 2)
                self.wait(lambda: len({position for _, _, position in self.delivered()}) == len(self.keys))
                process.send_signal(signal.SIGTERM)
                process.stderr.read()
                process.wait(10)
                own = collections.defaultdict(list)
                for _, key, position in self.delivered():
                    own[key].append(position)
                self.assertEqual({key: sorted(set(found)) for key, found in own.items()}, dict(own))

    def test_with_one_worker_they_wait(self):
        """That the test before can fail."""
        process = self.start(self.function("exec", 2), "--contract", "writes-itself", "--workers", 1)
        self.stream.append(0, self.lines[ARCHIVED:])
        self.wait(lambda: any(key == SLOW for _, key, _ in self.delivered()))
        first = min(at for at, key, _ in self.delivered() if key == SLOW)
        self.assertEqual([row for row in self.delivered() if row[0] < first and row[2] > ARCHIVED], [])
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    def test_a_run_that_was_taken_over_ends_though_much_is_read_ahead_for_slow_calls(self):
        """To work it off would take more than a minute."""
        script = (LINES % {"log": self.log, "seconds": 0.5}).replace('given["key"] == "slow" and ', "")
        function = "exec:python3 " + self.write("lines.py", script)
        first = self.start(function, "--contract", "writes-itself", "--workers", 2)
        self.stream.append(0, self.lines[ARCHIVED:])
        self.wait(lambda: len(self.delivered()) > ARCHIVED + 2)
        began = time.time()
        second = subprocess.Popen([TOOL, *self.command(function, "--contract", "writes-itself", "--workers", 2)],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        said = first.stderr.read()
        self.assertEqual(first.wait(15), 76, said)
        self.assertIn("what is not committed is the other run's to do", said)
        self.assertLess(time.time() - began, 10)

    def test_a_stop_does_not_wait_for_a_slow_call_and_nothing_is_lost(self):
        function = self.function("exec", 600)
        process = self.start(function, "--contract", "writes-itself", "--workers", 4)
        self.stream.append(0, self.lines[ARCHIVED:])
        self.wait(lambda: len(self.delivered()) > ARCHIVED + EVENTS // 2)
        began = time.time()
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(10), 143)
        self.assertLess(time.time() - began, 6)
        done = replay(*self.command(self.function("exec", 0), "--contract", "writes-itself", "--workers", 3,
                                    "--until-caught-up"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({position for _, _, position in self.delivered()}, set(range(len(self.keys))))

    def test_a_key_that_fails_is_parked_after_its_retries_and_others_are_committed_at_once_behind(self):
        script, tables = self.write("failing.py", FAILING), self.write("tables.json", json.dumps(TABLES))
        self.stream.append(0, self.lines[ARCHIVED:])
        done = replay(*self.command(f"exec:python3 {script}", "--tables", tables, "--workers", 4, "--retries", 2,
                                    "--retry-backoff", 0.2, "--until-caught-up"))
        self.assertEqual(done.returncode, 3, done.stderr)
        with sqlite3.connect(self.store) as database:
            found = dict(database.execute("SELECT k, events FROM sums"))
            kept = [json.loads(row[0])["n"] for row in
                    database.execute("SELECT record FROM _replay_failed ORDER BY number")]
        expected = collections.Counter(self.keys)
        del expected[SLOW]
        self.assertEqual(found, dict(expected))
        self.assertEqual(kept, [ARCHIVED, len(self.keys) - 1])


if __name__ == "__main__":
    unittest.main()
