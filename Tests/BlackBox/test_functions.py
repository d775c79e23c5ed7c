"""Functions in other languages: the same rows as a Swift function's, and whatever a worker may do wrong."""
import json, os, re, shlex, shutil, sqlite3, subprocess, sys, tempfile, time, unittest

from support import FIXTURES, HERE, generate, replay

WORKERS = os.path.join(HERE, "workers")
FUNCTIONS = os.path.join(FIXTURES, "functions")
EVENTS = 20_000


def rows(store, table):
    with sqlite3.connect(store) as database:
        return sorted(database.execute(f"SELECT * FROM {table}").fetchall())


def processes(marker, patience=2.0):
    """Processes that name the marker on their command line, but not this one; after some time for them to end."""
    until = time.time() + patience
    while True:
        found = present(marker)
        if not found or time.time() > until:
            return found
        time.sleep(0.02)


def present(marker):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if marker.encode() in line.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


class Functions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.archive = os.path.join(cls.folder, "events")
        cls.tally = os.path.join(cls.folder, "tally.json")
        generate(cls.archive, "--events", EVENTS, "--codec", "zstd", "--tally", cls.tally)
        swift = os.path.join(cls.folder, "swift.db")
        done = replay("--archive", cls.archive, "--function", "event-counts", "--function", "shade-velocity",
                      "--store", swift)
        assert done.returncode == 0, done.stderr
        cls.shades = rows(swift, "shade_velocity")
        with sqlite3.connect(swift) as database:
            counts = "SELECT type, sum(events) FROM event_counts GROUP BY type ORDER BY type"
            cls.types = database.execute(counts).fetchall()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=self.folder)
        self.store = os.path.join(self.work, "s.db")

    def run_function(self, function, *more, timeout=120, **options):
        return replay("--archive", self.archive, "--function", function, "--store", self.store, *more,
                      timeout=timeout, **options)


