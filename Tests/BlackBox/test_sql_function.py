"""A function that is one SQL file, from outside: the same rows as in Swift and as the generator counted, resumed after
kills, stopped at a bad event, refused where the file is wrong or changed, live."""
import json, os, shutil, signal, sqlite3, subprocess, tempfile, time, unittest

from support import FIXTURES, GOOD, TOOL, generate, replay
from test_live import LiveCase

ARCHIVE = os.path.join(GOOD, "confluent-gzip")
FILES = {name: os.path.join(FIXTURES, "functions", name + ".sql")
         for name in ("shade_velocity", "event_counts", "recently_viewed")}


def table(store, name, order="1, 2"):
    with sqlite3.connect(store) as database:
        return [list(row) for row in database.execute(f"SELECT * FROM {name} ORDER BY {order}")]


class Scene(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.store = os.path.join(self.home, "t.db")

    def path(self, name):
        return os.path.join(self.home, name)

    def write(self, text, name="f.sql"):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def run_sql(self, *more, files=FILES.values(), archive=ARCHIVE, store=None):
        named = [part for file in files for part in ("--function", file)]
        return replay("--archive", archive, "--store", store or self.store, *named, *more)


class RowsTests(Scene):
    def test_the_same_rows_as_in_swift_and_as_the_generator_counted(self):
        with open(os.path.join(FIXTURES, "expected.json")) as file:
            expected = json.load(file)["retail"]
        for lanes in (1, 2, 5):
            store = self.path(f"{lanes}.db")
            done = self.run_sql("--lanes", lanes, store=store)
            self.assertEqual(done.returncode, 0, done.stderr)
            swift = self.path(f"swift-{lanes}.db")
            names = ("shade-velocity", "event-counts", "recently-viewed")
            self.assertEqual(self.run_sql(files=names, store=swift).returncode, 0)
            for name in FILES:
                rows = table(store, name)
                self.assertEqual(rows, table(swift, name), name)
                if name in expected:
                    self.assertEqual(sorted(rows), sorted(expected[name]), name)

    def test_routed_by_key(self):
        for name in ("plain", "json-array", "gharchive"):
            with self.subTest(name=name):
                archive = os.path.join(GOOD, name)
                for store, files in (("sql.db", [FILES["recently_viewed"]]), ("swift.db", ["recently-viewed"])):
                    done = self.run_sql("--lanes", 3, files=files, archive=archive, store=self.path(name + store))
                    self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(*[table(self.path(name + store), "recently_viewed") for store in ("sql.db", "swift.db")])

    def test_many_commits_make_the_same_rows(self):
        done = self.run_sql("--commit-events", 100, "--lanes", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.run_sql(store=self.path("one.db")).returncode, 0)
        for name in FILES:
            self.assertEqual(table(self.store, name), table(self.path("one.db"), name), name)

    def test_killed_it_goes_on_to_the_same_rows(self):
        archive, counted = self.path("archive"), self.path("tally.json")
        generate(archive, "--events", 300_000, "--codec", "zstd", "--tally", counted)
        command = [TOOL, "--archive", archive, "--store", self.store, "--commit-interval", "0.02"]
        command += [part for file in FILES.values() for part in ("--function", file)]
        kills = 0
        for pause in (0.3, 0.5, 0.8, 1.2, 1.7):
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            time.sleep(pause)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
        self.assertGreater(kills, 0)
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = ("shade-velocity", "event-counts", "recently-viewed")
        self.assertEqual(self.run_sql(files=names, archive=archive, store=self.path("swift.db")).returncode, 0)
        for name in FILES:
            self.assertEqual(table(self.store, name), table(self.path("swift.db"), name), name)
        with open(counted) as file:
            tallied = json.load(file)
        for name in ("shade_velocity", "event_counts"):
            self.assertEqual(sorted(table(self.store, name)), sorted(tallied[name]), name)
        self.assertEqual(len(table(self.store, "recently_viewed")), tallied["recently_viewed_rows"])


class BadEventTests(Scene):
    FUNCTION = """-- @function sold 1
-- @only type retail.item.sold
-- @event id       text    id
-- @event quantity integer data.quantity
CREATE TABLE sold (id TEXT PRIMARY KEY, quantity INTEGER, place TEXT NOT NULL, CHECK (id <> '{bad}')) STRICT;
INSERT INTO sold
SELECT id, quantity, _partition || ':' || _position FROM events;
"""

    def test_everything_before_it_is_committed_and_nothing_from_it_on(self):
        good = self.write(self.FUNCTION.format(bad=""))
        self.assertEqual(self.run_sql(files=[good], store=self.path("all.db")).returncode, 0)
        everything = table(self.path("all.db"), "sold")
        place = lambda row: (row[2].split(":")[0], int(row[2].split(":")[1]))
        own = sorted((row for row in everything if place(row)[0] == "retail/2"), key=place)
        bad = own[len(own) * 2 // 3]
        file = self.write(self.FUNCTION.format(bad=bad[0]))
        for lanes in (1, 2, 4):
            with self.subTest(lanes=lanes):
                store = self.path(f"{lanes}.db")
                done = self.run_sql("--lanes", lanes, files=[file], store=store)
                self.assertEqual(done.returncode, 65, done.stderr)
                for word in (f"{file}:6:1: CHECK constraint failed", f"position {place(bad)[1]} of partition retail/2",
                             bad[0], f"partition retail/2 through position {place(bad)[1] - 1}"):
                    self.assertIn(word, done.stderr)
                self.assert_a_prefix(everything, store, place, bad)
                before = table(store, "sold")
                again = self.run_sql("--lanes", lanes, files=[file], store=store)
                self.assertEqual(again.returncode, 65, again.stderr)
                self.assert_a_prefix(everything, store, place, bad)
                self.assertLessEqual(len(before), len(table(store, "sold")))

    def assert_a_prefix(self, everything, store, place, bad):
        """Of the bad event's partition all rows before it; of the others those that come first, as far as they were read."""
        found = table(store, "sold")
        for partition in (f"retail/{number}" for number in range(4)):
            wanted = sorted((row for row in everything if place(row)[0] == partition), key=place)
            own = sorted((row for row in found if place(row)[0] == partition), key=place)
            if partition == place(bad)[0]:
                wanted = [row for row in wanted if place(row) < place(bad)]
                self.assertEqual(len(own), len(wanted))
            self.assertEqual(own, wanted[:len(own)])

    def test_a_field_that_is_not_what_was_declared(self):
        file = self.write(self.FUNCTION.format(bad="").replace("integer data.quantity", "integer data.price"))
        done = self.run_sql(files=[file])
        self.assertEqual(done.returncode, 65)
        self.assertIn("field data.price: expected an integer", done.stderr)


class RefusalTests(Scene):
    def refused(self, text, code, *words):
        done = self.run_sql(files=[self.write(text)])
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_what_is_wrong_with_a_file_is_said_with_its_place(self):
        head = "-- @function f 1\n-- @event id text id\nCREATE TABLE t (id TEXT PRIMARY KEY);\n"
        self.refused(head + "INSERT INTO t SELECT nope FROM events;", 64, "f.sql:4:22: no such column: nope")
        self.refused(head + "INSERT INTO t\nSELECT id FORM events;", 64, "f.sql:5:")
        self.refused(head + "PRAGMA user_version = 1;", 64, "f.sql:4:1:")
        self.refused(head + "DELETE FROM _replay_functions;", 64, "f.sql:4:1:", "_replay_functions")
        self.refused(head + "INSERT INTO t SELECT random() FROM events;", 64, "f.sql:4:22:")
        self.assertEqual(self.run_sql(files=[self.path("none.sql")]).returncode, 64)

    def test_a_changed_file(self):
        self.assertEqual(self.run_sql(files=[FILES["shade_velocity"]]).returncode, 0)
        rows = table(self.store, "shade_velocity")
        with open(FILES["shade_velocity"]) as file:
            text = file.read()
        self.refused(text.replace("cosmetics\n", "shoes\n"), 78, "@only data.category shoes")
        self.refused(text.replace("shade-velocity 1", "shade-velocity 2"), 78, "version 2")
        self.assertEqual(table(self.store, "shade_velocity"), rows)
        again = self.run_sql(files=[self.write(text.replace("cosmetics\n", "bags\n"))])
        self.assertEqual(again.returncode, 78)
        fresh = self.run_sql("--full-refresh", files=[self.path("f.sql")])
        self.assertEqual(fresh.returncode, 0, fresh.stderr)
        self.assertNotEqual(table(self.store, "shade_velocity"), rows)

    def test_two_functions_of_one_name(self):
        done = self.run_sql(files=["shade-velocity", FILES["shade_velocity"]])
        self.assertEqual(done.returncode, 64)
        self.assertIn("two functions are named shade-velocity", done.stderr)


class OrderTests(Scene):
    def test_a_key_in_two_partitions_has_no_order(self):
        for partition in (0, 1):
            folder = self.path(f"archive/topics/retail/partition={partition}")
            os.makedirs(folder)
            with open(os.path.join(folder, f"retail+{partition}+0000000000.json"), "w") as file:
                for number in range(3):
                    file.write(json.dumps({"id": f"{partition}-{number}", "partitionkey": "c", "type": "t"}) + "\n")
        text = "-- @function f\n-- @event id text id\nCREATE TABLE t (id TEXT);\nINSERT INTO t SELECT id FROM events;\n"
        for lanes in (1, 3):
            store = self.path(f"{lanes}.db")
            done = self.run_sql("--lanes", lanes, files=[self.write(text)], archive=self.path("archive"), store=store)
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("a partition key is in two partitions", done.stderr)
            done = self.run_sql("--lanes", lanes, files=[self.write("-- @order any\n" + text)],
                                archive=self.path("archive"), store=self.path(f"any-{lanes}.db"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(table(self.path(f"any-{lanes}.db"), "t", "1")), 6)


class PlanTests(Scene):
    def test_a_plan_is_made_and_applied(self):
        plan = self.path("plan.json")
        done = replay("plan", "--archive", ARCHIVE, "--function", FILES["event_counts"], "--store", self.store, "--out", plan)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(replay("apply", plan).returncode, 0)
        self.assertEqual(sum(row[2] for row in table(self.store, "event_counts")), 2000)


class LiveSQLTests(LiveCase):
    def test_the_archive_then_the_stream(self):
        self.scene()
        done = self.run_live(functions=FILES.values())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_a_bad_event_in_the_stream(self):
        self.scene(counts=(300,), archived=(200,))
        bad = self.events[0][260]["id"]
        path = os.path.join(self.scratch, "ids.sql")
        with open(path, "w") as file:
            file.write("-- @function ids 1\n-- @event id text id\n"
                       f"CREATE TABLE ids (id TEXT PRIMARY KEY, phase TEXT, CHECK (id <> '{bad}'));\n"
                       "INSERT INTO ids SELECT id, _phase FROM events;\n")
        for _ in range(2):
            done = self.run_live("--on-error-live", "fail", functions=[path])
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn(f"{path}:4:1: CHECK constraint failed", done.stderr)
            self.assertIn("position 260 of partition retail/0", done.stderr)
            rows = dict(table(self.store, "ids"))
            self.assertEqual(set(rows), {event["id"] for event in self.events[0][:260]})
            self.assertEqual(sum(phase == "live" for phase in rows.values()), 60)


if __name__ == "__main__":
    unittest.main()
