"""Builds beside each other, as a user has them: rebuild, compare, cutover, rollback, prune; on SQLite and on PostgreSQL."""
import collections, glob, os, sqlite3, subprocess, time, unittest

from builds import Postgres, Readers, Session, SQLite, World
from postgres_server import BIN, Server, kill
from support import TOOL, replay

SERVER = None


def setUpModule():
    global SERVER
    SERVER = Server(durable=False) if os.path.exists(f"{BIN}/pg_ctl") else None


def tearDownModule():
    if SERVER:
        SERVER.close()


class Builds:
    """The cases, for each kind of store."""

    def make(self, **more):
        world = World(self.store, **more)
        self.addCleanup(world.close)
        return world

    def done(self, process, code=0):
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stdout + process.stderr

    def test_readers_see_one_build_or_the_other_while_both_follow_the_stream(self):
        world = self.make()
        world.produce()
        world.serve(1)
        readers = Readers(self.connect(world))
        self.addCleanup(readers.end)
        world.rebuild(2)
        said = self.done(world.ask("cutover"), 75)
        self.assertIn("it was not compared with build 1", said)
        said = self.done(world.ask("compare", "--ignore", "tag"))
        self.assertIn("build 2", said)
        said = self.done(world.ask("cutover"))
        self.assertIn("build 2 of tags serves", said)
        world.wait(lambda: 2 in readers.seen)
        # Both runs go on, each with its own build.
        before = world.builds()
        world.wait(lambda: all(world.builds()[n][2] > before[n][2] + 20 for n in (1, 2)))
        self.done(world.ask("rollback"))
        world.wait(lambda: readers.seen[-1] == 1)
        self.done(world.ask("cutover", "--build", "2"))
        world.wait(lambda: readers.seen[-1] == 2)
        wanted = world.settle()
        readers.end()
        self.assertEqual(readers.faults, [])
        self.assertEqual(world.rows(), (wanted, [2]))
        self.assertEqual(world.rows("__1"), (wanted, [1]))
        self.assertEqual([code for code, _ in world.stop()], [143, 143])
        said = self.done(world.ask("prune"))
        self.assertIn("would be dropped", said)
        self.assertEqual(world.rows("__1"), (wanted, [1]))
        self.done(world.ask("prune", "--yes"))
        self.assertEqual({n: found[0] for n, found in world.builds().items()}, {2: "serving"})
        self.assertEqual(world.rows(), (wanted, [2]))
        self.assertFalse(self.has(world, "totals__1"))

    def test_a_build_of_an_archive_alone(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        said = self.done(replay("rebuild", *world.arguments(2, False)))
        self.assertIn("build     2 of tags, in totals__2, lasts__2; build 1 serves", said.replace("lasts__2, totals__2", "totals__2, lasts__2"))
        said = self.done(world.ask("compare", "--ignore", "tag"))
        self.done(world.ask("cutover"))
        self.assertEqual(world.rows()[1], [2])
        # What served goes on where it was, under its number.
        said = self.done(replay("run", *world.arguments(1, False, "--build", "1")))
        self.assertIn("nothing to do", said)
        self.done(replay("rebuild", *world.arguments(3, False)))
        self.assertEqual({n: found[0] for n, found in world.builds().items()}, {1: "kept", 2: "serving", 3: "building"})
        said = replay("status", "--store", world.store.name).stderr
        self.assertIn("run --archive", said)
        self.assertIn("--build 1 (keeps build 1 up, for a rollback)", said)
        self.done(world.ask("prune", "--build", "3", "--yes"))
        self.done(replay("rebuild", *world.arguments(3, False)))
        self.assertEqual(world.builds()[4][0], "building")

    def test_a_run_that_looked_before_a_switch_writes_into_no_other_build(self):
        """Between the look for its build's name and the opening of that name lies the listing, which is kept waiting here."""
        world = self.make()
        listed = lambda: "".join(sorted(path + "\n" for path in glob.glob(world.archive.root + "/**/*.gz", recursive=True)))
        rest = lambda tag: ["--files-from", "-", "--store", world.store.name, *world.function(tag), "--progress", "none"]
        self.done(replay("run", *rest(1), stdin=listed()))
        self.done(replay("rebuild", *rest(2), stdin=listed()))
        for verb, tag, switch in [("run", 1, ["cutover", "--unproved"]), ("run", 2, ["rollback"]), ("run", 1, ["cutover", "--build", "2", "--unproved"])]:
            process = subprocess.Popen([TOOL, verb, "--build", str(tag), *rest(tag)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(1)
            self.done(world.ask(*switch))
            for partition in range(3):
                world.archive.lines[partition] += [world.line(partition) for _ in range(20)]
                world.archive.add(partition, len(world.archive.lines[partition]))
            said = process.communicate(listed(), timeout=60)[0]
            # The list comes once: whoever begins again under the other name has none.
            self.assertIn(process.returncode, (0, 66, 76), said)
            builds = {state: number for number, (state, _, _) in world.builds().items()}
            self.assertEqual(set(world.builds()), {1, 2}, said)
            self.assertEqual(world.rows()[1], [builds["serving"]], said)
            self.assertEqual(world.rows(f"__{builds['kept']}")[1], [builds["kept"]], said)

    def test_which_build_is_meant_has_to_be_said(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(2, False)))
        self.done(replay("run", *world.arguments(1, False)))
        self.done(world.ask("cutover", "--unproved"))
        said = self.done(replay("run", *world.arguments(1, False)), 64)
        self.assertIn("has several builds: which one is meant is to be said", said)
        self.done(replay("run", *world.arguments(2, False, "--build", "2")))
        self.done(world.ask("prune", "--yes"))
        self.done(replay("run", *world.arguments(2, False)))

    def test_a_comparison_does_not_outlive_what_was_compared(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(2, False)))
        self.done(world.ask("compare", "--ignore", "tag"))
        self.done(replay("rebuild", *world.arguments(3, False, "--full-refresh")))
        self.assertIn("was not compared", self.done(world.ask("cutover"), 75))

    def test_a_difference_keeps_it_from_serving(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(3, False)))
        key = next(event["partitionkey"] for event in world.events[1] if event["id"] == "1-7")
        said = self.done(world.ask("compare", "--ignore", "tag"), self.DIFFERS)
        self.assertIn(key, said)
        self.assertIn("cents", said)
        said = self.done(world.ask("cutover"), 75)
        self.assertIn("1 row of", said)
        self.assertEqual(world.rows()[1], [1])
        self.done(world.ask("cutover", "--unproved"))
        self.assertEqual(world.rows()[1], [3])

    def test_a_killed_rebuild_resumes(self):
        world = self.make(archived=3000)
        self.done(replay("run", *world.arguments(1, False)))
        for commits in (1, 3):
            process = world.start("rebuild", 2, "--commit-events", 50)
            world.wait(lambda: world.builds().get(2, ("", "", 0))[2] >= commits * 50)
            kill(process)
        self.done(replay("rebuild", *world.arguments(2, False)))
        self.done(world.ask("compare", "--ignore", "tag"))
        self.assertEqual(world.rows("__2")[0], world.rows()[0])
        self.assertEqual(set(world.builds()), {1, 2})

    def test_a_build_that_is_behind_does_not_serve(self):
        world = self.make()
        world.serve(1)
        self.done(replay("rebuild", *world.arguments(2, True, "--until-caught-up")))
        world.produce()
        world.wait(lambda: world.builds()[1][2] > world.builds()[2][2] + 10)
        said = self.done(world.ask("cutover", "--lock-timeout", 1), 75)
        self.assertIn("build 2 is at", said)
        said = self.done(world.ask("compare", "--lock-timeout", 1), 75)
        self.assertIn("have not the same events", said)
        # The one that serves was not held for longer than that.
        before = world.builds()[1][2]
        world.wait(lambda: world.builds()[1][2] > before + 20, seconds=20)

    def test_what_cannot_be(self):
        world = self.make()
        self.done(replay("rebuild", *world.arguments(2, False)), self.NOTHING)
        self.done(replay("run", *world.arguments(1, False)))
        for verb in ("cutover", "rollback", "compare", "prune"):
            said = self.done(world.ask(verb), 64)
            self.assertIn("there is one build of tags", said)
        said = self.done(world.ask("cutover", "--function", "others"), 64)
        self.assertIn("given twice", said)
        said = self.done(replay("run", *world.arguments(2, False, "--build", "7")), 64)
        self.assertIn("no build 7", said)

    def test_a_view_of_the_past(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        said = self.done(replay("rebuild", "--as-of", "120", *world.arguments(1, False)))
        before = collections.Counter(event["partitionkey"] for own in world.events for event in own[:120])
        self.assertEqual(world.store.query("SELECT k, events FROM totals__2 ORDER BY k"), sorted(before.items()))
        # The same again goes on with the same one; another moment is another build, and so is the next rebuild.
        self.done(replay("rebuild", "--as-of", "120", *world.arguments(1, False)))
        self.done(replay("rebuild", "--as-of", "130", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(1, False)))
        self.assertEqual({n: found[0] for n, found in world.builds().items()},
                         {1: "serving", 2: "past", 3: "past", 4: "building"})
        said = self.done(world.ask("cutover", "--build", "2", "--unproved"), 64)
        self.assertIn("never serves", said)
        self.done(world.ask("prune", "--build", "2", "--yes"))

    def test_a_part_is_not_taken_for_the_whole(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        key = world.events[0][0]["partitionkey"]
        self.done(replay("rebuild", *world.arguments(1, False, "--exclude-keys", key)))
        said = self.done(world.ask("cutover"), 75)
        self.assertIn("it is made of", said)
        self.done(world.ask("cutover", "--unproved"))
        self.assertEqual(world.store.query(f"SELECT * FROM totals WHERE k = '{key}'"), [])

    def test_nothing_is_there_yet(self):
        world = self.make()
        process = world.start("rebuild", 1, "--from-nothing", "--commit-events", 50)
        world.wait(lambda: world.builds().get(1, ("", "", 0))[2] > 0)
        kill(process)
        self.done(replay("rebuild", "--from-nothing", *world.arguments(1, True, "--until-caught-up")))
        wanted = world.settle()
        self.assertEqual(world.rows(), (wanted, [1]))


class OnSQLite(Builds, unittest.TestCase):
    store, NOTHING, DIFFERS = SQLite, 66, 4

    def connect(self, world):
        def connection():
            database = sqlite3.connect(f"file:{world.store.name}?mode=ro", uri=True, timeout=10)
            return lambda sql: database.execute(sql).fetchall()
        return connection

    def has(self, world, table):
        return bool(world.store.query(f"SELECT 1 FROM sqlite_schema WHERE name = '{table}'"))

    def test_indexes_and_views_go_with_what_serves(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        world.store.write("CREATE INDEX by_events ON totals (events, k); CREATE VIEW busy AS SELECT k, tag FROM totals WHERE events > 1")
        self.done(replay("rebuild", *world.arguments(2, False)))
        self.done(world.ask("cutover", "--unproved"))
        self.assertEqual(world.store.query("SELECT DISTINCT tag FROM busy"), [(2,)])
        self.assertIn("INDEX by_events__2", str(world.store.query("EXPLAIN QUERY PLAN SELECT k FROM totals WHERE events = 3")))
        world.store.write("CREATE TRIGGER t AFTER UPDATE ON totals BEGIN SELECT 1; END")
        said = self.done(world.ask("rollback"), 78)
        self.assertIn("table totals has the trigger t", said)
        self.assertEqual(world.rows()[1], [2])


@unittest.skipUnless(os.path.exists(f"{BIN}/pg_ctl"), "there is no PostgreSQL here")
class OnPostgres(Builds, unittest.TestCase):
    NOTHING, DIFFERS = 64, 4
    number = 0

    def store(self, folder):
        OnPostgres.number += 1
        return Postgres(SERVER, f"builds{OnPostgres.number}")

    def connect(self, world):
        return lambda: Session(SERVER, world.store.schema, Readers.JOINED)

    def has(self, world, table):
        return bool(world.store.query(f"SELECT 1 FROM pg_tables WHERE tablename = '{table}' AND schemaname = '{world.store.schema}'"))

    def test_indexes_rights_and_views_go_with_what_serves(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        role = f"reader_{world.store.schema}"
        SERVER.sql(f"CREATE ROLE {role}")
        self.addCleanup(SERVER.sql, f"DROP OWNED BY {role}; DROP ROLE {role}")
        world.store.write(f"""CREATE UNIQUE INDEX by_events ON totals USING btree (events, k) WHERE events > 0;
            CREATE VIEW busy AS SELECT k, tag FROM totals WHERE events > 1; CREATE VIEW busier AS SELECT * FROM busy;
            GRANT USAGE ON SCHEMA {world.store.schema} TO {role}; GRANT SELECT ON totals, busier TO {role}""")
        self.done(replay("rebuild", *world.arguments(2, False)))
        self.done(world.ask("cutover", "--unproved"))
        world.store.write(f"SET ROLE {role}; SELECT count(*) FROM totals; SELECT count(*) FROM busier")
        self.assertEqual(world.store.query("SELECT DISTINCT tag FROM busier"), [(2,)])
        self.assertEqual(world.store.query("""SELECT count(*) FROM pg_indexes WHERE tablename = 'totals'
            AND schemaname = current_schema() AND indexdef LIKE 'CREATE UNIQUE INDEX % USING btree (events, k) WHERE (events > 0)'"""), [(1,)])
        self.done(world.ask("rollback"))
        self.assertEqual(world.store.query("SELECT DISTINCT tag FROM busier"), [(1,)])

    def test_what_another_table_cannot_be_given(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(2, False)))
        for made, gone, said in [
                ("CREATE MATERIALIZED VIEW seen AS SELECT * FROM totals", "DROP MATERIALIZED VIEW seen", "the materialized view seen"),
                ("ALTER TABLE lasts ENABLE ROW LEVEL SECURITY", "ALTER TABLE lasts DISABLE ROW LEVEL SECURITY", "row security"),
                ("CREATE TABLE other (k text REFERENCES totals)", "DROP TABLE other", "the foreign key other_k_fkey"),
                ("CREATE PUBLICATION p FOR TABLE totals", "DROP PUBLICATION p", "the publication p")]:
            with self.subTest(said):
                world.store.write(made)
                told = self.done(world.ask("cutover", "--unproved"), 78)
                world.store.write(gone)
                self.assertIn(f"has {said}", told)
                self.assertIn("effect: nothing was changed", told)
                self.assertEqual(world.rows()[1], [1])

    def test_a_reader_that_stays_in_a_transaction_is_waited_for_and_blocks_nobody(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(2, False)))
        slow = Session(SERVER, world.store.schema, Readers.JOINED)
        self.addCleanup(slow.close)
        slow.ask("BEGIN; SELECT count(*) FROM totals;")
        readers = Readers(self.connect(world))
        self.addCleanup(readers.end)
        said = self.done(world.ask("cutover", "--unproved", "--lock-timeout", 2), 75)
        self.assertIn("effect:", said)
        slow.ask("COMMIT;")
        self.done(world.ask("cutover", "--unproved"))
        world.wait(lambda: readers.seen[-1] == 2)
        readers.end()
        self.assertEqual((readers.faults, readers.seen), ([], [1, 2]))
        self.assertLess(readers.slowest, 1)

    def test_a_slowed_rebuild(self):
        world = self.make()
        self.done(replay("run", *world.arguments(1, False)))
        self.done(replay("rebuild", *world.arguments(2, False, "--max-target-p99", "50ms")))
        self.done(world.ask("compare", "--ignore", "tag"))
        self.assertEqual(world.rows("__2"), (world.rows()[0], [2]))

    def test_after_a_disaster_the_database_itself_is_made(self):
        world = self.make()
        world.store.name = SERVER.address("events", database=f"again_{world.store.schema}")
        said = self.done(replay("rebuild", "--from-nothing", *world.arguments(1, False)))
        self.assertIn(f"made      the database again_{world.store.schema}", said)
        self.assertIn("made      the schema events", said)
        found = SERVER.sql("SELECT DISTINCT tag FROM totals", database=f"again_{world.store.schema}", schema="events")
        self.assertEqual(found, [("1",)])


if __name__ == "__main__":
    unittest.main()
