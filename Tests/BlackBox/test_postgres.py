"""Runs into PostgreSQL: the rows are SQLite's, whatever is killed or lost on the way."""
import glob, gzip, json, os, random, shutil, sqlite3, subprocess, tempfile, time, unittest

from postgres_proxy import Proxy
from postgres_server import SECRET, Server, kill
from support import ROOT, TOOL, generate, replay
from test_live import LiveCase

TABLES = ("shade_velocity", "recently_viewed")
FUNCTIONS = ("--function", "shade-velocity", "--function", "recently-viewed")
EVENTS = 120_000


def setUpModule():
    global server, scratch, archive, expected
    server, scratch = Server(), tempfile.mkdtemp()
    archive, expected = made(scratch, EVENTS, customers=5000)


def tearDownModule():
    server.close()
    shutil.rmtree(scratch, ignore_errors=True)


def made(scratch, events, customers):
    """An archive, and the rows that SQLite has of it."""
    archive, store = os.path.join(scratch, "archive"), os.path.join(scratch, "retail.db")
    generate(archive, "--events", events, "--codec", "zstd", "--customers", customers)
    archive = glob.glob(archive + "/zstd")[0] if os.path.isdir(archive + "/zstd") else archive
    done = replay("--archive", archive, *FUNCTIONS, "--store", store)
    assert done.returncode == 0, done.stderr
    expected = {name: sqlite_rows(store, name) for name in TABLES}
    assert all(expected.values())
    return archive, expected


def sqlite_rows(path, name):
    """The table's rows as texts, NULL as none."""
    with sqlite3.connect(path) as database:
        return sorted(tuple("" if cell is None else str(cell) for cell in row)
                      for row in database.execute(f"SELECT * FROM {name}"))


def rows(schema, name):
    """The table's rows as SQLite would show them."""
    shown = server.sql(
        f"""SELECT string_agg(CASE WHEN atttypid = 'timestamptz'::regtype THEN
              format($$regexp_replace(to_char(%I AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')$$, attname)
              ELSE format('%I', attname) END, ', ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = '{schema}.{name}'::regclass AND attnum > 0""")[0][0]
    return sorted(server.sql(f"SELECT {shown} FROM {schema}.{name}"))


