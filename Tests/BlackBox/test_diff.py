"""Two versions of a function over one archive: in what their rows differ, and from which event on. What is expected is folded
here, from the archive's files."""
import gzip, json, os, random, shutil, subprocess, tempfile, time, unittest

from support import BAD, FIXTURES, GOOD, TOOL, generate, python_with_packages, replay

SALES = os.path.join(FIXTURES, "functions", "shade_velocity.sql")
VIEWED = os.path.join(FIXTURES, "functions", "recently_viewed.sql")
DIFFERENT = 4

HANDLER = '''
import base64, json

def handler(event, context):
    merges, upserts = [], []
    for record in event["Records"]:
        retail = json.loads(base64.b64decode(record["kinesis"]["data"]))
        if retail["type"] in TYPES:
            merges.append({"table": "types", "row": {"type": retail["type"], "events": 1}})
            upserts.append({"table": "latest", "row": {"customer": retail["partitionkey"], "id": retail["id"]}})
    return {"merges": merges, "upserts": upserts}
'''
TABLES = {"function": "latest", "contract": "changes", "tables": {
    "latest": {"key": {"customer": "text"}, "columns": {"id": "text"}},
    "types": {"key": {"type": "text"}, "merge": {"events": "sum"}}}}

REMEMBERS = '''
import json, sys

seen = set()
for line in sys.stdin:
    event = json.loads(line)["event"]
    merges = []
    if event["id"] not in seen:
        seen.add(event["id"])
        count = COUNT
        merges.append({"table": "customers", "row": {"customer": event["partitionkey"], "events": count}})
    print(json.dumps({"merges": merges}), flush=True)
'''


def events_of(archive):
    """Each event with its place, in the order in which the tool cuts archives: partition by partition."""
    topic = os.path.join(archive, "topics", "retail")
    found = []
    for partition in sorted(os.listdir(topic)):
        number, position = int(partition.split("=")[1]), 0
        for name in sorted(os.listdir(os.path.join(topic, partition))):
            path = os.path.join(topic, partition, name)
            with gzip.open(path) as file:
                for record, line in enumerate(file.read().splitlines(), 1):
                    place = {"partition": f"retail/{number}", "position": str(position), "record": record,
                             "segment": os.path.relpath(path, archive)}
                    found.append((place, json.loads(line), line.decode()))
                    position += 1
    return found


class DiffCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp()
        cls.archive = os.path.join(cls.data, "events")
        generate(cls.archive, "--events", 4000, "--codec", "gzip", "--segments", 3, "--partitions", 3, "--customers", 40)
        cls.events = events_of(cls.archive)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.data)

    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.scratch = os.path.join(self.home, "scratch")
        os.mkdir(self.scratch)
        self.addCleanup(lambda: self.assertEqual(os.listdir(self.scratch), [], "something is left in TMPDIR"))

    def write(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def changed(self, file, old, new, name="b.sql"):
        with open(file) as source:
            text = source.read()
        self.assertIn(old, text)
        return self.write(name, text.replace(old, new))

    def diff(self, a, b, *more, archive=None, env=None):
        return replay("diff", "--archive", archive or self.archive, "--function", a, "--function", b, *more,
                      env={"TMPDIR": self.scratch, **(env or {})})

    def told(self, a, b, *more, code=DIFFERENT, **others):
        """What is told as JSON, by its kind."""
        done = self.diff(a, b, "--json", *more, **others)
        self.assertEqual(done.returncode, code, done.stderr)
        found = {}
        for line in done.stdout.splitlines():
            message = json.loads(line)
            found.setdefault(message.pop("message_type"), []).append(message)
        return found

    def check_event(self, told, number):
        """The event told is this one of all."""
        (found,) = told["first_event"]
        self.assertEqual(found["found"], "event", found)
        place, event, line = self.events[number]
        self.assertEqual({name: found[name] for name in place}, place)
        self.assertEqual((found["event"], found["event_bytes"]), (line, len(line)))
        self.assertEqual(found["partition_key"], event["partitionkey"])
        return found


def sales(events, extra=lambda event: 0):
    """The rows of shade_velocity, with `extra` cents of each event."""
    rows = {}
    for _, event, _ in events:
        data = event["data"]
        if event["type"] != "retail.item.sold" or data["category"] != "cosmetics":
            continue
        row = rows.setdefault(data["shade"], {"units": 0, "revenue_cents": 0, "first_day": "9", "last_day": ""})
        row["units"] += data["quantity"]
        row["revenue_cents"] += round(data["price"] * 100) * data["quantity"] + extra(event)
        row["first_day"] = min(row["first_day"], event["time"][:10])
        row["last_day"] = max(row["last_day"], event["time"][:10])
    return rows


class SQLTests(DiffCase):
    def test_equal_functions(self):
        done = self.diff(SALES, self.changed(SALES, "-- Sales velocity", "-- Speed of sales"))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = len(sales(self.events))
        self.assertEqual(done.stdout, f"table shade_velocity: {rows} rows in A, {rows} rows in B: {rows} equal, "
                                      "0 differ, 0 only in A, 0 only in B\n")
        self.assertIn("A and B have the same rows", done.stderr)
        told = self.told(SALES, SALES, code=0)
        self.assertEqual(told["table"][0]["digest_a"], told["table"][0]["digest_b"])
        self.assertTrue(told["summary"][0]["equal"])
        self.assertNotIn("first_event", told)

    def test_a_swift_function_beside_its_sql(self):
        """Two ways to write one function make the same rows, whatever their names."""
        done = self.diff("shade-velocity", SALES)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_one_cent(self):
        """B gives a cent more for each sale of three pieces or more: which rows, by how much, and from which event on."""
        b = self.changed(SALES, "sum(price * quantity)", "sum(price * quantity + (quantity >= 3))")
        left = sales(self.events)
        right = sales(self.events, lambda event: event["data"]["quantity"] >= 3)
        different = sorted((shade for shade in left if left[shade] != right[shade]), key=str.encode)
        self.assertGreater(len(different), 3, "the archive is too small for this test")
        for lanes in (1, 3):
            told = self.told(SALES, b, "--lanes", lanes, "--rows", 3)
            (table,) = told["table"]
            self.assertEqual(table["rows_differing"], len(different))
            self.assertEqual(table["rows_equal"], len(left) - len(different))
            self.assertEqual((table["rows_only_a"], table["rows_only_b"]), (0, 0))
            self.assertEqual(table["differing_columns"], {"revenue_cents": len(different)})
            self.assertNotEqual(table["digest_a"], table["digest_b"])
            self.assertEqual(told["row"], [
                {"table": "shade_velocity", "kind": "differs", "key": {"shade": shade},
                 "a": {"revenue_cents": left[shade]["revenue_cents"]},
                 "b": {"revenue_cents": right[shade]["revenue_cents"]}} for shade in different[:3]])
            number = next(number for number, (_, event, _) in enumerate(self.events)
                          if event["type"] == "retail.item.sold" and event["data"]["category"] == "cosmetics"
                          and event["data"]["shade"] == different[0] and event["data"]["quantity"] >= 3)
            found = self.check_event(told, number)
            before = sales(self.events[:number]).get(different[0])
            after = sales(self.events[:number + 1])[different[0]]
            self.assertEqual(found["before"]["a"], [before] if before else [])
            self.assertEqual(found["before"]["b"], found["before"]["a"])
            self.assertEqual(found["after"]["a"], [after])
            self.assertEqual(found["after"]["b"], [{**after, "revenue_cents": after["revenue_cents"] + 1}])

    def test_every_event_can_be_the_one(self):
        """A difference that one event alone makes, at the ends of segments and between them."""
        ends = [number for number, (place, _, _) in enumerate(self.events) if place["record"] == 1]
        sold = [number for number, (_, event, _) in enumerate(self.events)
                if event["type"] == "retail.item.sold" and event["data"]["category"] == "cosmetics"]
        near = {min(sold, key=lambda number: abs(number - end)) for end in ends} | {sold[0], sold[-1]}
        text = "-- @event id text id\n-- @event price    decimal(2) data.price"
        for number in sorted(near)[::3]:
            event = self.events[number][1]
            one = self.changed(SALES, "-- @event price    decimal(2) data.price", text, "a.sql")
            other = self.changed(one, "sum(price * quantity)",
                                 f"sum(price * quantity + (id = '{event['id']}'))", "b.sql")
            told = self.told(one, other)
            self.assertEqual([row["key"]["shade"] for row in told["row"]], [event["data"]["shade"]])
            self.check_event(told, number)

    def test_words_for_a_person(self):
        b = self.changed(SALES, "sum(price * quantity)", "sum(price * quantity + (quantity >= 3))")
        done = self.diff(SALES, b, "--rows", 1)
        self.assertEqual(done.returncode, DIFFERENT, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^table shade_velocity: \d+ rows in A, \d+ rows in B: \d+ equal, \d+ differ, 0 only")
        self.assertRegex(lines[1], r"^  columns that differ: revenue_cents \(\d+ rows\)$")
        self.assertRegex(lines[2], r'^  differs    shade ".*": revenue_cents A \d+, B \d+$')
        self.assertRegex(lines[3], r"^  and \d+ rows? more \(--rows\)$")
        self.assertRegex(lines[4], r"^first: table shade_velocity, shade .*: the same in both up to this event")
        self.assertRegex(lines[5], r"^  position   \d+ of partition retail/\d, record \d+ of topics/retail/.*gz$")
        self.assertRegex(lines[7], r'^  event      \{"specversion"')
        self.assertIn("A and B differ", done.stderr)
        self.assertIn("4,000 events", done.stderr)

    def test_without_the_event(self):
        b = self.changed(SALES, "sum(price * quantity)", "sum(price * quantity + 1)")
        told = self.told(SALES, b, "--no-event", "--rows", 0)
        self.assertNotIn("first_event", told)
        self.assertNotIn("row", told)
        self.assertGreater(told["table"][0]["rows_differing"], 0)

    def test_rows_that_only_one_has(self):
        """Ranked rows of a keyed table: B keeps nine of ten, of one shop's customers none."""
        b = self.changed(VIEWED, "rank <= 10", "rank <= 9 AND customer <> 'CUSTOMER'")
        customers = {}
        for number, (_, event, _) in enumerate(self.events):
            if event["type"] == "retail.product.viewed":
                views = customers.setdefault(event["partitionkey"], {})
                views.pop(event["data"]["sku"], None)
                views[event["data"]["sku"]] = number
        gone = sorted(customers)[2]
        b = self.changed(b, "CUSTOMER", gone)
        told = self.told(VIEWED, b, "--rows", 1000)
        only_a = [(customer, rank) for customer in sorted(customers)
                  for rank in range(1, min(10, len(customers[customer])) + 1) if customer == gone or rank == 10]
        self.assertEqual([(row["key"]["customer"], row["key"]["rank"]) for row in told["row"]], only_a)
        self.assertEqual({row["kind"] for row in told["row"]}, {"only_a"})
        self.assertEqual({row["b"] is None for row in told["row"]}, {True})
        # The first of them is rank 10 of a customer, or the first view of the one that is gone.
        customer, rank = only_a[0]
        seen = set()
        for number, (_, event, _) in enumerate(self.events):
            if event["type"] == "retail.product.viewed" and event["partitionkey"] == customer:
                seen.add(event["data"]["sku"])
                if len(seen) == rank:
                    break
        found = self.check_event(told, number)
        self.assertEqual(found["before"], {"a": [], "b": []})
        self.assertEqual((len(found["after"]["a"]), found["after"]["b"]), (1, []))

    def test_other_tables_and_columns(self):
        b = self.changed(SALES, "last_day TEXT NOT NULL\n", "last_day TEXT NOT NULL, tax INTEGER\n")
        b = self.changed(b, "INSERT INTO shade_velocity\n", "INSERT INTO shade_velocity "
                         "(shade, units, revenue_cents, first_day, last_day)\n")
        b = self.changed(b, "CREATE TABLE", "CREATE TABLE other (id TEXT PRIMARY KEY) STRICT;\nCREATE TABLE")
        told = self.told(SALES, b)
        self.assertEqual(told["table"][0]["columns_only_b"], ["tax"])
        self.assertEqual(told["table"][0]["rows_differing"], 0)
        self.assertEqual(told["table_only"], [{"table": "other", "side": "b"}])
        self.assertNotIn("first_event", told)
        done = self.diff(SALES, b, "--ignore", "shade_velocity.tax")
        self.assertEqual(done.returncode, DIFFERENT)
        self.assertIn("table other: only B has it", done.stdout)
        self.assertNotIn("tax", done.stdout)

    def test_other_keys(self):
        b = self.changed(SALES, "shade TEXT PRIMARY KEY", "shade TEXT, spare TEXT DEFAULT ''")
        b = self.changed(b, "last_day TEXT NOT NULL\n", "last_day TEXT NOT NULL, PRIMARY KEY (shade, spare)\n")
        b = self.changed(b, "INSERT INTO shade_velocity\n", "INSERT INTO shade_velocity "
                         "(shade, units, revenue_cents, first_day, last_day)\n")
        b = self.changed(b, "ON CONFLICT (shade)", "ON CONFLICT (shade, spare)")
        done = self.diff(SALES, b)
        self.assertEqual(done.returncode, DIFFERENT, done.stderr)
        self.assertIn("not compared: their keys are of other columns", done.stdout)
        self.assertIn("key in B: shade, spare", done.stdout)

    def test_ignored_columns(self):
        b = self.changed(SALES, "sum(price * quantity)", "sum(price * quantity + 1)")
        for column in ("revenue_cents", "shade_velocity.revenue_cents"):
            self.assertEqual(self.diff(SALES, b, "--ignore", column).returncode, 0)
        self.assertEqual(self.diff(SALES, b, env={"REPLAY_IGNORE": "units,revenue_cents"}).returncode, 0)
        for column, words in (("shade", "of the key"), ("cents", "names no column"), ("other.units", "names no column")):
            done = self.diff(SALES, b, "--ignore", column)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(words, done.stderr)

    def test_a_table_without_a_key(self):
        """Rows are compared whole, as often as they are there."""
        text = "-- @function log 1\n-- @event type text type\n-- @order any\nCREATE TABLE log (type TEXT, n INTEGER);\n"
        a = self.write("a.sql", text + "INSERT INTO log SELECT type, 1 FROM events;")
        b = self.write("b.sql", text + "INSERT INTO log SELECT type, 1 FROM events WHERE type <> 'retail.item.sold';")
        told = self.told(a, b)
        numbers = [number for number, (_, event, _) in enumerate(self.events) if event["type"] == "retail.item.sold"]
        self.assertEqual(told["table"][0]["rows_only_a"], len(numbers))
        self.assertEqual(told["table"][0]["rows_equal"], len(self.events) - len(numbers))
        found = self.check_event(told, numbers[0])
        self.assertEqual((found["before"], found["after"]), ({"a": [], "b": []}, {"a": [{}], "b": []}))


class LayoutTests(DiffCase):
    COUNT = ("-- @function count 1\n-- @order ORDER\nCREATE TABLE total (name TEXT PRIMARY KEY, events INTEGER NOT NULL);\n"
             "INSERT INTO total SELECT 'all', count(*) + sum(_partition = 'PARTITION' AND _position = 'POSITION') FROM events "
             "WHERE true ON CONFLICT (name) DO UPDATE SET events = events + excluded.events;\n")

    def test_an_event_by_chance(self):
        """However files are named, framed and compressed, and records numbered: `cat` says where each event is."""
        seed = random.randrange(1_000_000)
        print(f"seed {seed}")
        chance = random.Random(seed)
        numbered = ["aiven-value", "zstd-many-frames"]  # Records' own numbers, and cuts between and within frames.
        others = [name for name in sorted(os.listdir(GOOD)) if name not in numbered]
        for name in numbered + chance.sample(others, 4):
            archive = os.path.join(GOOD, name)
            listed = replay("cat", "--archive", archive, "--envelope")
            self.assertEqual(listed.returncode, 0, listed.stderr)
            events = [json.loads(line) for line in listed.stdout.splitlines()]
            number = chance.choice([0, len(events) - 1, *[chance.randrange(len(events))] * 4])
            event = events[number]
            text = self.COUNT.replace("ORDER", chance.choice(["any", "key"]))
            a = self.write("a.sql", text.replace("POSITION", "none"))
            b = self.write("b.sql", text.replace("PARTITION", event["partition"]).replace("POSITION", event["position"]))
            with self.subTest(name, number=number, text=text):
                told = self.told(a, b, "--lanes", chance.choice([1, 2, 3]), archive=archive)
                (found,) = told["first_event"]
                self.assertEqual(found["found"], "event")
                self.assertEqual([found[key] for key in ("segment", "record", "partition", "position", "partition_key")],
                                 [event[key] for key in ("file", "record", "partition", "position", "key")])
                self.assertEqual(found["before"]["a"], [{"events": number}] if number else [])
                self.assertEqual(found["after"], {"a": [{"events": number + 1}], "b": [{"events": number + 2}]})


class OtherLanguageTests(DiffCase):
    def test_b_forgets_one_type(self):
        """Two directories with one handler each, and one declaration for both: as two versions lie about."""
        types = sorted({event["type"] for _, event, _ in self.events})
        forgotten = types[1]
        for side, kept in (("a", types), ("b", [name for name in types if name != forgotten])):
            self.write(f"{side}/app.py", f"TYPES = {kept!r}\n" + HANDLER)
        tables = self.write("app.json", json.dumps(TABLES))
        sides = [f"lambda:{self.home}/{side}/app.py:handler" for side in ("a", "b")]
        told = self.told(*sides, "--tables", tables, "--workers", 2, "--batch-size", 500, env=python_with_packages())
        latest, types_table = told["table"]
        self.assertEqual((latest["table"], types_table["table"]), ("latest", "types"))

        def last(without=()):
            return {event["partitionkey"]: event["id"] for _, event, _ in self.events if event["type"] not in without}
        left, right = last(), last([forgotten])
        different = sorted(customer for customer in left if right.get(customer) != left[customer])
        self.assertEqual(latest["rows_differing"] + latest["rows_only_a"], len(different))
        self.assertEqual((types_table["rows_only_a"], types_table["rows_differing"]), (1, 0))
        # The customer's row is another one behind the first forgotten event whose next ones never make it the same again:
        # some neighbours of equal and different, of which the last event is told by the rows themselves.
        (found,) = told["first_event"]
        self.assertEqual(found["key"], {"customer": different[0]})
        number = next(number for number, (place, _, _) in enumerate(self.events)
                      if all(found[name] == place[name] for name in place))
        self.check_event(told, number)
        self.assertEqual(self.events[number][1]["type"], forgotten)
        self.assertEqual(self.events[number][1]["partitionkey"], different[0])
        self.assertEqual(found["after"]["a"], [{"id": self.events[number][1]["id"]}])
        self.assertEqual(found["after"]["b"], found["before"]["b"])

    def test_two_declarations_of_one_program(self):
        program = self.write("count.py", REMEMBERS.replace("COUNT", "1"))
        command = f"exec:python3 {program}"
        tables = {"function": "customers", "contract": "changes", "tables": {
            "customers": {"key": {"customer": "text"}, "merge": {"events": "sum"}}}}
        one = self.write("one.json", json.dumps(tables))
        other = self.write("other.json", json.dumps({**tables, "only": {"type": "retail.item.sold"}}))
        told = self.told(command, command, "--tables", one, "--tables", other, "--workers", 1)
        customers = {event["partitionkey"] for _, event, _ in self.events}
        self.assertEqual(told["table"][0]["rows_a"], len(customers))
        first = min(customers)
        number = next(number for number, (_, event, _) in enumerate(self.events)
                      if event["partitionkey"] == first and event["type"] != "retail.item.sold")
        self.check_event(told, number)

    def test_what_a_program_remembers_is_not_of_another_reading(self):
        """A program that leaves out what it has seen would make no rows where it is given an event again."""
        a, b = (self.write(f"{side}.py", REMEMBERS.replace("COUNT", count)) for side, count in
                (("a", "1"), ("b", "2 if event['id'] == 'ID' else 1")))
        number = len(self.events) * 2 // 3
        event = self.events[number][1]
        b = self.changed(b, "ID", event["id"], "c.py")
        tables = self.write("t.json", json.dumps({"function": "customers", "contract": "changes", "tables": {
            "customers": {"key": {"customer": "text"}, "merge": {"events": "sum"}}}}))
        told = self.told(f"exec:python3 {a}", f"exec:python3 {b}", "--tables", tables, "--workers", 1)
        found = self.check_event(told, number)
        count = sum(other["partitionkey"] == event["partitionkey"] for _, other, _ in self.events[:number])
        self.assertEqual(found["before"]["a"], [{"events": count}])
        self.assertEqual(found["after"], {"a": [{"events": count + 1}], "b": [{"events": count + 2}]})

    def test_rows_that_depend_on_more_than_events(self):
        """One writes what the clock says: read again, the difference is another one or none, and nothing is made up."""
        text = ("import json, sys, time\nfor line in sys.stdin:\n  row = {'all': 'x', 'at': VALUE}\n"
                "  print(json.dumps({'merges': [{'table': 'clock', 'row': row}]}), flush=True)\n")
        marker = os.path.join(self.home, "marker")
        once = f"(5 if __import__('os').path.exists({marker!r}) else __import__('os').mkdir({marker!r}) or 6)"
        a, b = (self.write(f"{side}.py", text.replace("VALUE", value)) for side, value in (("a", "5"), ("b", once)))
        tables = self.write("t.json", json.dumps({"function": "clock", "contract": "changes", "tables": {
            "clock": {"key": {"all": "text"}, "merge": {"at": "max integer"}}}}))
        told = self.told(f"exec:python3 {a}", f"exec:python3 {b}", "--tables", tables, "--workers", 1)
        self.assertEqual(told["first_event"][0]["found"], "not_again")

    def test_what_writes_by_itself_is_refused(self):
        done = self.diff("exec:cat", SALES, "--contract", "writes-itself")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("writes by itself", done.stderr)
        self.assertIn("function A: exec:cat", done.stderr)


class RefusalTests(DiffCase):
    def test_usage(self):
        for arguments in (["--function", SALES], ["--function", SALES] * 3, ["--function", SALES, "--function", "nobody"],
                          ["--function", SALES, "--function", SALES, "--rows", "-1"],
                          ["--function", SALES, "--function", SALES, "--ignore", "a.b.c"]):
            done = replay("diff", "--archive", self.archive, *arguments, env={"TMPDIR": self.scratch})
            self.assertEqual(done.returncode, 64, done.stderr)

    def test_a_bad_archive(self):
        for name, code in (("half-record", 65), ("hole", 65)):
            done = self.diff(SALES, SALES, "--positions", "dense", archive=os.path.join(BAD, name))
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn("nothing is kept", done.stderr)
            self.assertIn("function A: ", done.stderr)
        self.assertEqual(self.diff(SALES, SALES, archive=os.path.join(self.home, "none")).returncode, 66)

    def test_an_event_that_one_cannot_apply(self):
        b = self.changed(SALES, "-- @event price    decimal(2) data.price", "-- @event price    decimal(1) data.price")
        done = self.diff(SALES, b)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn(f"function B: {b}", done.stderr)

    def test_a_stop_leaves_nothing(self):
        big = os.path.join(self.home, "big")
        generate(big, "--events", 300000, "--codec", "gzip", "--segments", 4)
        b = self.changed(SALES, "sum(price * quantity)", "sum(price * quantity + 1)")
        process = subprocess.Popen([TOOL, "diff", "--archive", big, "--function", SALES, "--function", b], text=True,
                                   env={**os.environ, "TMPDIR": self.scratch}, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        while not os.listdir(self.scratch):
            time.sleep(0.01)
        process.terminate()
        _, words = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, words)

    def test_no_room(self):
        nowhere = os.path.join(self.home, "nowhere")
        done = replay("diff", "--archive", self.archive, "--function", SALES, "--function", SALES, env={"TMPDIR": nowhere})
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertIn("TMPDIR", done.stderr)


if __name__ == "__main__":
    unittest.main()
