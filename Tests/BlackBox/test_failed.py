"""Events that a function cannot apply: parked or dead-lettered, across kills and the handoff; listed, retried, dropped."""
import collections, gzip, json, os, random, shutil, sqlite3, subprocess, tempfile, time, unittest

from streams import DirectoryStream
from support import ROOT

# The tool with functions that fail at a price that is no number until they are healed (Tests/Tools/failing-tool).
TOOL = os.environ.get("REPLAY_FAILING_TOOL", os.path.join(ROOT, ".build", "debug", "failing-tool"))
FUNCTIONS = ["--function", "revenue", "--function", "purchases"]


def tool(*arguments, healed=False, timeout=300):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_")}
    clean.pop("FAILING_TOOL_HEALED", None)
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**clean, **({"FAILING_TOOL_HEALED": "1"} if healed else {})})


def make_events(chance, count, partitions, poisoned):
    """For each partition its events; `poisoned`: how many have a price that is no number."""
    bad = set(chance.sample(range(count), poisoned))
    lists = [[] for _ in range(partitions)]
    for number in range(count):
        customer = chance.randrange(2000)
        own = lists[customer % partitions]
        own.append({"id": f"e-{number}", "type": "sold", "time": "2026-01-31T08:12:33Z", "partitionkey": f"c-{customer}",
                    "number": len(own), "sku": f"sku-{chance.randrange(50)}",
                    "price": "none" if number in bad else chance.randrange(10000) / 100})
    return lists


def lines(events):
    return [json.dumps(event, separators=(",", ":")).encode() for event in events]


def write_archive(root, lists, segments=5):
    for partition, own in enumerate(lists):
        home = os.path.join(root, "topics", "retail", f"partition={partition}")
        os.makedirs(home)
        for segment in range(segments):
            start, end = len(own) * segment // segments, len(own) * (segment + 1) // segments
            with gzip.open(os.path.join(home, f"retail+{partition}+{start:010}.json.gz"), "wb", 1) as file:
                file.write(b"".join(line + b"\n" for line in lines(own[start:end])))


class Model:
    """What must become of events, one after the other, by plain dictionaries."""

    def __init__(self, lists, choice, parked=()):
        self.parked_keys, self.parked, self.dead = set(parked), [], []
        self.revenue, self.purchases = {}, {}
        for partition, own in enumerate(lists):
            for event in own:
                place = (partition, event["number"], event["partitionkey"])
                if event["partitionkey"] in self.parked_keys:
                    self.parked.append(place)
                elif event["price"] == "none" and choice == "park":
                    self.parked_keys.add(event["partitionkey"])
                    self.parked.append(place)
                elif event["price"] == "none" and choice == "dead-letter":
                    self.dead.append(place)
                else:
                    self.apply(event)

    def apply(self, event):
        cents = 7 if event["price"] == "none" else round(event["price"] * 100)
        count, total = self.revenue.get(event["sku"], (0, 0))
        self.revenue[event["sku"]] = (count + 1, total + cents)
        count, total, _ = self.purchases.get(event["partitionkey"], (0, 0, 0))
        self.purchases[event["partitionkey"]] = (count + 1, total + cents, event["number"])

    def rows(self):
        return {"revenue": sorted((k, *v) for k, v in self.revenue.items()),
                "purchases": sorted((k, *v) for k, v in self.purchases.items())}


def rows(store):
    with sqlite3.connect(store) as database:
        found = {"revenue": sorted(database.execute("SELECT sku, events, cents FROM revenue")),
                 "purchases": sorted(database.execute("SELECT customer, events, cents, last FROM purchases"))}
    database.close()
    return found