class PostgresCase(unittest.TestCase):
    number = 0

    def setUp(self):
        PostgresCase.number += 1
        self.schema = f"t{PostgresCase.number}"
        server.sql(f"CREATE SCHEMA {self.schema}")
        self.store = server.address(self.schema)
        self.command = ["--archive", archive, *FUNCTIONS, "--store", self.store]

    def begin(self, *more):
        return subprocess.Popen([TOOL, *self.command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def commits(self):
        try:
            found = server.sql(f"SELECT coalesce(min(epochs), 0) FROM {self.schema}._replay_functions")
            return int(found[0][0])
        except AssertionError:
            return 0

    def wait_for_commits(self, count, process):
        while self.commits() < count:
            self.assertIsNone(process.poll(), "the run ended before it was disturbed")
            time.sleep(0.01)

    def assert_equal_to_sqlite(self):
        for name in TABLES:
            found = rows(self.schema, name)
            missing, surplus = sorted(set(expected[name]) - set(found))[:3], sorted(set(found) - set(expected[name]))[:3]
            self.assertEqual((len(found), missing, surplus), (len(expected[name]), [], []), name)

    slow = ("--commit-events", "10000", "--lanes", "1")


class Rows(PostgresCase):
    def test_rows_are_those_of_sqlite_in_one_commit_and_in_many(self):
        done = replay(*self.command)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_equal_to_sqlite()
        self.assertEqual(replay(*self.command, "--full-refresh", "--commit-events", "7000").returncode, 0)
        self.assertGreater(self.commits(), 3)
        self.assert_equal_to_sqlite()
        self.assertIn("nothing to do", replay(*self.command).stderr)
        self.assertEqual(len(server.sql(f"SELECT * FROM {self.schema}.shade_velocity_per_day")),
                         len(expected["shade_velocity"]))

    def test_status_failed_and_wait_take_the_address(self):
        self.assertEqual(replay(*self.command).returncode, 0)
        status = replay("status", "--store", self.store, "--json")
        self.assertEqual(status.returncode, 0, status.stderr)
        found = json.loads(status.stdout.splitlines()[0])["functions"]
        self.assertEqual([one["name"] for one in found], ["recently-viewed", "shade-velocity"])
        counted = {table["name"]: table["rows"] for one in found for table in one["tables"]}
        self.assertEqual(counted, {name: len(rows) for name, rows in expected.items()})
        position = found[0]["positions"][0]
        last = int(position["next"].split(":")[0])
        waited = replay("wait", "--store", self.store, "--position", f"{position['partition']}:{last}")
        self.assertEqual(waited.returncode, 0, waited.stderr)
        late = replay("wait", "--store", self.store, "--position", f"{position['partition']}:{last + 9}", "--timeout", "0s")
        self.assertEqual(late.returncode, 124, late.stderr)
        self.assertEqual(replay("failed", "list", "--store", self.store).returncode, 0)
        plan = replay("plan", "--archive", archive, *FUNCTIONS, "--store", self.store)
        self.assertEqual(plan.returncode, 0, plan.stderr)
        self.assertIn(f"has settled {EVENTS:,} events", plan.stdout + plan.stderr)

    def test_a_plan_keeps_the_address(self):
        path = os.path.join(scratch, "plan.json")
        done = replay("plan", "--archive", archive, *FUNCTIONS, "--store", self.store, "--out", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = replay("apply", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_equal_to_sqlite()


class Disturbed(PostgresCase):
    def test_a_killed_run_resumes_to_the_same_rows(self):
        process = self.begin(*self.slow)
        self.wait_for_commits(2, process)
        kill(process)
        done = replay(*self.command)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resuming", done.stderr)
        self.assert_equal_to_sqlite()

    def test_a_server_that_crashes_and_comes_back_is_waited_for(self):
        process = self.begin(*self.slow, "--lock-timeout", "60")
        self.wait_for_commits(2, process)
        server.stop()
        server.start()
        _, said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, said)
        self.assert_equal_to_sqlite()

    def test_a_server_that_stays_away_ends_the_run_with_69_and_the_same_command_resumes(self):
        process = self.begin(*self.slow, "--lock-timeout", "1")
        self.wait_for_commits(2, process)
        try:
            server.stop()
            _, said = process.communicate(timeout=60)
        finally:
            server.start()
        self.assertEqual(process.returncode, 69, said)
        for part in ("the database server is away", "next:"):
            self.assertIn(part, said)
        done = replay(*self.command)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_equal_to_sqlite()

    def test_connections_that_the_server_ends_all_the_time(self):
        process = self.begin("--commit-events", "3000", "--lanes", "2", "--lock-timeout", "60")
        ended = 0
        while process.poll() is None:
            ended += len(server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE application_name = 'replay' AND state <> 'idle'"))
            time.sleep(0.3)
        _, said = process.communicate()
        self.assertEqual(process.returncode, 0, said)
        self.assertGreater(ended, 0)
        self.assert_equal_to_sqlite()

    def test_answers_to_commit_that_are_lost(self):
        """Half of the commits: some were done, some were not, and the run has to find out which."""
        seed = random.randrange(10_000)
        proxy = Proxy("127.0.0.1", server.port, seed)
        store = f"postgres://replay@127.0.0.1:{proxy.port}/app?schema={self.schema}"
        done = replay("--archive", archive, *FUNCTIONS, "--store", store, "--commit-events", "4000", "--lock-timeout", "60",
                      env={"PGPASSWORD": SECRET})
        proxy.close()
        self.assertEqual(done.returncode, 0, f"seed {seed}: {done.stderr}")
        self.assertTrue(proxy.cut_before and proxy.cut_after, f"seed {seed}: {proxy.cut_before}, {proxy.cut_after}")
        self.assert_equal_to_sqlite()

    def test_the_answers_to_the_first_commits_are_lost(self):
        """The one that makes the tables, that of their first rows with their primary keys, and the one behind."""
        for lost in (1, 2, 3):
            with self.subTest(lost=lost):
                self.setUp()
                proxy = Proxy("127.0.0.1", server.port, 0, before=0, after=0.01, lost=[lost])
                store = f"postgres://replay@127.0.0.1:{proxy.port}/app?schema={self.schema}"
                done = replay("--archive", archive, *FUNCTIONS, "--store", store, "--commit-events", "20000",
                              env={"PGPASSWORD": SECRET})
                proxy.close()
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreaterEqual(proxy.cut_after, 1)
                self.assert_equal_to_sqlite()

    def test_of_two_runs_the_older_is_fenced(self):
        older = self.begin(*self.slow)
        self.wait_for_commits(1, older)
        newer = replay(*self.command)
        _, said = older.communicate(timeout=120)
        self.assertEqual((older.returncode, newer.returncode), (76, 0), said + newer.stderr)
        self.assertIn("another run owns the function", said)
        self.assert_equal_to_sqlite()

    def test_a_run_that_holds_its_lock_is_named(self):
        done = replay(*self.command)
        self.assertEqual(done.returncode, 0, done.stderr)
        owner = server.sql(f"SELECT owner FROM {self.schema}._replay_functions")[0][0]
        holder = subprocess.Popen(
            ["psql", "-X", "-q", "-h", server.home, "-p", str(server.port), "-U", "replay", "-d", "app", "-c",
             f"BEGIN; SELECT 1 FROM {self.schema}._replay_functions FOR UPDATE; SELECT pg_sleep(60)"],
            stdout=subprocess.DEVNULL)
        try:
            while not server.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND wait_event = 'PgSleep'"):
                time.sleep(0.02)
            late = replay(*self.command, "--lock-timeout", "1")
        finally:
            kill(holder)
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        self.assertEqual(late.returncode, 75, late.stderr)
        for part in ("the store is locked", f"the last run of shade-velocity is {owner}", "next:"):
            self.assertIn(part, late.stderr)


class Refused(PostgresCase):
    def run_into(self, store, env=None):
        return replay("--archive", archive, *FUNCTIONS, "--store", store, env=env)

    def refusal(self, store, code, *parts, env=None):
        done = self.run_into(store, env)
        self.assertEqual(done.returncode, code, done.stderr)
        for part in (*parts, "next:"):
            self.assertIn(part, done.stderr)
        for secret in (SECRET, "wrong-pass"):
            self.assertNotIn(secret, done.stdout + done.stderr)

    def test_what_is_not_there(self):
        self.refusal(server.address(self.schema, database="nowhere"), 66, "no such database", "nowhere")
        self.refusal(server.address("nowhere"), 66, "no such schema: nowhere", "CREATE SCHEMA")
        self.refusal("postgres://replay@127.0.0.1:1/app", 69, "the database server is away")
        self.refusal("postgres://replay@127.0.0.1/app?nonsense=1", 64, "not an address of PostgreSQL")

    def test_passwords(self):
        tcp = server.over_tcp(self.schema)
        self.refusal(tcp, 77, "PGPASSFILE", env={"PGPASSWORD": "wrong-pass"})
        self.refusal(tcp, 77, "PGPASSFILE", env={"PGPASSFILE": "/nowhere"})
        done = self.run_into(tcp, {"PGPASSWORD": SECRET})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        path = os.path.join(scratch, "pgpass")
        with open(path, "w") as file:
            file.write(f"127.0.0.1:{server.port}:app:replay:{SECRET}\n")
        os.chmod(path, 0o600)
        self.assertEqual(self.run_into(tcp, {"PGPASSFILE": path}).returncode, 0)
        kept = server.sql(f"SELECT string_agg(t::text, '') FROM {self.schema}._replay_functions t")[0][0]
        self.assertNotIn(SECRET, kept)

    def test_a_password_in_the_address_is_refused_and_told_to_nobody(self):
        report = os.path.join(scratch, "report.json")
        host = f"127.0.0.1:{server.port}/app?schema={self.schema}"
        for store in (f"postgres://replay:{SECRET}@{host}", f"postgres://replay@{host}&password={SECRET}",
                      f"postgres://replay@{host}&pass%77ord={SECRET}", f"postgres://replay:{SECRET}/x@{host}",
                      # What is no address, and must not become the name of a file.
                      f"host=127.0.0.1 user=replay password={SECRET}", f"postgres:/replay:{SECRET}@{host}",
                      f"sqlite:postgres://replay:{SECRET}@{host}"):
            for arguments in (("--archive", archive, *FUNCTIONS, "--store", store, "--report", report),
                              ("--archive", archive, *FUNCTIONS, f"--store={store}", "--json"),
                              ("status", "--store", store), ("failed", "list", "--store", store)):
                done = replay(*arguments)
                self.assertEqual(done.returncode, 64, done.stderr)
                text = done.stdout + done.stderr
                if os.path.exists(report):
                    text += open(report).read()
                self.assertIn("PGPASSFILE", text)
                self.assertNotIn(SECRET, text)

    def test_sql_files_run_in_sqlite_only(self):
        done = replay("--archive", archive, "--function", os.path.join(ROOT, "fixtures/functions/shade_velocity.sql"),
                      "--store", self.store)
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("SQLite only", done.stderr)

    def test_nul_in_a_text(self):
        place = os.path.join(scratch, "nul")
        os.makedirs(place, exist_ok=True)
        lines = [json.dumps({"id": f"e-{n}", "type": "retail.item.sold", "time": f"2026-01-01T00:00:0{n}Z", "key": "c",
                             "data": {"category": "cosmetics", "shade": "Ro\0sé" if n == 2 else "Rosé", "price": 1.5,
                                      "quantity": 1}}) for n in range(4)]
        with gzip.open(os.path.join(place, "a.jsonl.gz"), "wt") as file:
            file.write("\n".join(lines) + "\n")
        done = replay("--archive", place, "--function", "shade-velocity", "--store", self.store)
        self.assertEqual(done.returncode, 65, done.stderr)
        # Found in the event already, before any table is asked; a table's own refusal is a case of the conformance suite.
        for part in ("record 3", "NUL (\\u0000)", "no database text can", "2 events of this run are committed"):
            self.assertIn(part, done.stderr)
        self.assertEqual(rows(self.schema, "shade_velocity"), [("Rosé", "2", "300", "2026-01-01", "2026-01-01")])


class Left(PostgresCase):
    def test_events_that_cannot_be_applied_are_listed_and_dropped(self):
        place = os.path.join(scratch, "left")
        os.makedirs(place, exist_ok=True)
        prices = [1.5, 1.505, 2.5, "none"]
        with gzip.open(os.path.join(place, "a.jsonl.gz"), "wt") as file:
            for number, price in enumerate(prices):
                file.write(json.dumps({"id": f"e-{number}", "type": "retail.item.sold", "time": "2026-01-01T00:00:00Z",
                                       "key": f"k-{number}",
                                       "data": {"category": "cosmetics", "shade": "Rosé", "price": price,
                                                "quantity": 1}}) + "\n")
        done = replay("--archive", place, "--key", "key", "--function", "shade-velocity", "--store", self.store,
                      "--on-error", "dead-letter")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(rows(self.schema, "shade_velocity"), [("Rosé", "2", "400", "2026-01-01", "2026-01-01")])
        listed = replay("failed", "list", "--store", self.store, "--json")
        self.assertEqual([json.loads(line)["key"] for line in listed.stdout.splitlines() if "k-" in line], ["k-1", "k-3"])
        self.assertIn('"price": 1.505', replay("failed", "show", "--store", self.store, "--key", "k-1").stdout)
        retried = replay("failed", "retry", "--store", self.store, "--function", "shade-velocity")
        self.assertEqual(retried.returncode, 3, retried.stderr)
        self.assertIn("2 failed again", retried.stderr)
        dropped = replay("failed", "drop", "--store", self.store, "--all")
        self.assertIn("2 events dropped", dropped.stderr)
        self.assertEqual(server.sql(f"SELECT count(*) FROM {self.schema}._replay_failed"), [("0",)])


class Live(LiveCase):
    def test_the_archive_and_then_the_stream(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        sqlite, self.store = self.store, server.address("live")
        server.sql("CREATE SCHEMA live")
        for _ in range(2):
            done = self.run_live()
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in (*TABLES, "event_counts"):
                self.assertEqual(rows("live", name), sqlite_rows(sqlite, name), name)
        self.assertEqual(replay("wait", "--store", self.store, "--position", "0:299").returncode, 0)
        printed = replay("handoff", "--function", "shade-velocity", "--store", self.store, "--live", self.stream.address,
                         "--to", "print")
        self.assertEqual((printed.returncode, printed.stdout), (0, "retail,0,300\nretail,1,200\n"), printed.stderr)


class Encrypted(unittest.TestCase):
    """0.0.0.0 reaches this machine, and is no loopback address: so a server there has to prove who it is."""

    @classmethod
    def setUpClass(cls):
        cls.tls = tempfile.mkdtemp()
        os.chmod(cls.tls, 0o755)
        subprocess.run(f"""set -e; cd {cls.tls}
            openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=tests -days 2
            openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server
            echo subjectAltName=IP:0.0.0.0 > names
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names
            chmod 600 server.key; [ $(id -u) != 0 ] || chown postgres server.key""",
                       shell=True, check=True, capture_output=True)
        cls.server = Server(durable=False, tls=cls.tls)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.tls)

    def status(self, host, more=""):
        return replay("status", "--store", self.server.over_tcp("public", host=host, more=more),
                      env={"PGPASSWORD": SECRET, "HOME": self.tls})

    def test_who_the_server_is_must_be_proved_over_a_network(self):
        authority = f"&sslrootcert={self.tls}/ca.crt"
        for host, more, code in (("0.0.0.0", "", 77), ("0.0.0.0", authority, 0), ("0.0.0.0", "&sslmode=require", 0),
                                 ("127.0.0.1", "", 0), ("127.0.0.1", "&sslmode=verify-full" + authority, 77),
                                 ("127.0.0.1", "&sslmode=verify-ca" + authority, 0)):
            with self.subTest(host=host, more=more):
                done = self.status(host, more)
                self.assertEqual(done.returncode, code, done.stderr)
                if code:
                    self.assertIn("did not prove who it is", done.stderr)
                    self.assertIn("sslrootcert", done.stderr)

    def test_what_a_service_file_says_counts(self):
        path = os.path.join(self.tls, "services")
        for more, code in (("", 77), ("sslmode=require\n", 0)):
            with open(path, "w") as file:
                file.write(f"[shop]\nhost=0.0.0.0\nport={self.server.port}\ndbname=app\nuser=replay\n{more}")
            done = replay("status", "--store", "postgres:///?service=shop&schema=public",
                          env={"PGPASSWORD": SECRET, "HOME": self.tls, "PGSERVICEFILE": path})
            self.assertEqual(done.returncode, code, done.stderr)

    def test_a_server_without_tls_is_not_talked_to(self):
        done = replay("status", "--store", server.over_tcp("public", host="0.0.0.0"),
                      env={"PGPASSWORD": SECRET, "HOME": self.tls})
        self.assertEqual(done.returncode, 77, done.stderr)


class Privileges(PostgresCase):
    def test_the_grants_of_the_document_are_enough(self):
        """The SQL is read out of docs/postgresql.md, so that what it lists is what was tried."""
        with open(os.path.join(ROOT, "docs/postgresql.md")) as file:
            text = file.read()
        block = text.split("```sql\n", 1)[1].split("```", 1)[0]
        server.sql("DROP SCHEMA IF EXISTS retail; REVOKE ALL ON DATABASE app FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        server.sql(block)
        done = replay("--archive", archive, *FUNCTIONS, "--store", server.address("retail", user="replayer"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.schema = "retail"
        self.assert_equal_to_sqlite()
        reader = replay("status", "--store", server.address("retail", user="replay_reader"))
        self.assertEqual(reader.returncode, 0, reader.stderr)
        done = replay("--archive", archive, *FUNCTIONS, "--store", server.address("retail", user="replay_reader"))
        self.assertEqual(done.returncode, 77, done.stderr)
        # Asked for before anything is emptied.
        server.sql("REVOKE TEMPORARY ON DATABASE app FROM replayer")
        done = replay("--archive", archive, *FUNCTIONS, "--full-refresh", "--store", server.address("retail", user="replayer"))
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertIn("GRANT TEMPORARY ON DATABASE", done.stderr)
        self.assert_equal_to_sqlite()
        # Another role acts as the one whose tables they are.
        server.sql("CREATE ROLE colleague LOGIN IN ROLE replayer; GRANT CONNECT, TEMPORARY ON DATABASE app TO replayer, colleague")
        address = server.address("retail", user="colleague") + "&options=-crole%3Dreplayer"
        done = replay("--archive", archive, "--function", "event-counts", "--store", address)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'event_counts' "
                                    "AND schemaname = 'retail'")[0][0], "replayer")


if __name__ == "__main__":
    unittest.main()