class SameRows(Functions):
    def test_a_program_of_lines(self):
        script = os.path.join(FUNCTIONS, "shade_velocity_lines.py")
        for workers in (1, 3):
            for lines in ("event", "batch"):
                store = os.path.join(self.work, f"{workers}{lines}.db")
                done = self.run_function(f"exec:python3 {script}", "--tables", f"{FUNCTIONS}/shade_velocity.json",
                                         "--workers", workers, "--exec-lines", lines, "--store", store)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(rows(store, "shade_velocity"), self.shades)

    def run_function(self, function, *more, **options):
        store = [] if "--store" in more else ["--store", self.store]
        return replay("--archive", self.archive, "--function", function, *store, *more, **options)

    def test_a_shell_program(self):
        done = self.run_function(f"exec:sh {FUNCTIONS}/shade_velocity.sh", "--tables",
                                 f"{FUNCTIONS}/shade_velocity.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store, "shade_velocity"), self.shades)

    def test_a_node_handler_behind_a_client_of_its_own(self):
        done = self.run_function(f"lambda:exec:node {FUNCTIONS}/runtime_client.mjs {FUNCTIONS}/shade_velocity.mjs handler",
                                 "--tables", f"{FUNCTIONS}/shade_velocity.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store, "shade_velocity"), self.shades)


class Hostile(Functions):
    def lambda_rows(self, how, *more, always=False):
        """The run's end, whose rows are to be right in spite of what the worker does once."""
        done = os.path.join(self.work, "done")
        script = os.path.join(WORKERS, "hostile_lambda.py")
        words = ["python3", script, how, done] + (["always"] if always else [])
        return self.run_function("lambda:exec:" + shlex.join(words), "--tables", f"{WORKERS}/type_counts.json",
                                 "--workers", 2, *more)

    def line_rows(self, how, *more, always=False):
        done = os.path.join(self.work, "done")
        words = ["python3", os.path.join(WORKERS, "hostile_lines.py"), how, done] + (["always"] if always else [])
        return self.run_function("exec:" + shlex.join(words), "--tables", f"{WORKERS}/type_counts.json",
                                 "--workers", 2, *more)

    def assert_whole(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store, "type_counts"), self.types)
        self.assertTrue(os.path.exists(os.path.join(self.work, "done")), "the worker did nothing wrong")
        self.assertEqual(processes(self.work), [])

    def test_a_lambda_worker_that_misbehaves_once_changes_nothing(self):
        limits = {"hangs": ["--function-timeout", 1], "hangs-with-child": ["--function-timeout", 1],
                  "leaks": ["--function-memory", 200 << 20], "closes": ["--function-timeout", 3]}
        for how in ("killed", "exits", "hangs", "hangs-with-child", "leaks", "garbage", "null", "twice", "late", "closes",
                    "asks-again", "too-big", "chatters", "fails"):
            with self.subTest(how):
                self.setUp()
                self.assert_whole(self.lambda_rows(how, *limits.get(how, [])))

    def test_a_program_of_lines_that_misbehaves_once_changes_nothing(self):
        limits = {"hangs": ["--function-timeout", 1], "leaks": ["--function-memory", 200 << 20],
                  "no-newline": ["--function-timeout", 1]}
        for how in ("killed", "exits", "ends-well", "hangs", "leaks", "garbage", "null", "complains", "too-big", "closes",
                    "no-newline"):
            with self.subTest(how):
                self.setUp()
                self.assert_whole(self.line_rows(how, *limits.get(how, []), "--function-start-timeout", 1,
                                                 "--on-error", "retry"))

    def test_a_line_too_many_is_told_and_nothing_shifted_is_committed(self):
        done = self.line_rows("twice")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("answers more lines than it is given", done.stderr)
        self.assertEqual(rows(self.store, "type_counts"), [])

    def test_one_that_always_does_is_told_of_and_nothing_is_left_running(self):
        told = {"killed": "was ended by signal 9", "exits": "it said: no more", "garbage": "it answered no JSON",
                "null": "it answered null", "fails": "Fault: not today", "asks-again": "had not answered"}
        for how, words in told.items():
            with self.subTest(how):
                self.setUp()
                done = self.lambda_rows(how, always=True)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertIn("could not apply an event", done.stderr)
                self.assertRegex(done.stderr, r"position [01] of partition retail/")
                self.assertEqual(processes(self.work), [])

    def test_a_worker_that_never_starts_is_the_functions_fault_and_no_events(self):
        done = self.run_function("lambda:exec:python3 -c 'import nothing_like_it'", "--tables",
                                 f"{WORKERS}/type_counts.json")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("does not start", done.stderr)
        self.assertIn("No module named 'nothing_like_it'", done.stderr)
        done = self.run_function("exec:sh -c 'exit 5'", "--tables", f"{WORKERS}/type_counts.json")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("exited with code 5", done.stderr)
        done = self.run_function("exec:/no/such/program", "--tables", f"{WORKERS}/type_counts.json")
        self.assertEqual(done.returncode, 64, done.stderr)

    def test_nothing_survives_a_kill_of_the_run(self):
        done = os.path.join(self.work, "done")
        script = os.path.join(WORKERS, "hostile_lambda.py")
        line = [os.environ.get("REPLAY_TOOL", os.path.join(HERE, "..", "..", ".build", "release", "replay")),
                "--archive", self.archive, "--function", f"lambda:exec:python3 {script} hangs {done} always",
                "--tables", f"{WORKERS}/type_counts.json", "--store", self.store]
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
        while not os.path.exists(done):
            time.sleep(0.02)
        self.assertNotEqual([pid for pid in present(self.work) if pid != process.pid], [])
        process.kill()
        process.wait()
        for _ in range(100):
            if not processes(self.work):
                break
            time.sleep(0.05)
        self.assertEqual(processes(self.work), [])

    def test_nor_does_what_a_worker_has_started(self):
        code = (f"import subprocess, sys\nsubprocess.Popen(['sleep', '321'])\n"
                f"open('{self.work}/begun', 'w').close()\nfor line in sys.stdin: pass")
        line = [os.environ.get("REPLAY_TOOL", os.path.join(HERE, "..", "..", ".build", "release", "replay")),
                "--archive", self.archive, "--function", f"exec:python3 -c {shlex.quote(code)}",
                "--tables", f"{WORKERS}/type_counts.json", "--store", self.store, "--workers", "1"]
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
        while not os.path.exists(os.path.join(self.work, "begun")):
            time.sleep(0.02)
        self.assertNotEqual(present("sleep\x00321"), [])
        process.kill()
        process.wait()
        self.assertEqual([pid for pid in processes("sleep\x00321")], [])

    def test_a_request_to_stop_ends_a_call_that_hangs(self):
        done = os.path.join(self.work, "done")
        script = os.path.join(WORKERS, "hostile_lambda.py")
        line = [os.environ.get("REPLAY_TOOL", os.path.join(HERE, "..", "..", ".build", "release", "replay")),
                "--archive", self.archive, "--function", f"lambda:exec:python3 {script} hangs {done} always",
                "--tables", f"{WORKERS}/type_counts.json", "--store", self.store]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(done):
            time.sleep(0.02)
        began = time.time()
        process.terminate()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 143)
        self.assertLess(time.time() - began, 5)
        self.assertEqual(processes(self.work), [])