class FailedCase(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)
        self.store = os.path.join(self.scratch, "s.db")
        self.archive = os.path.join(self.scratch, "archive")

    def replay(self, *more, healed=False):
        return tool("--archive", self.archive, "--store", self.store, "--progress", "none", *FUNCTIONS, *more, healed=healed)

    def listed(self, *more):
        done = tool("failed", "list", "--store", self.store, "--json", *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def places(self, *more):
        return [(int(e["partition"]), int(e["position"]), e["key"]) for e in self.listed(*more)]

    def by_key(self, places):
        keys = collections.defaultdict(list)
        for place in places:
            keys[place[2]].append(place)
        return dict(keys)

    def retry(self, function, *more, healed=True):
        return tool("failed", "retry", "--store", self.store, "--function", function, *more, healed=healed)

    def assert_kept(self, model):
        """What is listed is what the model left, in the order of each key."""
        for function in ("revenue", "purchases"):
            own = ("--function", function)
            self.assertEqual(self.by_key(self.places(*own, "--state", "parked")), self.by_key(model.parked))
            self.assertEqual(sorted(self.places(*own, "--state", "dead")), sorted(model.dead))


class LargeArchive(FailedCase):
    """200,000 events, 1 in 10,000 of which no function can apply."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp()
        cls.events = make_events(random.Random(11), 200_000, 4, 20)
        write_archive(cls.home, cls.events)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def setUp(self):
        super().setUp()
        self.archive = self.home

    def test_fail_is_what_happens_unless_told_otherwise(self):
        done = self.replay()
        self.assertEqual(done.returncode, 65, done.stderr)
        for part in ("could not apply an event", "the price is no number", "--on-error park"):
            self.assertIn(part, done.stderr)
        self.assertEqual(self.listed(), [])

    def test_park_retry(self):
        report = os.path.join(self.scratch, "report.json")
        model = Model(self.events, "park")
        done = self.replay("--on-error", "park", "--report", report)
        self.assertEqual(done.returncode, 3, done.stderr)
        keys = len(model.parked_keys)
        self.assertIn(f"parked {len(model.parked):,} ({keys} keys)", done.stderr)
        self.assertIn("failed list --store", done.stderr)
        self.assertEqual(rows(self.store), model.rows())
        self.assert_kept(model)
        with open(report) as file:
            function = json.load(file)["functions"][1]
        self.assertEqual((function["parked"], function["dead_lettered"]), (len(model.parked), 0))
        self.assertEqual(function["kept"]["parked_keys"], keys)
        for partition, own in enumerate(function["partitions"]):
            self.assertEqual(own["parked"], sum(place[0] == partition for place in model.parked))
        status = tool("status", "--store", self.store)
        self.assertIn(f"{len(model.parked):,} events of {keys} keys are parked", status.stdout)
        self.assertIn("failed list", status.stderr)
        # Once more: nothing to do, and it is still said.
        again = self.replay("--on-error", "park")
        self.assertEqual(again.returncode, 3, again.stderr)
        self.assertIn("nothing to do", again.stderr)

        # Tried again with a function that still cannot.
        partition, position, key = model.parked[0]
        first = self.retry("purchases", "--key", key, healed=False)
        self.assertEqual(first.returncode, 3, first.stderr)
        self.assertIn("0 events applied, 1 failed again", first.stderr)
        shown = tool("failed", "show", "--store", self.store, "--function", "purchases", "--partition", partition,
                     "--position", position)
        self.assertEqual(shown.stdout.encode(), lines([self.events[partition][position]])[0] + b"\n")
        self.assertIn("2 attempts", shown.stderr)
        # As a report and an error name it.
        same = tool("failed", "show", "--store", self.store, "--function", "purchases", "--partition",
                    f"retail/{partition}", "--position", position)
        self.assertEqual((same.returncode, same.stdout), (0, shown.stdout), same.stderr)
        self.assertIn("error      the price is no number", shown.stderr)
        # With one that can: one key by one of its events, then all.
        some = self.retry("purchases", "--partition", partition, "--position", self.by_key(model.parked)[key][-1][1])
        self.assertEqual(some.returncode, 3, some.stderr)
        self.assertEqual(len(self.listed("--function", "purchases")), len(model.parked) - len(self.by_key(model.parked)[key]))
        for function in ("revenue", "purchases"):
            done = self.retry(function)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store), Model(self.events, "apply").rows())
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.replay("--on-error", "park").returncode, 0)

    def test_dead_letters_drop(self):
        model = Model(self.events, "dead-letter")
        done = self.replay("--on-error", "dead-letter")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("dead-lettered 20", done.stderr)
        self.assertEqual(rows(self.store), model.rows())
        self.assert_kept(model)
        partition, position, _ = model.dead[0]
        waited = tool("wait", "--store", self.store, "--position", f"{partition}:{position}")
        self.assertTrue(waited.stdout.startswith("dead-lettered "), waited.stdout)
        unsaid = tool("failed", "drop", "--store", self.store)
        self.assertEqual(unsaid.returncode, 64)
        one = tool("failed", "drop", "--store", self.store, "--partition", partition, "--position", position)
        self.assertIn("1 event dropped", one.stderr)
        self.assertEqual(len(self.listed()), 38)
        self.assertEqual(tool("failed", "drop", "--store", self.store, "--all").returncode, 0)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.replay().returncode, 0)
        self.assertEqual(rows(self.store), model.rows())

    def test_kill_and_resume(self):
        chance = random.Random(5)
        for choice in ("park", "dead-letter"):
            model = Model(self.events, choice)
            store = self.store = os.path.join(self.scratch, choice + ".db")
            kills, done = 0, None
            while done != 3:
                command = [TOOL, "--archive", self.archive, "--store", store, "--progress", "none", *FUNCTIONS,
                           "--on-error", choice, "--lanes", str(chance.randint(1, 6)), "--commit-interval", "0.02",
                           "--block-bytes", str(chance.choice([4096, 65536]))]
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                if kills < 8:
                    time.sleep(chance.uniform(0.05, 0.8))
                    process.kill()
                    kills += 1
                done = process.wait()
                self.assertIn(done, (3, -9))
            self.assertEqual(rows(store), model.rows(), choice)
            self.assert_kept(model)

    def test_the_limit(self):
        done = self.replay("--on-error", "park", "--max-parked-bytes", "1000")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("--max-parked-bytes", done.stderr)
        self.assertEqual(self.replay("--on-error", "park").returncode, 3)
        self.assertEqual(rows(self.store), Model(self.events, "park").rows())

    def test_a_refresh_forgets(self):
        self.assertEqual(self.replay("--on-error", "park").returncode, 3)
        done = self.replay("--full-refresh", healed=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.listed(), rows(self.store)), ([], Model(self.events, "apply").rows()))


class Live(FailedCase):
    """Archive and stream: what is parked stays so across the handoff, and its events come in order afterwards."""

    def scene(self, poisoned=60):
        self.events = make_events(random.Random(3), 6000, 2, poisoned)
        half = [own[:len(own) // 2] for own in self.events]
        write_archive(self.archive, half, segments=3)
        self.stream = DirectoryStream(os.path.join(self.scratch, "retail"), random.Random(3))
        self.stream.create(2)
        self.most = [own[:len(own) * 3 // 4] for own in self.events]
        for partition, own in enumerate(self.most):
            self.stream.append(partition, lines(own))

    def live(self, *more, healed=False):
        return self.replay("--live", self.stream.address, "--until-caught-up", *more, healed=healed)

    def test_parked_across_the_handoff(self):
        self.scene()
        done = self.live("--on-error", "park")
        self.assertEqual(done.returncode, 3, done.stderr)
        model = Model(self.most, "park")
        self.assertEqual(rows(self.store), model.rows())
        self.assert_kept(model)
        self.assertTrue(any(e["side"] == "live" for e in self.listed()))
        for function in ("revenue", "purchases"):
            tried = self.retry(function)
            self.assertEqual(tried.returncode, 0, tried.stderr)
        self.assertEqual(rows(self.store), Model(self.most, "apply").rows())
        for partition, own in enumerate(self.events):
            self.stream.append(partition, lines(own[len(self.most[partition]):]))
        done = self.live(healed=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store), Model(self.events, "apply").rows())

    def test_live_parks_unless_told_otherwise(self):
        self.scene(poisoned=0)
        self.assertEqual(self.live().returncode, 0)
        bad = {"type": "sold", "partitionkey": "c-2", "number": 9, "sku": "sku-1", "price": "none"}
        self.stream.append(0, lines([bad]))
        stopped = self.live("--on-error-live", "fail")
        self.assertEqual(stopped.returncode, 65, stopped.stderr)
        self.stream.append(0, lines([{**bad, "price": 1}, {**bad, "partitionkey": "c-4", "price": 1}]))
        done = self.live()
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual([e["attempts"] for e in self.listed("--function", "purchases")], [1, 0])
        place = len(self.most[0]) + 1
        waited = tool("wait", "--store", self.store, "--position", f"0:{place}", "--json")
        self.assertEqual(json.loads(waited.stdout)["as"], "parked")
        # What is dropped is never applied; what comes later is.
        gone = tool("failed", "drop", "--store", self.store, "--key", "c-2")
        self.assertIn("parked no more", gone.stderr)
        self.stream.append(0, lines([{**bad, "price": 2, "number": 77}]))
        self.assertEqual(self.live().returncode, 0)
        model = Model(self.most, "apply")
        model.apply({**bad, "partitionkey": "c-4", "price": 1})
        model.apply({**bad, "price": 2, "number": 77})
        self.assertEqual(rows(self.store), model.rows())

    def test_a_retry_takes_the_function(self):
        self.scene(poisoned=0)
        self.assertEqual(self.live().returncode, 0)
        follower = subprocess.Popen(
            [TOOL, "--archive", self.archive, "--store", self.store, "--progress", "none", *FUNCTIONS, "--live",
             self.stream.address], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.stream.append(0, lines([{"type": "sold", "partitionkey": "c-2", "number": 9, "sku": "s", "price": "none"}]))
        deadline = time.monotonic() + 60
        while not self.listed() and time.monotonic() < deadline:
            time.sleep(0.05)
        tried = self.retry("purchases")
        self.assertEqual(tried.returncode, 0, tried.stderr)
        self.assertIn("ends with 76", tried.stderr)
        self.assertEqual(follower.wait(timeout=60), 76)
        self.assertIn("could not be applied and are kept: see", follower.stderr.read())
        follower.stderr.close()


if __name__ == "__main__":
    unittest.main()
