"""Filters of a run: what is left in the tables is computed here from the raw lines, and never by the tool."""
import gzip, json, os, random, shutil, sqlite3, subprocess, tempfile, time, unittest

from kill import dump
from streams import DirectoryStream, KafkaStream
from support import ROOT, TOOL, replay
from torture import Archive, event, rows, tally

MOCK = os.path.join(ROOT, ".build", "debug", "kafka-mock")
FUNCTIONS = ["shade-velocity", "recently-viewed", "event-counts"]
WORD = (1 << 64) - 1


def fold(a, b):
    product = a * b
    return (product >> 64) ^ (product & WORD)


def key_hash(text):
    """As `KeyHash.swift` defines it."""
    data, state = text.encode(), len(text.encode()) * 0xa0761d6478bd642f & WORD
    for at in range(0, len(data), 8):
        state = fold(state ^ int.from_bytes(data[at:at + 8].ljust(8, b"\0"), "little"), 0xe7037ed1a0b428db)
    return fold(state ^ 0x8ebc6af09c88c6e3, 0x589965cc75374cc3)


def in_sample(key, percent):
    again = fold(fold(key_hash(key) ^ 0xa0761d6478bd642f, 0xe7037ed1a0b428db) ^ 0x8ebc6af09c88c6e3, 0x589965cc75374cc3)
    return again < (round(percent * 1_000_000) << 64) // 100_000_000


