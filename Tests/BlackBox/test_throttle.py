"""`--max-target-p99`: a run watches the answers of its target database, slows down, says so, and writes the same rows."""
import http.client, json, os, re, shutil, signal, socket, subprocess, tempfile, threading, time, unittest

from postgres_proxy import Listener
from postgres_server import SECRET, Server, kill
from support import TOOL, replay
from test_live import LiveCase
from test_postgres import FUNCTIONS, TABLES, rows, sqlite_rows
import test_postgres

PROBE = b"replay probe"
# At the least pace this takes twenty times as long as else.
EVENTS = 12_000


def setUpModule():
    global server, scratch, archive, expected
    server, scratch = Server(durable=False), tempfile.mkdtemp()
    test_postgres.server = server
    archive, expected = test_postgres.made(scratch, EVENTS, customers=600)


def tearDownModule():
    server.close()
    shutil.rmtree(scratch, ignore_errors=True)


class SlowReads(Listener):
    """A proxy before PostgreSQL that keeps what the probe asks for a while; or refuses the probe. Others pass."""

    def __init__(self, seconds=0.0, refuses=False):
        self.seconds, self.refuses, self.probes = seconds, refuses, 0
        self.listen()

    def carry(self, client):
        upstream = socket.create_connection(("127.0.0.1", server.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_probe = threading.Event()

        def answers():
            try:
                while data := upstream.recv(1 << 16):
                    client.sendall(data)
            except OSError:
                pass
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

        threading.Thread(target=answers, daemon=True).start()
        try:
            while data := client.recv(1 << 16):
                if PROBE in data:
                    is_probe.set()
                    if self.refuses:
                        break
                elif is_probe.is_set():
                    self.probes += 1
                    time.sleep(self.seconds)
                upstream.sendall(data)
        except OSError:
            pass
        for one in (client, upstream):
            one.close()


class ThrottleCase(unittest.TestCase):
    number = 0

    def setUp(self):
        ThrottleCase.number += 1
        self.schema = f"r{ThrottleCase.number}"
        server.sql(f"CREATE SCHEMA {self.schema}")
        self.store = server.address(self.schema)

    def proxied(self, **more):
        proxy = SlowReads(**more)
        self.addCleanup(proxy.close)
        return proxy, f"postgres://replay@127.0.0.1:{proxy.port}/app?schema={self.schema}"

    def command(self, store, *more):
        return ["--archive", archive, *FUNCTIONS, "--store", store, *more]

    def run_throttled(self, store, target, *more):
        done = replay(*self.command(store, "--max-target-p99", target, *more), env={"PGPASSWORD": SECRET})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("throttle  slowed for", done.stderr)
        return done

    def throttle(self, done):
        """What the account at the end says."""
        return [json.loads(line) for line in done.stdout.splitlines() if '"message_type":"throttle"' in line][-1]

    def assert_same_rows(self):
        for name in TABLES:
            found = rows(self.schema, name)
            missing, surplus = sorted(set(expected[name]) - set(found))[:3], sorted(set(found) - set(expected[name]))[:3]
            self.assertEqual((len(found), missing, surplus), (len(expected[name]), [], []), name)

    def assert_no_probe_is_left(self):
        for _ in range(50):
            left = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'replay probe'")
            if not left:
                return
            time.sleep(0.1)
        self.fail(f"probes are left: {left}")


class Slowed(ThrottleCase):
    def test_a_slow_target_slows_the_run_and_nothing_else_changes(self):
        began = time.monotonic()
        self.assertEqual(replay(*self.command(self.store, "--full-refresh")).returncode, 0)
        plain = time.monotonic() - began
        proxy, store = self.proxied(seconds=0.06)
        report = os.path.join(scratch, "report.json")
        began = time.monotonic()
        done = self.run_throttled(store, "20ms", "--full-refresh", "--json", "--report", report)
        took = time.monotonic() - began
        self.assertGreater(took, 2 * plain, done.stderr)
        self.assertGreater(proxy.probes, 3)
        account = self.throttle(done)
        self.assertGreaterEqual(account["highest_target_p99_milliseconds"], 60)
        self.assertEqual(account["max_target_p99_milliseconds"], 20)
        self.assertLess(account["share"], 0.05)
        self.assertGreater(account["slowed_milliseconds"], 500)
        self.assertGreater(account["rest_milliseconds"], 100)
        self.assertEqual(account["failed_probes"], 0)
        with open(report) as file:
            self.assertGreaterEqual(json.load(file)["throttle"]["highest_target_p99_milliseconds"], 60)
        self.assert_same_rows()
        self.assert_no_probe_is_left()

    def test_a_target_that_is_fast_enough_slows_nothing_for_long(self):
        done = self.run_throttled(self.store, "30s", "--json", "--commit-events", "3000")
        account = self.throttle(done)
        self.assertLess(account["highest_target_p99_milliseconds"], 30_000)
        self.assertGreaterEqual(account["share"], 0.08)
        self.assertGreater(account["probes"], 0)
        self.assert_same_rows()
        self.assert_no_probe_is_left()

    def test_a_probe_behind_a_lock_is_slow_and_goes_on_with_the_run(self):
        """A lock that readers of the tables wait for, and so do the probe and the run."""
        self.assertEqual(replay(*self.command(self.store)).returncode, 0)
        holder = subprocess.Popen(
            ["psql", "-X", "-q", "-h", server.home, "-p", str(server.port), "-U", "replay", "-d", "app", "-c",
             f"BEGIN; LOCK TABLE {self.schema}.shade_velocity, {self.schema}.recently_viewed IN ACCESS EXCLUSIVE MODE; "
             "SELECT pg_sleep(60)"],
            stdout=subprocess.DEVNULL)
        try:
            while not server.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND wait_event = 'PgSleep'"):
                time.sleep(0.02)
            process = subprocess.Popen(
                [TOOL, *self.command(self.store, "--max-target-p99", "50ms", "--full-refresh", "--json",
                                     "--lock-timeout", "60")],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(3)
            self.assertIsNone(process.poll(), "it is made to wait by the lock")
        finally:
            kill(holder)
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        out, said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, said)
        account = [json.loads(line) for line in out.splitlines() if '"message_type":"throttle"' in line][-1]
        self.assertGreater(account["highest_target_p99_milliseconds"], 500)
        self.assert_same_rows()

    def after_a_commit(self, store):
        """A run that is slowed, has committed, and is far from its end."""
        process = subprocess.Popen(
            [TOOL, *self.command(store, "--max-target-p99", "5ms", "--commit-events", "1500", "--lanes", "1")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGPASSWORD": SECRET})
        while True:
            self.assertIsNone(process.poll(), "the run ended before it was killed")
            try:
                if int(server.sql(f"SELECT min(epochs) FROM {self.schema}._replay_functions")[0][0] or 0) > 0:
                    break
            except AssertionError:
                pass
            time.sleep(0.02)
        return process

    def test_a_stop_is_not_slowed(self):
        _, store = self.proxied(seconds=0.06)
        process = self.after_a_commit(store)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        # Of a small archive all may be read whole already.
        self.assertIn(process.returncode, (0, 130), said)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(replay(*self.command(self.store)).returncode, 0)
        self.assert_same_rows()
        self.assert_no_probe_is_left()

    def test_a_killed_run_resumes_to_the_same_rows(self):
        _, store = self.proxied(seconds=0.06)
        process = self.after_a_commit(store)
        kill(process)
        process.communicate()
        # The proxy does not pass on that its client is gone: the server would keep the lock.
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL")
        done = self.run_throttled(self.store, "20ms")
        self.assertIn("resuming", done.stderr)
        self.assert_same_rows()

    def test_who_asks_the_run_is_told(self):
        _, store = self.proxied(seconds=0.06)
        process = subprocess.Popen(
            [TOOL, *self.command(store, "--max-target-p99", "5ms", "--listen", "127.0.0.1:0", "--progress", "json")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGPASSWORD": SECRET})
        said = []

        def listen():
            said.extend(map(json.loads, process.stdout))

        reader = threading.Thread(target=listen)
        reader.start()
        metrics, status = "", {}
        while process.poll() is None and not self.shows_a_slow_target(metrics):
            address = next((event["address"] for event in list(said) if event["message_type"] == "listening"), None)
            if address:
                try:
                    metrics, status = self.ask(address, "/metrics"), json.loads(self.ask(address, "/status"))
                except OSError:
                    break
            time.sleep(0.05)
        _, errors = process.communicate(timeout=120)
        reader.join()
        self.assertEqual(process.returncode, 0, errors)
        self.assertTrue(self.shows_a_slow_target(metrics), metrics)
        for name in ("replay_target_max_p99_seconds 0.005000",
                     "replay_throttle_share 0.0", "replay_throttle_slowed_seconds_total", "replay_target_probes_total"):
            self.assertIn(name, metrics)
        self.assertLess(status["throttle"]["share"], 0.1)
        shown = [event for event in said if event["message_type"] == "status"]
        # One a second, of a run that lasts as long as that.
        self.assertTrue(all(event["throttle"]["share"] < 0.1 for event in shown), shown)
        self.assert_same_rows()

    def shows_a_slow_target(self, metrics):
        """Slower than the proxy makes it, and as slow as to slow the run down."""
        found = {name: float(value) for name, value in re.findall(r"^(replay_t\w+) (\S+)$", metrics, re.M)}
        return found.get("replay_target_p99_seconds", 0) >= 0.06 and found.get("replay_throttle_share", 1) < 0.08

    def ask(self, address, path):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body


class Failing(ThrottleCase):
    def test_a_probe_that_fails_is_said_and_the_run_goes_on(self):
        _, store = self.proxied(refuses=True)
        done = self.run_throttled(store, "20ms", "--json")
        self.assertEqual(done.stderr.count("the target database cannot be probed"), 1, done.stderr)
        self.assertGreater(self.throttle(done)["failed_probes"], 0)
        self.assertEqual(self.throttle(done)["probes"], 0)
        self.assert_same_rows()

    def test_probes_that_somebody_ends_come_back(self):
        _, store = self.proxied(seconds=0.03)
        process = subprocess.Popen([TOOL, *self.command(store, "--max-target-p99", "20ms", "--json")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PGPASSWORD": SECRET})
        ended = 0
        while process.poll() is None and ended < 2:
            ended += len(server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE application_name = 'replay probe'"))
            time.sleep(0.2)
        _, said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, said)
        self.assertGreater(ended, 0)
        self.assertIn("cannot be probed", said)
        self.assert_same_rows()


class Refused(unittest.TestCase):
    def test_a_file_has_no_server(self):
        store = os.path.join(scratch, "refused.db")
        done = replay("--archive", archive, *FUNCTIONS, "--store", store, "--max-target-p99", "20ms")
        self.assertEqual(done.returncode, 64, done.stderr)
        for part in ("needs a store in PostgreSQL", "nothing was read or written", "next:"):
            self.assertIn(part, done.stderr)
        self.assertFalse(os.path.exists(store))

    def test_a_target_that_is_none(self):
        for value in ("0ms", "2m", "20", "fast"):
            done = replay("--archive", archive, *FUNCTIONS, "--store", server.address(), "--max-target-p99", value)
            self.assertEqual(done.returncode, 64, done.stderr)


class Live(LiveCase):
    def test_the_archive_and_then_the_stream(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        sqlite, self.store = self.store, server.address("live")
        server.sql("CREATE SCHEMA live")
        done = self.run_live("--max-target-p99", "20ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("throttle  slowed for"), 1, done.stderr)
        for name in ("shade_velocity", "recently_viewed", "event_counts"):
            self.assertEqual(rows("live", name), sqlite_rows(sqlite, name), name)

    def test_a_plan_keeps_it(self):
        self.scene()
        server.sql("CREATE SCHEMA planned")
        path = os.path.join(self.scratch, "plan.json")
        done = replay("plan", "--archive", self.archive.root, "--function", "event-counts", "--store",
                      server.address("planned"), "--max-target-p99", "20ms", "--out", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = replay("apply", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("throttle  slowed for", done.stderr)


if __name__ == "__main__":
    unittest.main()
