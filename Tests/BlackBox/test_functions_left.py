"""Events that functions in other languages cannot apply: none is lost, those of a key stay in order, and a retry heals."""
import gzip, json, os, shlex, sqlite3, tempfile, unittest

from support import replay

KEYS, EVENTS, EVERY = 20, 3_000, 100
POISONED = [n for n in range(EVENTS) if n % EVERY == EVERY - 1]
TABLES = {"function": "sums", "contract": "changes",
          "tables": {"sums": {"key": {"k": "text"}, "merge": {"total": "sum", "events": "sum"}}}}

# Complains of poison and answers all the same, as a program may that prints its log to standard error.
LINES = """
import json, os, sys
for line in sys.stdin:
    given = json.loads(line)
    n = given["event"]["n"]
    if n %% %(every)d == %(last)d and not os.path.exists(%(healed)r):
        sys.stderr.write(f"no {n}\\n"); sys.stderr.flush()
        print("{}", flush=True)
        continue
    print(json.dumps({"merges": [{"table": "sums", "row": {"k": given["key"], "total": n, "events": 1}}]}), flush=True)
"""

LAMBDA = """
import base64, json, os
def handler(event, context):
    rows = []
    for record in event["Records"]:
        n = json.loads(base64.b64decode(record["kinesis"]["data"]))["n"]
        if n %% %(every)d == %(last)d and not os.path.exists(%(healed)r):
            raise ValueError(f"no {n}")
        rows.append({"k": record["kinesis"]["partitionKey"], "total": n, "events": 1})
    return {"merges": [{"table": "sums", "row": row} for row in rows]}
"""


class Left(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.healed = os.path.join(self.folder, "healed")
        self.store = os.path.join(self.folder, "s.db")
        self.archive = os.path.join(self.folder, "events")
        # A key's events are in one partition.
        for partition in range(2):
            path = f"{self.archive}/topics/t/partition={partition}"
            os.makedirs(path)
            with gzip.open(f"{path}/t+{partition}+0000000000.json.gz", "wt") as file:
                for n in range(EVENTS):
                    if n % KEYS % 2 == partition:
                        file.write(json.dumps({"partitionkey": f"k{n % KEYS}", "id": str(n), "n": n}) + "\n")
        self.tables = self.write("tables.json", json.dumps(TABLES))

    def add_segments(self, until):
        """The events that come next, in files of their own."""
        for partition in range(2):
            path = f"{self.archive}/topics/t/partition={partition}/t+{partition}+{EVENTS // 2:010}.json.gz"
            with gzip.open(path, "wt") as file:
                for n in range(EVENTS, until):
                    if n % KEYS % 2 == partition:
                        file.write(json.dumps({"partitionkey": f"k{n % KEYS}", "id": str(n), "n": n}) + "\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def function(self, form):
        words = {"every": EVERY, "last": EVERY - 1, "healed": self.healed}
        if form == "lambda":
            client = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workers")
            code = (LAMBDA % words + f"\nimport sys\nsys.path.insert(0, {client!r})\nfrom runtime_client import Runtime\n"
                    "runtime = Runtime()\nwhile True:\n    i, _, event = runtime.next()\n"
                    "    try: runtime.answer(i, handler(event, None))\n"
                    "    except ValueError as error: runtime.fail(i, str(error))\n")
            return "lambda:exec:python3 " + shlex.quote(self.write("client.py", code))
        return "exec:python3 " + shlex.quote(self.write("lines.py", LINES % words))

    def run_function(self, form, *flags):
        return replay("--archive", self.archive, "--function", self.function(form), "--tables", self.tables, "--store",
                      self.store, "--workers", 2, *flags)

    def sums(self):
        with sqlite3.connect(self.store) as database:
            return dict((k, (total, events)) for k, total, events in database.execute("SELECT * FROM sums"))

    def expected(self, applied, until=EVENTS):
        sums = {}
        for n in filter(applied, range(until)):
            total, events = sums.get(f"k{n % KEYS}", (0, 0))
            sums[f"k{n % KEYS}"] = (total + n, events + 1)
        return sums

    def kept(self):
        with sqlite3.connect(self.store) as database:
            rows = database.execute("SELECT record FROM _replay_failed ORDER BY number").fetchall()
        return [json.loads(row[0])["n"] for row in rows]

    def test_dead_letters_are_all_of_the_bad_and_none_of_the_good(self):
        for form in ("exec", "lambda"):
            with self.subTest(form):
                self.setUp()
                done = self.run_function(form, "--on-error", "dead-letter")
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertEqual(sorted(self.kept()), POISONED)
                self.assertEqual(self.sums(), self.expected(lambda n: n not in POISONED))

    def test_parked_keys_stay_in_order_and_a_retry_heals_them(self):
        parked = {n % KEYS: n for n in reversed(POISONED)}
        for form in ("exec", "lambda"):
            with self.subTest(form):
                self.setUp()
                done = self.run_function(form, "--on-error", "park")
                self.assertEqual(done.returncode, 3, done.stderr)
                behind = [n for n in range(EVENTS) if n >= parked.get(n % KEYS, EVENTS)]
                kept = self.kept()
                self.assertEqual(sorted(kept), behind)
                for key in parked:
                    own = [n for n in kept if n % KEYS == key]
                    self.assertEqual(own, sorted(own), f"key {key}")
                self.assertEqual(self.sums(), self.expected(lambda n: n not in behind))
                open(self.healed, "w").close()
                done = replay("failed", "retry", "--store", self.store, "--function", self.function(form), "--tables",
                              self.tables)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual((self.kept(), self.sums()), ([], self.expected(lambda n: True)))

    def test_keys_stay_parked_in_a_run_that_would_park_none(self):
        for form in ("exec", "lambda"):
            with self.subTest(form):
                self.setUp()
                self.assertEqual(self.run_function(form, "--on-error", "park").returncode, 3)
                parked = {n % KEYS for n in POISONED}
                before = self.kept()
                open(self.healed, "w").close()
                self.add_segments(EVENTS + 200)
                done = self.run_function(form)
                self.assertEqual(done.returncode, 3, done.stderr)
                later = [n for n in range(EVENTS, EVENTS + 200) if n % KEYS in parked]
                self.assertEqual(sorted(self.kept()), sorted(before + later))
                done = replay("failed", "retry", "--store", self.store, "--function", self.function(form), "--tables",
                              self.tables)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.sums(), self.expected(lambda n: True, EVENTS + 200))

    def test_without_a_policy_the_run_stops_at_the_event_and_goes_on_once_it_is_mended(self):
        for form in ("exec", "lambda"):
            with self.subTest(form):
                self.setUp()
                done = self.run_function(form)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn("no ", done.stderr)
                open(self.healed, "w").close()
                done = self.run_function(form)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.sums(), self.expected(lambda n: True))


if __name__ == "__main__":
    unittest.main()