class FilterCase(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)
        self.chance = random.Random(11)
        self.store = os.path.join(self.scratch, "store.db")

    def scene(self, counts=(600, 500, 400), layout="confluent", pieces=4, archived=None):
        """Events, and an archive of the first of each partition in so many segments."""
        self.events = [[event(self.chance, p, len(counts), n) for n in range(count)] for p, count in enumerate(counts)]
        self.lines = [[json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in own]
                      for own in self.events]
        self.archive = Archive(self.chance, os.path.join(self.scratch, "archive"), self.lines)
        self.archive.layout = layout
        self.archived = list(archived or counts)
        for partition, end in enumerate(self.archived):
            for piece in range(pieces):
                self.archive.add(partition, end * (piece + 1) // pieces)

    def command(self, *more, functions=FUNCTIONS):
        return ["--archive", self.archive.root, "--store", self.store,
                *(part for name in functions for part in ("--function", name)), *map(str, more)]

    def run_tool(self, *more, code=0, functions=FUNCTIONS):
        done = replay(*self.command(*more, functions=functions))
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def report(self, *more, **options):
        path = os.path.join(self.scratch, "report.json")
        self.run_tool(*more, "--report", path, **options)
        with open(path) as file:
            return json.load(file)

    def anew(self):
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.store + end):
                os.remove(self.store + end)

    def assert_rows(self, wants, message="", events=None):
        """`wants`: of partition, position and event."""
        left = [[e for n, e in enumerate(own) if wants(p, n, e)] for p, own in enumerate(events or self.events)]
        wanted, found = tally(left), rows(self.store)
        for table in wanted:
            self.assertEqual(found[table], wanted[table], f"{table} {message}")

    def file(self, name, content):
        path = os.path.join(self.scratch, name)
        with open(path, "wb") as file:
            file.write(content.encode())
        return path

    def status(self):
        done = replay("status", "--store", self.store)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class FilteredRows(FilterCase):
    def test_each_filter_leaves_what_it_says(self):
        for layout in ("confluent", "aiven"):
            self.scene(layout=layout)
            keys = self.file("keys", "c-3\r\nc-4\n\nc-5\n")
            cases = [
                (["--from", "2026-06-15"], lambda p, n, e: e["time"] >= "2026-06-15"),
                (["--to", "2026-06-15T00:00:00.100Z"], lambda p, n, e: e["time"] < "2026-06-15T00:00:00.100Z"),
                (["--from", "2026-02-28T01:00:00+01:00", "--to", "s@1780272000000"],
                 lambda p, n, e: "2026-02-28" <= e["time"] < "2026-06-01"),
                (["--from", "250"], lambda p, n, e: n >= 250),
                (["--from", "100", "--to", "450"], lambda p, n, e: 100 <= n < 450),
                (["--from", "0:10", "--from", "2:399", "--to", "1:1"],
                 lambda p, n, e: (p != 0 or n >= 10) and (p != 2 or n >= 399) and (p != 1 or n < 1)),
                (["--from", "retail/1:500", "--from", "3"], lambda p, n, e: n >= (500 if p == 1 else 3)),
                (["--from", "-7"], lambda p, n, e: n >= len(self.events[p]) - 7),
                (["--from", "-450", "--to", "-100"],
                 lambda p, n, e: len(self.events[p]) - 450 <= n < len(self.events[p]) - 100),
                (["--from", "beginning", "--to", "end"], lambda p, n, e: True),
                (["--from", "end"], lambda p, n, e: False),
                (["--types", "retail.item.sold"], lambda p, n, e: e["type"] == "retail.item.sold"),
                (["--types", "retail.item.sold,x", "--types", "retail.cart.updated"],
                 lambda p, n, e: e["type"] != "retail.product.viewed"),
                (["--keys", "c-3", "--keys", "c-7"], lambda p, n, e: e["partitionkey"] in ("c-3", "c-7")),
                (["--keys", "@" + keys, "--keys", "c-9"],
                 lambda p, n, e: e["partitionkey"] in ("c-3", "c-4", "c-5", "c-9")),
                (["--exclude-keys", "@" + keys], lambda p, n, e: e["partitionkey"] not in ("c-3", "c-4", "c-5")),
                (["--sample", "25%"], lambda p, n, e: in_sample(e["partitionkey"], 25)),
                (["--from", "2026-03-01", "--to", "390", "--types", "retail.item.sold,retail.product.viewed",
                  "--exclude-keys", "c-3", "--sample", "60.5%"],
                 lambda p, n, e: e["time"] >= "2026-03-01" and n < 390 and e["type"] != "retail.cart.updated"
                 and e["partitionkey"] != "c-3" and in_sample(e["partitionkey"], 60.5)),
            ]
            for flags, wants in cases:
                with self.subTest(layout=layout, flags=flags):
                    self.anew()
                    self.run_tool(*flags)
                    self.assert_rows(wants)
            shutil.rmtree(self.archive.root)

    def test_filters_by_chance_with_any_number_of_lanes(self):
        seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
        print(f"seed {seed}", end=" ", flush=True)
        self.chance = random.Random(seed)
        self.scene()
        for turn in range(12):
            flags, rules, chance = [], [], self.chance
            if chance.random() < 0.5:
                start = chance.randrange(300)
                flags += ["--from", start]
                rules.append(lambda p, n, e, start=start: n >= start)
            if chance.random() < 0.5:
                end = f"2026-{chance.randint(2, 12):02}-01"
                flags += ["--to", end]
                rules.append(lambda p, n, e, end=end: e["time"] < end)
            keys = [f"c-{chance.randrange(120)}" for _ in range(chance.randint(1, 60))]
            flag = chance.choice(["--keys", "--exclude-keys", None])
            if flag:
                flags += [part for key in keys for part in (flag, key)]
                rules.append(lambda p, n, e, keys=keys, flag=flag: (e["partitionkey"] in keys) == (flag == "--keys"))
            if chance.random() < 0.3:
                flags += ["--sample", "50%"]
                rules.append(lambda p, n, e: in_sample(e["partitionkey"], 50))
            self.anew()
            self.run_tool(*flags, "--lanes", chance.randint(1, 8), "--block-bytes", chance.choice([1024, 262144]))
            self.assert_rows(lambda p, n, e: all(rule(p, n, e) for rule in rules), f"seed {seed}: {flags}")

    def test_a_sample_is_the_same_keys_for_any_lanes(self):
        """Of a plain archive too, where keys cross files and are routed by another part of their hash."""
        self.scene(counts=(900,))
        found = set()
        for lanes in (1, 2, 7):
            self.anew()
            self.run_tool("--sample", "30%", "--lanes", lanes)
            self.assert_rows(lambda p, n, e: in_sample(e["partitionkey"], 30), f"{lanes} lanes")
            found.add(str(rows(self.store)))
        self.assertEqual(len(found), 1)

    def test_segments_outside_are_not_read(self):
        self.scene(counts=(400, 400))
        first = os.path.join(self.archive.root, "topics/retail/partition=0/retail+0+0000000000.json.gz")
        last = os.path.join(self.archive.root, "topics/retail/partition=0/retail+0+0000000300.json.gz")
        # Its first event still says what the archive is.
        for path in (first, last):
            with gzip.open(path, "rb") as file:
                lines = file.read().splitlines(keepends=True)
            with gzip.open(path, "wb") as file:
                file.write(b"".join(lines[:60]) + b'{"no": JSON}\n' + b"".join(lines[61:]))
        account = self.report("--from", "150", "--to", "0:250", "--to", "1:300")
        self.assertEqual(account["segments_read"], 4)
        self.assert_rows(lambda p, n, e: 150 <= n < (250 if p == 0 else 300))
        self.run_tool("--from", "150", "--to", "0:250", "--to", "1:300")
        self.anew()
        done = self.run_tool("--from", "50", code=65)
        self.assertIn(os.path.basename(first), done.stderr)

    def test_the_books_tell_filtered_from_ignored(self):
        self.scene()
        account = self.report("--types", "retail.item.sold,retail.product.viewed", "--exclude-keys", "c-3")
        everything = [e for own in self.events for e in own]
        passes = [e for e in everything if e["type"] != "retail.cart.updated" and e["partitionkey"] != "c-3"]
        asked = {"shade-velocity": ["retail.item.sold"], "recently-viewed": ["retail.product.viewed"],
                 "event-counts": ["retail.item.sold", "retail.product.viewed", "retail.cart.updated"]}
        for function in account["functions"]:
            types = asked[function["name"]]
            for books in [function]:
                self.assertEqual(books["applied"], sum(e["type"] in types for e in passes))
                self.assertEqual(books["filtered"], sum(e["type"] in types for e in everything) - books["applied"])
                self.assertEqual(books["ignored"], sum(e["type"] not in types for e in everything))
                self.assertEqual(books["read"], len(everything))
            parts = ("applied", "ignored", "filtered", "duplicate", "parked", "dead_lettered")
            for books in [function, *function["partitions"]]:
                self.assertEqual(books["read"], sum(books[part] for part in parts))
        self.assertIn("types retail.item.sold, retail.product.viewed; without 1 key", account["only"])


