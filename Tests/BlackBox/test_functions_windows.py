"""Tumbling windows of Lambda handlers: which events a window has, its state through kills, a handoff and failures, its end."""
import base64, datetime, gzip, json, os, random, shutil, signal, sqlite3, subprocess, tempfile, time, unittest

from streams import DirectoryStream
from support import TOOL, python_with_packages, replay

SECONDS, EVENTS, START = 300, 6_000, 1_767_225_600

# Adds up in the state, by customer, and writes a window's row at its end.
HANDLER = """
import base64, json, time
def handler(event, context):
    state = event["state"]
    with open(%(log)r, "a") as log:
        log.write(json.dumps({**event, "Records": [r["eventID"] for r in event["Records"]]}) + "\\n")
    if event["isFinalInvokeForWindow"]:
        return {"state": {}, "merges": [{"table": "windows", "row": {
            "shard": event["shardId"], "start": event["window"]["start"], "total": sum(state.values()), "finals": 1,
            "keys": len(state)}}]}
    for record in event["Records"]:
        given = json.loads(base64.b64decode(record["kinesis"]["data"]))
        if given["n"] in %(bad)r:
            raise ValueError("bad")
        key = record["kinesis"]["partitionKey"]
        state[key] = state.get(key, 0) + given["n"]
    time.sleep(%(pause)r)
    return {"state": state}
"""
TABLES = {"function": "windows", "contract": "changes", "tables": {"windows": {
    "key": {"shard": "text", "start": "timestamp"}, "merge": {"total": "sum", "finals": "sum", "keys": "sum"}}}}