class Environment(Functions):
    def seen(self, *flags, environment):
        """The environment and the open files that a worker sees."""
        report = os.path.join(self.work, "seen")
        code = ("import json, os, sys\n"
                "found = {'env': dict(os.environ), 'files': [os.readlink('/proc/self/fd/' + f) for f in "
                "os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f)]}\n"
                f"json.dump(found, open({report!r}, 'w'))\n"
                "for line in sys.stdin: print('{}', flush=True)")
        done = self.run_function(f"exec:python3 -c {shlex.quote(code)}", "--tables", f"{WORKERS}/type_counts.json",
                                 "--workers", 1, *flags, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(report) as found:
            return json.load(found)

    def test_nothing_of_the_runs_own_reaches_a_worker_unless_it_is_named(self):
        environment = {"AWS_SECRET_ACCESS_KEY": "secret", "DATABASE_URL": "postgres://", "HOME": "/root"}
        seen = self.seen(environment=environment)
        names = set(seen["env"]) - {"LC_CTYPE"}
        self.assertEqual(names, {"PATH", "LANG", "TZ", "AWS_EC2_METADATA_DISABLED", "REPLAY_PHASE"})
        self.assertEqual(seen["env"]["REPLAY_PHASE"], "replay")
        self.assertEqual([file for file in seen["files"] if not file.startswith(("pipe:", "/proc/"))], [])

    def test_what_is_named_does(self):
        self.store = os.path.join(self.work, "named.db")
        seen = self.seen("--function-env", "DATABASE_URL", "--function-env", "NOT_SET",
                         environment={"DATABASE_URL": "postgres://", "OTHER": "1"})
        self.assertEqual(seen["env"]["DATABASE_URL"], "postgres://")
        self.assertNotIn("OTHER", seen["env"])
        self.assertNotIn("NOT_SET", seen["env"])

    def test_a_worker_without_a_network_is_served_all_the_same(self):
        code = ("import os, socket, sys\n"
                f"sys.path.insert(0, {WORKERS!r})\n"
                "from runtime_client import Runtime\n"
                "names = [name for _, name in socket.if_nameindex()]\n"
                "assert names == ['lo'], names\n"
                "runtime = Runtime()\n"
                "while True: runtime.answer(runtime.next()[0], {})")
        done = self.run_function(f"lambda:exec:python3 -c {shlex.quote(code)}", "--tables",
                                 f"{WORKERS}/type_counts.json", "--isolate", "network")
        if done.returncode == 77:
            self.skipTest("this machine allows no network namespaces")
        self.assertEqual(done.returncode, 0, done.stderr)


class Rate(Functions):
    def test_a_limit_holds_over_all_workers(self):
        began = time.time()
        done = self.run_function(f"exec:python3 {FUNCTIONS}/shade_velocity_lines.py", "--tables",
                                 f"{FUNCTIONS}/shade_velocity.json", "--workers", 3, "--batch-size", 10, "--max-rate", 300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(self.store, "shade_velocity"), self.shades)
        sold = int(re.search(r"applied ([\d,]+)", done.stderr).group(1).replace(",", ""))
        # The first batch of each worker need not wait.
        self.assertGreater(time.time() - began, (sold - 3 * 10) / 300)


class Usage(Functions):
    def test_the_contract_is_never_guessed(self):
        done = self.run_function("exec:cat")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("--contract", done.stderr)
        done = self.run_function("exec:cat", "--contract", "changes")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("--tables", done.stderr)

    def test_a_declaration_that_is_wrong_says_where(self):
        cases = [("{", "byte 1"), ('{"functoin": "a"}', "functoin"), ('{"tables": {"a": {}}}', "tables.a"),
                 ('{"tables": {"a": {"key": {"k": "text"}, "merge": {"n": "summ"}}}}', "tables.a.merge.n")]
        path = os.path.join(self.work, "declared.json")
        for text, place in cases:
            with self.subTest(text):
                with open(path, "w") as file:
                    file.write(text)
                done = self.run_function("exec:cat", "--tables", path)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertIn(place, done.stderr)
                self.assertIn(path, done.stderr)

    def test_changes_that_no_table_takes_stop_the_run_and_say_what(self):
        answers = [('{"merges":[{"table":"nowhere","row":{}}]}', "nowhere"),
                   ('{"merges":[{"table":"type_counts","row":{"type":"a","events":1.5}}]}', "type_counts.events"),
                   ('{"merges":[{"table":"type_counts","row":{"events":1}}]}', "whole key"),
                   ('{"merge":[]}', '"merge"'), ('[]', "an array")]
        for answer, words in answers:
            with self.subTest(answer):
                self.setUp()
                code = f"import sys\nfor line in sys.stdin: print({answer!r}, flush=True)"
                done = self.run_function(f"exec:python3 -c {shlex.quote(code)}", "--tables",
                                         f"{WORKERS}/type_counts.json", "--workers", 1)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn(words, done.stderr)

    def test_a_number_beyond_its_column_fails_its_event_alone(self):
        tables = os.path.join(self.work, "prices.json")
        with open(tables, "w") as file:
            json.dump({"function": "prices", "contract": "changes",
                       "tables": {"prices": {"key": {"k": "text"}, "merge": {"p": "max decimal(3)"}}}}, file)
        # Behind three digits one more than 64 bits hold, once; else the largest.
        code = ("import json,sys\nfor n,line in enumerate(sys.stdin): print(json.dumps({'merges':[{'table':'prices','row':"
                "{'k':'a','p':'9223372036854775.80%d' % (8 if n == 1 else 7)}}]}), flush=True)")
        done = self.run_function(f"exec:python3 -c {shlex.quote(code)}", "--tables", tables, "--workers", 1, "--on-error",
                                 "dead-letter")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("dead-lettered 1", done.stderr)
        self.assertIn("beyond 64 bits", replay("failed", "list", "--store", self.store).stdout)


if __name__ == "__main__":
    unittest.main()