class StatedFilters(FilterCase):
    def test_another_filter_is_refused_with_both_in_words(self):
        self.scene(counts=(300,))
        self.run_tool("--types", "retail.item.sold")
        wants = lambda p, n, e: e["type"] == "retail.item.sold"
        self.assertIn("only       types retail.item.sold\n", self.status())
        for flags, words in [([], "every event"), (["--types", "retail.cart.updated"], "only types retail.cart.updated"),
                             (["--types", "retail.item.sold", "--from", "5"], "only from position 5; types")]:
            done = self.run_tool(*flags, code=78)
            self.assertIn("the store has  only types retail.item.sold\n", done.stderr)
            self.assertIn(f"this run has   {words}", done.stderr)
            planned = replay("plan", *self.command(*flags))
            self.assertEqual(planned.returncode, 78, planned.stderr)
            self.assert_rows(wants)
        self.assertIn("nothing to do", self.run_tool("--types", "retail.item.sold").stderr)
        self.run_tool("--full-refresh")
        self.assert_rows(lambda p, n, e: True)
        self.assertNotIn("only ", self.status())
        self.run_tool("--types", "retail.item.sold", code=78)
        found = json.loads(replay("status", "--store", self.store, "--json").stdout.splitlines()[-1])
        self.assertEqual([function["only"] for function in found["functions"]], [None] * 3)

    def test_keys_of_a_file_are_told_nowhere(self):
        self.scene(counts=(300,))
        # As the events of nobody: so that no row could have it either.
        erased = "c-very-secret-4711"
        keys = self.file("erased", f"{erased}\nc-1\n")
        account = os.path.join(self.scratch, "report.json")
        done = self.run_tool("--exclude-keys", "@" + keys, "--report", account)
        self.assert_rows(lambda p, n, e: e["partitionkey"] != "c-1")
        told = done.stdout + done.stderr + self.status() + self.run_tool(code=78).stderr
        told += replay("status", "--store", self.store, "--json").stdout + open(account).read()
        self.assertIn("without 2 keys (digest ", told)
        self.assertNotIn(erased, told)
        for end in ("", "-wal"):
            if os.path.exists(self.store + end):
                with open(self.store + end, "rb") as file:
                    self.assertNotIn(erased.encode(), file.read())

    def test_a_file_of_keys_that_changes_is_another_filter(self):
        self.scene(counts=(300,))
        keys = self.file("erased", "c-1\nc-2\n")
        self.run_tool("--exclude-keys", "@" + keys)
        self.file("erased", "c-2\r\nc-1\r\n\r\nc-2")
        self.assertIn("nothing to do", self.run_tool("--exclude-keys", "@" + keys).stderr)
        self.file("erased", "c-1\nc-2\nc-3\n")
        self.assertIn("without 3 keys", self.run_tool("--exclude-keys", "@" + keys, code=78).stderr)
        self.run_tool("--exclude-keys", "@" + keys, "--full-refresh")
        self.assert_rows(lambda p, n, e: e["partitionkey"] not in ("c-1", "c-2", "c-3"))
        self.file("nobody", "\n")
        self.anew()
        self.run_tool("--exclude-keys", "@" + os.path.join(self.scratch, "nobody"))
        self.assertNotIn("only ", self.status())

    def test_edges_that_depend_on_the_archive_stay_where_they_were(self):
        self.scene(counts=(600, 300), archived=(400, 200))
        self.run_tool("--from", "-150")
        wants = lambda p, n, e: n >= (250 if p == 0 else 50)
        self.assert_rows(wants, events=[self.events[0][:400], self.events[1][:200]])
        self.assertIn("only       from the last 150 of each partition\n", self.status())
        for partition, end in ((0, 600), (1, 300)):
            self.archive.add(partition, end)
        self.run_tool("--from", "-150")
        self.assert_rows(wants)
        self.anew()
        self.run_tool("--from", "-150")
        self.assert_rows(lambda p, n, e: n >= (450 if p == 0 else 150))

    def test_a_store_from_before_filters_is_whole(self):
        self.scene(counts=(300,), archived=(200,))
        self.run_tool()
        with sqlite3.connect(self.store) as database:
            database.execute("DROP TABLE _replay_filters")
        database.close()
        self.assertNotIn("only ", self.status())
        self.run_tool("--types", "retail.item.sold", code=78)
        self.archive.add(0, 300)
        self.run_tool()
        self.assert_rows(lambda p, n, e: True)

    def test_a_kept_plan_has_the_filter(self):
        self.scene(counts=(300, 200))
        keys = self.file("keys", "c-1\nc-2\nc-3\nc-4\n")
        plan = os.path.join(self.scratch, "plan.json")
        flags = ["--keys", "@" + keys, "--from", "0:100", "--to", "-10"]
        done = replay("plan", *self.command(*flags), "--out", plan)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("only      from 0:100; to the last 10 of each partition; 4 keys (digest ", done.stdout)
        self.assertNotIn("c-1\"", open(plan).read())
        done = replay("apply", plan)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_rows(lambda p, n, e: e["partitionkey"] in ("c-1", "c-2", "c-3", "c-4")
                         and (p != 0 or n >= 100) and n < len(self.events[p]) - 10)

    def test_what_was_left_is_retried_without_the_filter_said_again(self):
        self.scene(counts=(200,))
        lines = [json.loads(line) for line in self.lines[0]]
        bad = next(e for e in lines if e["type"] == "retail.item.sold")
        bad["data"]["price"] = "none"
        shutil.rmtree(self.archive.root)
        self.archive = Archive(self.chance, self.archive.root, [[json.dumps(line).encode() for line in lines]])
        self.archive.layout = "confluent"
        self.archive.add(0, 200)
        flags = ["--keys", bad["partitionkey"], "--on-error", "dead-letter"]
        self.run_tool(*flags, functions=["shade-velocity"], code=3)
        done = replay("failed", "retry", "--store", self.store, "--function", "shade-velocity")
        self.assertIn("0 events applied, 1 failed again", done.stderr)
        self.assertIn("only       1 key (digest ", self.status())

    def test_killed_and_resumed_with_other_lanes(self):
        seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
        print(f"seed {seed}", end=" ", flush=True)
        self.chance = random.Random(seed)
        self.scene(counts=(5000, 4000, 3000), pieces=6)
        flags = ["--from", "-3500", "--to", "2026-11-01", "--exclude-keys", "c-3", "--sample", "80%"]
        self.run_tool(*flags, "--lanes", "2")
        wanted = dump(self.store)
        wants = (lambda p, n, e: n >= len(self.events[p]) - 3500 and e["time"] < "2026-11-01"
                 and e["partitionkey"] != "c-3" and in_sample(e["partitionkey"], 80))
        self.assert_rows(wants)
        kills = 0
        for _ in range(12):
            self.anew()
            for _ in range(3):
                process = subprocess.Popen(
                    [TOOL, *self.command(*flags, "--lanes", self.chance.randint(1, 8), "--commit-interval", "0.001",
                                         "--block-bytes", "4096", "--progress", "none")],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(self.chance.uniform(0.005, 0.12))
                process.kill()
                kills += process.wait() == -9
            self.run_tool(*flags, "--lanes", self.chance.randint(1, 8))
            self.assertEqual(dump(self.store), wanted, f"seed {seed}")
        self.assertGreater(kills, 6)


class RefusedFilters(FilterCase):
    def test_what_the_events_do_not_have_is_said_before_anything_is_written(self):
        self.scene(counts=(200,))
        for flags, word in [(["--from", "2026-01-01", "--time", "no.such"], "--time"),
                            (["--exclude-keys", "c-1", "--key", "no.such"], "--key"),
                            (["--sample", "1%", "--key", "no.such"], "--key"),
                            (["--types", "x", "--type", "no.such"], "--type")]:
            done = self.run_tool(*flags, functions=["shade-velocity"], code=64)
            self.assertIn("no.such", done.stderr)
            self.assertIn(f"say with {word} where it is", done.stderr)
            self.assertFalse(os.path.exists(self.store))

    def test_one_event_without_a_time_stops_the_run_there(self):
        self.scene(counts=(200,), pieces=1)
        lines = list(self.lines[0])
        lines[150] = b'{"type":"retail.cart.updated","partitionkey":"c-1"}'
        shutil.rmtree(self.archive.root)
        self.archive = Archive(self.chance, self.archive.root, [lines])
        self.archive.layout = "confluent"
        self.archive.add(0, 200)
        done = self.run_tool("--to", "2027-01-01", functions=["recently-viewed"], code=0)
        self.anew()
        done = self.run_tool("--to", "2027-01-01", functions=["event-counts"], code=65)
        self.assertIn("position 150", done.stderr)
        self.assertIn("an event has no time", done.stderr)
        with sqlite3.connect(self.store) as database:
            self.assertEqual(database.execute("SELECT sum(events) FROM event_counts").fetchone(), (150,))
        database.close()

    def test_what_cannot_be_read_is_refused_with_what_can(self):
        self.scene(counts=(20,))
        for flags in (["--from", "yesterday"], ["--to", "beginning"], ["--from", "7", "--to", "7"], ["--sample", "0%"],
                      ["--from", "2026-01-31T08:12:33"], ["--from", "5", "--from", "6"], ["--to", "9:5"],
                      ["--keys", "@" + self.file("none", "\n\n")], ["--exclude-keys", "@" + self.file("nul", "a\0b")]):
            with self.subTest(flags=flags):
                self.run_tool(*flags, code=64)
                self.assertFalse(os.path.exists(self.store))
        self.run_tool("--keys", "@/no/such/file", code=66)


class LiveFilters(FilterCase):
    def live(self, kind="dir", counts=(300, 200), archived=(200, 100), layout="confluent"):
        self.scene(counts=counts, archived=archived, layout=layout, pieces=2)
        self.stream = (DirectoryStream(os.path.join(self.scratch, "retail"), self.chance) if kind == "dir"
                       else KafkaStream(MOCK, "retail"))
        self.addCleanup(self.stream.close)
        self.stream.create(len(counts))
        for partition, own in enumerate(self.lines):
            self.stream.append(partition, own)

    def follow(self, *more, code=0):
        return self.run_tool("--live", self.stream.address, "--until-caught-up", *more, code=code)

    def grow(self, count=60):
        for partition, own in enumerate(self.events):
            more = [event(self.chance, partition, len(self.events), len(own) + n) for n in range(count)]
            own += more
            lines = [json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in more]
            self.lines[partition] += lines
            self.stream.append(partition, lines)

    def test_the_stream_goes_through_the_same_filter(self):
        cases = [
            (["--types", "retail.item.sold"], lambda p, n, e: e["type"] == "retail.item.sold"),
            (["--exclude-keys", "c-4", "--sample", "70%"],
             lambda p, n, e: e["partitionkey"] != "c-4" and in_sample(e["partitionkey"], 70)),
            (["--from", "2026-05-01", "--keys", "c-4", "--keys", "c-5", "--to", "end"],
             lambda p, n, e: e["time"] >= "2026-05-01" and e["partitionkey"] in ("c-4", "c-5")),
            (["--from", "-30"], lambda p, n, e: n >= self.archived[p] - 30),
            (["--from", "end"], lambda p, n, e: n >= self.archived[p]),
            # Behind the archive's end: of the stream's events too only those.
            (["--from", "0:250", "--from", "150"], lambda p, n, e: n >= (250 if p == 0 else 150)),
        ]
        for kind, layout in (("dir", "confluent"), ("dir", "aiven"), ("kafka", "confluent")):
            for flags, wants in cases:
                with self.subTest(kind=kind, layout=layout, flags=flags):
                    shutil.rmtree(self.scratch)
                    os.makedirs(self.scratch)
                    self.live(kind, layout=layout)
                    done = self.follow(*flags)
                    self.assert_rows(wants)
                    self.assertIn("filtered", done.stderr)
                    # Live alone, from where it was, and the archive may be gone.
                    self.grow()
                    shutil.rmtree(self.archive.root)
                    again = self.follow(*flags)
                    self.assertIn("replay: only ", again.stderr)
                    self.assert_rows(wants)
                    refused = self.follow("--types", "other", code=78)
                    self.assertIn("this run has   only types other", refused.stderr)
                    self.assertIn("only       ", self.status())

    def test_a_build_that_ends_in_the_past_cannot_follow(self):
        self.live()
        for flags in (["--to", "100"], ["--to", "2027-01-01"], ["--to", "-1"]):
            done = self.follow(*flags, code=64)
            self.assertIn("--to ends in the archive", done.stderr)
            self.assertFalse(os.path.exists(self.store))

    def test_positions_of_files_are_not_the_streams(self):
        self.live(layout="firehose", counts=(300,), archived=(200,))
        done = self.follow("--from", "5", "--key", "partitionkey", code=64)
        self.assertIn("give --from as a time", done.stderr)
        self.assertFalse(os.path.exists(self.store))


if __name__ == "__main__":
    unittest.main()