class Windows(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.archive, self.store = os.path.join(self.folder, "events"), os.path.join(self.folder, "s.db")
        self.log = os.path.join(self.folder, "log")
        self.seed = random.randrange(1 << 30)
        self.chance = random.Random(self.seed)
        self.clock, self.count, self.events = START, 0, [[], []]

    def more(self, count):
        """Events of two partitions, whose times go back now and then; the lines of each."""
        lines = [[], []]
        for _ in range(count):
            self.count += 1
            self.clock += self.chance.random() * 6
            at = self.clock - (self.chance.random() * 400 if self.chance.random() < 0.1 else 0)
            key = self.chance.randrange(40)
            self.events[key % 2].append((self.count, at, f"k{key}"))
            text = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="milliseconds")
            lines[key % 2].append(json.dumps({"partitionkey": f"k{key}", "n": self.count, "time": text}).encode())
        return lines

    def write_archive(self, lines):
        for partition in range(2):
            path = f"{self.archive}/topics/t/partition={partition}"
            os.makedirs(path)
            size = len(lines[partition]) // 4 + 1
            for begin in range(0, len(lines[partition]), size):
                with gzip.open(f"{path}/t+{partition}+{begin:010}.json.gz", "wb") as file:
                    file.writelines(line + b"\n" for line in lines[partition][begin:begin + size])

    def tally(self, is_open=False, bad=()):
        """By the latest time so far: each window that is over, or the one that is not."""
        rows = {}
        for partition, events in enumerate(self.events):
            latest, own = 0, {}
            for n, at, key in events:
                # The text of a time has milliseconds, as many as are read.
                latest = max(latest, int(at * 1000) / 1000)
                sums = own.setdefault(int(latest // SECONDS * SECONDS), {})
                if n not in bad:
                    sums[key] = sums.get(key, 0) + n
            last = max(own)
            for start, sums in own.items():
                if (start == last) == is_open:
                    text = datetime.datetime.fromtimestamp(start, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
                    rows[f"shardId-{partition:012}", text] = (sum(sums.values()), 1, len(sums))
        return rows

    def rows(self):
        with sqlite3.connect(self.store) as database:
            found = database.execute("SELECT shard, start, total, finals, keys FROM windows").fetchall()
        return {(shard, start): tuple(rest) for shard, start, *rest in found}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def words(self, *more, bad=(), pause=0, seconds=SECONDS):
        app = self.write("app.py", HANDLER % {"log": self.log, "bad": tuple(bad), "pause": pause})
        # A flag is for a declaration that does not say.
        declared = {name: value for name, value in TABLES.items() if name != "contract" or "--contract" not in more}
        tables = self.write("tables.json", json.dumps(declared))
        words = ["--archive", self.archive, "--function", f"lambda:{app}:handler", "--tables", tables, "--store",
                 self.store, "--progress", "none", "--tumbling-window", seconds, *more]
        return [str(word) for word in words]

    def run_windows(self, *more, **how):
        return replay(*self.words(*more, **how), env=python_with_packages(), timeout=300)

    def kill_often(self, *more, kills, **how):
        """Runs that are killed after a while; how many were at work then."""
        killed = 0
        for _ in range(kills):
            process = subprocess.Popen([TOOL, *self.words(*more, **how)], stderr=subprocess.DEVNULL,
                                       env={**os.environ, **python_with_packages()})
            try:
                process.wait(0.8 + self.chance.random())
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.wait()
        return killed

    def calls(self):
        with open(self.log) as log:
            return [json.loads(line) for line in log]


class SameWindows(Windows):
    def test_each_window_ends_once_with_all_of_its_events_through_kills(self):
        self.write_archive(self.more(EVENTS))
        killed = self.kill_often("--commit-interval", 0.05, "--batch-size", 20, kills=6, pause=0.02)
        self.assertGreater(killed, 2, "nothing was killed")
        done = self.run_windows("--batch-size", 50, "--lanes", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows(), self.tally(), f"seed {self.seed}")
        with sqlite3.connect(self.store) as database:
            found = database.execute("SELECT partition, state FROM _replay_windows").fetchall()
        self.assertEqual({(f"shardId-{int(p):012}", sum(json.loads(s).values())) for p, s in found},
                         {(shard, total) for (shard, _), (total, _, _) in self.tally(is_open=True).items()})

    def test_new_files_go_on_with_the_open_window(self):
        lines = self.more(1_000)
        later = [own[len(own) // 2:] for own in lines]
        self.write_archive([own[:len(own) // 2] for own in lines])
        self.assertEqual(self.run_windows().returncode, 0)
        for partition in range(2):
            begin = len(lines[partition]) // 2
            with gzip.open(f"{self.archive}/topics/t/partition={partition}/t+{partition}+{begin:010}.json.gz", "wb") as file:
                file.writelines(line + b"\n" for line in later[partition])
        done = self.run_windows("--batch-size", 7)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows(), self.tally(), f"seed {self.seed}")

    def test_from_the_archive_into_the_stream_through_kills(self):
        stream = DirectoryStream(os.path.join(self.folder, "t"), self.chance)
        stream.create(2)
        lines = self.more(2_000)
        self.write_archive(lines)
        for partition in range(2):
            stream.append(partition, lines[partition])
        live = ["--live", stream.address, "--commit-interval", 0.05, "--live-commit-interval", 0.05, "--batch-size", 20]
        self.kill_often(*live, kills=2, pause=0.005)
        for _ in range(3):
            for partition, own in enumerate(self.more(500)):
                stream.append(partition, own)
            self.kill_often(*live, kills=1, pause=0.005)
        done = self.run_windows(*live, "--until-caught-up", "--batch-window", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows(), self.tally(), f"seed {self.seed}")

    def test_one_that_writes_by_itself_is_given_the_state_of_the_commit(self):
        """A final call may come again after a kill, and says the same."""
        self.write_archive(self.more(3_000))
        flags = ["--contract", "writes-itself", "--commit-interval", 0.05]
        self.assertGreater(self.kill_often(*flags, "--batch-size", 20, kills=4, pause=0.03), 1)
        done = self.run_windows(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("repeated, with its windows' state of then", done.stderr)
        finals = {}
        for call in self.calls():
            if call["isFinalInvokeForWindow"]:
                start = call["window"]["start"].replace("Z", ".000Z")
                finals.setdefault((call["shardId"], start), set()).add((sum(call["state"].values()), 1, len(call["state"])))
        self.assertEqual(finals, {key: {row} for key, row in self.tally().items()}, f"seed {self.seed}")

    def test_events_that_fail_are_in_no_state(self):
        self.write_archive(self.more(600))
        bad = [100, 101, 350]
        done = self.run_windows("--on-error", "dead-letter", "--retries", 1, "--retry-backoff", 0.01, bad=bad)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(self.rows(), self.tally(bad=bad), f"seed {self.seed}")
        done = replay("failed", "retry", "--store", self.store, "--function", self.words()[3], "--tables",
                      f"{self.folder}/tables.json", "--tumbling-window", SECONDS, env=python_with_packages())
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("a window that is over", done.stderr)


class Calls(Windows):
    def few(self, *times):
        """One partition's events at these seconds of a window's beginning on."""
        self.write_archive([[json.dumps({"partitionkey": "k", "n": n, "time": datetime.datetime.fromtimestamp(
            START + at, datetime.timezone.utc).isoformat()}).encode() for n, at in enumerate(times)], []])

    def test_what_a_call_is_given(self):
        self.few(0, 299, 300, 10)
        done = self.run_windows("--event-source-arn", "arn:aws:kinesis:eu-west-1:1:stream/mine")
        self.assertEqual(done.returncode, 0, done.stderr)
        def call(records, start, state, final=False):
            return {"Records": [f"shardId-000000000000:{n}" for n in records], "window": {
                "start": f"2026-01-01T00:{start:02}:00Z", "end": f"2026-01-01T00:{start + 5:02}:00Z"}, "state": state,
                "shardId": "shardId-000000000000", "eventSourceARN": "arn:aws:kinesis:eu-west-1:1:stream/mine",
                "isFinalInvokeForWindow": final, "isWindowTerminatedEarly": False}
        self.assertEqual(self.calls(), [call([0, 1], 0, {}), call([], 0, {"k": 1}, final=True), call([2, 3], 5, {})])

    def test_dynamodb(self):
        """Its own time of each change counts."""
        path = f"{self.archive}/topics/t/partition=0"
        os.makedirs(path)
        with gzip.open(f"{path}/t+0+0000000000.json.gz", "wt") as file:
            for n, created in enumerate([START, START + 1, (START + 300) * 1000]):
                file.write(json.dumps({"partitionkey": "k", "eventName": "INSERT", "time": "1999-01-01T00:00:00Z", "dynamodb": {
                    "ApproximateCreationDateTime": created, "Keys": {"k": {"S": "k"}}, "SequenceNumber": str(n)}}) + "\n")
        out = os.path.join(self.folder, "given")
        self.write("app.py", f"import json\ndef handler(event, context):\n    with open({out!r}, 'a') as log:\n"
                   "        log.write(json.dumps([len(event['Records']), event['window']['start'], event['eventSourceARN'],"
                   " event['isFinalInvokeForWindow']]) + '\\n')\n    return {'state': {}}\n")
        done = replay("--archive", self.archive, "--function", f"lambda:{self.folder}/app.py:handler", "--contract",
                      "writes-itself", "--event-shape", "dynamodb", "--tumbling-window", 300, "--store", self.store,
                      env=python_with_packages())
        self.assertEqual(done.returncode, 0, done.stderr)
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1970-01-01T00:00:00.000"
        with open(out) as log:
            self.assertEqual([json.loads(line) for line in log], [
                [2, "2026-01-01T00:00:00Z", arn, False], [0, "2026-01-01T00:00:00Z", arn, True],
                [1, "2026-01-01T00:05:00Z", arn, False]])

    def test_a_state_above_a_megabyte_ends_the_window_early(self):
        self.few(0, 1, 2, 300)
        out = os.path.join(self.folder, "given")
        self.write("app.py", f"import json\ndef handler(event, context):\n    with open({out!r}, 'a') as log:\n"
                   "        log.write(json.dumps([len(event['Records']), len(event['state']), event['isFinalInvokeForWindow'],"
                   " event['isWindowTerminatedEarly'], event['window']['start'][14:16]]) + '\\n')\n"
                   "    first = event['Records'] and event['Records'][0]['kinesis']['sequenceNumber'] == '1'\n"
                   "    return {'state': {'x': 'y' * (1 << 20)} if first else {}}\n")
        done = replay("--archive", self.archive, "--function", f"lambda:{self.folder}/app.py:handler", "--contract",
                      "writes-itself", "--batch-size", 1, "--tumbling-window", 300, "--store", self.store,
                      env=python_with_packages())
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(out) as log:
            self.assertEqual([json.loads(line) for line in log], [
                [1, 0, False, False, "00"], [1, 0, False, False, "00"], [0, 1, True, True, "00"], [1, 0, False, False, "00"],
                [0, 0, True, False, "00"], [1, 0, False, False, "05"]])

    def broken(self, answer, *flags):
        self.few(0, 300)
        self.write("app.py", f"def handler(event, context):\n    return {answer}\n")
        tables = self.write("tables.json", json.dumps(TABLES))
        return replay("--archive", self.archive, "--function", f"lambda:{self.folder}/app.py:handler", "--tables", tables,
                      "--tumbling-window", 300, "--store", self.store, *flags, env=python_with_packages())

    def test_an_answer_without_a_state_has_failed(self):
        done = self.broken("{}")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("it answered no state", done.stderr)

    def test_a_final_call_that_fails_stops_the_run_whatever_the_policy(self):
        done = self.broken("1 // 0 if event['isFinalInvokeForWindow'] else {'state': {}}", "--on-error", "dead-letter",
                           "--retries", "1", "--retry-backoff", "0.01")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("failed the final call of a window", done.stderr)
        self.assertIn("the window from 2026-01-01T00:00:00Z to 2026-01-01T00:05:00Z of t/0", done.stderr)
        self.assertIn("after 2 attempts", done.stderr)
        # The same command, once it is mended.
        self.write("app.py", "def handler(event, context):\n    return {'state': {}}\n")
        done = replay("--archive", self.archive, "--function", f"lambda:{self.folder}/app.py:handler", "--tables",
                      f"{self.folder}/tables.json", "--tumbling-window", 300, "--store", self.store,
                      env=python_with_packages())
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_does_not_go_together_is_refused(self):
        self.few(0, 300)
        for flags in (["--event-shape", "kafka"], ["--event-shape", "sqs"], ["--workers", 2], ["--tumbling-window", 0],
                      ["--tumbling-window", 901]):
            done = self.run_windows(*flags)
            self.assertEqual(done.returncode, 64, (flags, done.stderr))
        for function in ("exec:cat", "http://127.0.0.1:1/"):
            done = replay("--archive", self.archive, "--function", function, "--contract", "writes-itself", "--store",
                          self.store, "--tumbling-window", 300)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("for Lambda handlers", done.stderr)
        self.assertFalse(os.path.exists(self.store))
        self.assertEqual(self.run_windows("--workers", 1).returncode, 0)
        for seconds in (60, 900):
            done = self.run_windows(seconds=seconds)
            self.assertEqual(done.returncode, 78, done.stderr)

    def test_a_handoff_by_time_has_no_windows(self):
        os.makedirs(self.archive)
        with gzip.open(f"{self.archive}/a.json.gz", "wb") as file:
            file.write(b'{"partitionkey":"k","n":1,"time":"2026-01-01T00:00:00Z"}\n')
        stream = DirectoryStream(os.path.join(self.folder, "t"))
        stream.create(1)
        stream.append(0, [b'{"partitionkey":"k","n":1,"time":"2026-01-01T00:00:00Z"}'])
        done = self.run_windows("--live", stream.address)
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("cannot be handed off by time", done.stderr)


if __name__ == "__main__":
    unittest.main()
