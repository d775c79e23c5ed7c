"""Functions in other languages behind a stream: batches that wait, retries that end with an event's age, and several of them."""
import datetime, gzip, json, os, shutil, signal, sqlite3, subprocess, tempfile, time, unittest, urllib.error, urllib.request

from http_services import free_port
from streams import DirectoryStream
from support import TOOL, python_with_packages, replay

HANDLER = """
import base64, json, time
def handler(event, context):
    given = [json.loads(base64.b64decode(r["kinesis"]["data"]))["n"] for r in event["Records"]]
    with open(%(log)r, "a") as log:
        log.write(json.dumps([time.time(), given, context.client_context.custom["replay_phase"]]) + "\\n")
    if %(bad)r in given:
        raise ValueError("bad")
    return {"merges": [{"table": "sums", "row": {"k": "all", "total": sum(given), "events": len(given)}}]}
"""
TABLES = {"function": "sums", "contract": "changes",
          "tables": {"sums": {"key": {"k": "text"}, "merge": {"total": "sum", "events": "sum"}}}}


class FunctionsLive(unittest.TestCase):
    """An archive of 20 events in two partitions, and a stream that has them and more."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.archive, self.store = os.path.join(self.folder, "events"), os.path.join(self.folder, "s.db")
        self.log = os.path.join(self.folder, "log")
        self.stream = DirectoryStream(os.path.join(self.folder, "t"))
        self.stream.create(2)
        for partition in range(2):
            lines = [self.line(2 * place + partition) for place in range(10)]
            path = f"{self.archive}/topics/t/partition={partition}"
            os.makedirs(path)
            with gzip.open(f"{path}/t+{partition}+0000000000.json.gz", "wb") as file:
                file.writelines(line + b"\n" for line in lines)
            self.stream.append(partition, lines)
        self.tables = self.write("tables.json", json.dumps(TABLES))

    def line(self, n, age=0):
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age)
        return json.dumps({"partitionkey": f"k{n % 2}", "type": "a", "n": n, "time": at.isoformat()}).encode()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def function(self, bad=-1):
        self.write("app.py", HANDLER % {"log": self.log, "bad": bad})
        return ["--function", f"lambda:{self.folder}/app.py:handler", "--tables", self.tables]

    def words(self, function, *more):
        return ["--archive", self.archive, "--store", self.store, "--progress", "none", "--live", self.stream.address,
                *function, *map(str, more)]

    def caught_up(self, function, *more):
        return replay(*self.words(function, "--until-caught-up", *more), env=python_with_packages())

    def follow(self, function, *more):
        """A run that goes on, once its function is live."""
        process = subprocess.Popen([TOOL, *self.words(function, *more)], stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **python_with_packages()})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait(self, position, timeout):
        began = time.monotonic()
        done = replay("wait", "--store", self.store, "--position", position, "--timeout", timeout)
        return done.returncode, time.monotonic() - began

    def calls(self):
        with open(self.log) as log:
            return [json.loads(line) for line in log]

    def sums(self):
        with sqlite3.connect(self.store) as database:
            return database.execute("SELECT total, events FROM sums").fetchone()


class BatchWindow(FunctionsLive):
    def test_a_batch_waits_from_its_first_event_on_and_its_receipt_with_it(self):
        function = self.function()
        self.assertEqual(self.caught_up(function).returncode, 0)
        self.follow(function, "--batch-window", 2)
        self.assertEqual(self.wait("0:9", "20s")[0], 0)
        time.sleep(1)
        began = time.time()
        for n in (20, 22, 24):
            self.stream.append(0, [self.line(n)])
            time.sleep(0.3)
        self.assertEqual(self.wait("0:10", "300ms")[0], 124, "what waits is not settled")
        code, _ = self.wait("0:12", "20s")
        self.assertEqual(code, 0)
        at, given, _ = self.calls()[-1]
        self.assertEqual(given, [20, 22, 24], "one call")
        self.assertGreater(at - began, 1.5)
        self.assertLess(at - began, 8)
        self.assertEqual(self.sums(), (sum(range(20)) + 66, 23))

    def test_a_full_batch_does_not_wait_and_takes_along_what_is_open(self):
        function = self.function()
        self.assertEqual(self.caught_up(function).returncode, 0)
        self.follow(function, "--batch-window", 300, "--batch-size", 4)
        self.assertEqual(self.wait("0:9", "20s")[0], 0)
        time.sleep(1)
        self.stream.append(1, [self.line(21)])
        self.assertEqual(self.wait("1:10", "1500ms")[0], 124)
        self.stream.append(0, [self.line(n) for n in range(20, 28, 2)])
        self.assertEqual(self.wait("0:13", "20s")[0], 0)
        self.assertEqual(self.wait("1:10", "20s")[0], 0, "the commit takes it along")

    def test_who_asks_meanwhile_hears_that_events_are_open(self):
        function = self.function()
        self.assertEqual(self.caught_up(function).returncode, 0)
        port = free_port()
        self.follow(function, "--batch-window", 300, "--listen", f"127.0.0.1:{port}")
        self.assertEqual(self.wait("0:9", "20s")[0], 0)
        until = time.monotonic() + 10
        while self.ready(port) != 200 and time.monotonic() < until:
            time.sleep(0.05)
        self.assertEqual(self.ready(port), 200)
        self.stream.append(0, [self.line(20)])
        time.sleep(1)
        self.assertEqual({self.ready(port) for _ in range(20)}, {503})

    def ready(self, port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return None  # it does not listen yet

    def test_a_stop_does_not_wait_and_delivers_what_is_open(self):
        function = self.function()
        self.assertEqual(self.caught_up(function).returncode, 0)
        run = self.follow(function, "--batch-window", 300)
        self.assertEqual(self.wait("0:9", "20s")[0], 0)
        time.sleep(1)
        self.stream.append(0, [self.line(20)])
        self.assertEqual(self.wait("0:10", "1500ms")[0], 124)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(20), 130)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.wait("0:10", "0ms")[0], 0)
        self.assertEqual(self.sums(), (sum(range(20)) + 20, 21))

    def test_the_end_is_not_put_off(self):
        self.stream.append(0, [self.line(20)])
        began = time.monotonic()
        self.assertEqual(self.caught_up(self.function(), "--batch-window", 300).returncode, 0)
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(self.sums(), (sum(range(20)) + 20, 21))

    def test_what_is_no_window_is_refused(self):
        for seconds in ("-1", "301", "x"):
            self.assertEqual(self.caught_up(self.function(), f"--batch-window={seconds}").returncode, 64)


class RecordAge(FunctionsLive):
    def attempts(self, age, *flags):
        self.stream.append(0, [self.line(20), self.line(22, age), self.line(24)])
        done = self.caught_up(self.function(bad=22), "--on-error-live", "dead-letter", "--retries", 3, "--retry-backoff",
                              0.01, *flags)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(self.sums(), (sum(range(20)) + 44, 22))
        shown = replay("failed", "list", "--store", self.store, "--json")
        return sum(given == [22] for _, given, _ in self.calls()), shown.stdout

    def test_one_that_is_too_old_is_tried_once(self):
        attempts, shown = self.attempts(3_600, "--max-record-age", 600)
        self.assertEqual(attempts, 1)
        self.assertIn("older than 600 seconds (--max-record-age)", shown)

    def test_one_that_is_not_is_tried_as_often_as_ever(self):
        attempts, shown = self.attempts(300, "--max-record-age", 600)
        self.assertEqual(attempts, 4)
        self.assertNotIn("--max-record-age", shown)

    def test_an_archive_has_no_say(self):
        """All of its events are old."""
        done = replay("--archive", self.archive, "--store", self.store, *self.function(bad=8), "--on-error", "dead-letter",
                      "--retries", 2, "--retry-backoff", 0.01, "--max-record-age", 60, env=python_with_packages())
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(sum(given == [8] for _, given, _ in self.calls()), 3)

    def test_it_asks_for_retries(self):
        for flags in (["--max-record-age", 600], ["--max-record-age", 59, "--retries", 1],
                      ["--max-record-age", 604_801, "--retries", 1]):
            self.assertEqual(self.caught_up(self.function(), *flags).returncode, 64, flags)


class SeveralFunctions(FunctionsLive):
    def run_both(self, *tables):
        first = self.write("app.py", HANDLER % {"log": self.log, "bad": -1})
        second = self.write("other.py", "def handler(event, context):\n"
                            "    return {'merges': [{'table': 'batches', 'row': {'k': 'b', 'records': len(event['Records'])}}]}\n")
        declared = {"function": "batches", "contract": "changes",
                    "tables": {"batches": {"key": {"k": "text"}, "merge": {"records": "sum"}}}}
        self.other = self.write("other.json", json.dumps(declared))
        words = ["--function", f"lambda:{first}:handler", "--function", "event-counts", "--function",
                 f"lambda:{second}:handler"]
        files = {"first": self.tables, "second": self.other}
        for file in tables:
            words += ["--tables", files.get(file, file)]
        return words

    def test_each_has_its_own_declaration_from_the_archive_into_the_stream(self):
        words = self.run_both("first", "second")
        self.stream.append(0, [self.line(20)])
        done = self.caught_up(words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.sums(), (sum(range(21)), 21))
        with sqlite3.connect(self.store) as database:
            self.assertEqual(database.execute("SELECT * FROM batches").fetchall(), [("b", 21)])

    def test_one_of_them_has_none(self):
        words = self.run_both("first", "none") + ["--contract", "writes-itself"]
        done = self.caught_up(words)
        self.assertEqual(done.returncode, 0, done.stderr)
        # The flag is for the one that declares nothing: the other's changes are kept.
        self.assertEqual(self.sums(), (sum(range(20)), 20))

    def test_a_flag_that_contradicts_the_declaration_is_refused(self):
        for tables in (["first", "second"], ["second", "first"]):
            done = self.caught_up(self.run_both(*tables), "--contract", "writes-itself")
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("its declaration says changes", done.stderr)
            self.assertFalse(os.path.exists(self.store))

    def test_what_does_not_match_is_refused(self):
        for tables in (["first"], ["first", "second", "second"]):
            done = self.caught_up(self.run_both(*tables))
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("which declares which is not clear", done.stderr)
            self.assertIn(f"lambda:{self.folder}/app.py:handler: {self.tables}", done.stderr)
            self.assertFalse(os.path.exists(self.store))
        done = self.caught_up(self.run_both("first", "none"))
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("nobody says what the function", done.stderr)

    def test_the_environment_names_several_with_commas(self):
        words = self.run_both()
        done = replay(*self.words(words, "--until-caught-up"),
                      env={**python_with_packages(), "REPLAY_TABLES": f"{self.tables},{self.other}"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.sums(), (sum(range(20)), 20))


if __name__ == "__main__":
    unittest.main()
