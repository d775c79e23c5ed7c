"""Functions behind HTTP: CloudEvents in three forms, Lambda's Invoke, stops and kills. `test_http_hostile.py`: services that misbehave."""
import base64, json, os, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time, unittest
from decimal import Decimal
from urllib.parse import unquote

from http_services import Service, good, signature
from support import FIXTURES, TOOL, generate, replay

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(FIXTURES, "functions"))
from shade_velocity import fold, handler  # noqa: E402

TABLES = os.path.join(FIXTURES, "functions", "shade_velocity.json")
SERVICE = os.path.join(FIXTURES, "functions", "shade_velocity_http.py")
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "geheim/Secret+1", "AWS_SESSION_TOKEN": "tokenvalue=="}


def clean():
    return {name: value for name, value in os.environ.items() if not name.startswith(("REPLAY_", "AWS_"))}


def rows(store):
    with sqlite3.connect(store) as db:
        return db.execute("select shade, units, revenue_cents, first_day, last_day from shade_velocity order by 1").fetchall()


def answer_binary(request):
    sale = {"time": request.headers["ce-time"], "data": json.loads(request.body, parse_float=Decimal)}
    return good(json.dumps(fold([sale])).encode())


def answer_invoke(request):
    return good(json.dumps(handler(json.loads(request.body), None)).encode())


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="replay-http-")
        cls.archive = os.path.join(cls.place, "events")
        generate(cls.archive, "--events", 20_000, "--codec", "zstd", "--tally", os.path.join(cls.place, "tally.json"))
        cls.small = os.path.join(cls.place, "small")
        cls.write(cls.small, [{"n": number, "key": f"k{number % 3}"} for number in range(12)])
        store = os.path.join(cls.place, "own.db")
        done = replay("--archive", cls.archive, "--function", "shade-velocity", "--store", store)
        assert done.returncode == 0, done.stderr
        cls.expected = rows(store)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    @staticmethod
    def write(archive, payloads):
        folder = os.path.join(archive, "topics", "plain", "partition=0")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "plain+0+0000000000.json"), "w") as file:
            for payload in payloads:
                file.write((payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)) + "\n")

    def store(self):
        return os.path.join(tempfile.mkdtemp(dir=self.place), "s.db")

    def run_small(self, address, *more, archive=None, store=None, key="key", env=None):
        """Delivers the small archive to a service that writes by itself."""
        return replay("--archive", archive or self.small, "--key", key, "--contract", "writes-itself", "--function",
                      address, "--lanes", 1, "--store", store or self.store(), *more, env=env)

    def run_shade(self, address, store, *more):
        return replay("--archive", self.archive, "--function", address, "--tables", TABLES, "--workers", 2, "--store",
                      store, *more)


class Forms(Case):
    def test_the_same_rows_as_the_swift_function(self):
        with subprocess.Popen([sys.executable, SERVICE], env={**clean(), "PORT": "0"}, stdout=subprocess.PIPE,
                              text=True) as service:
            try:
                address = f"http://127.0.0.1:{service.stdout.readline().split()[-1]}/"
                for form in ("binary", "structured", "batched"):
                    with self.subTest(form):
                        store = self.store()
                        done = self.run_shade(address, store, "--http-form", form)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        self.assertEqual(rows(store), self.expected)
            finally:
                service.kill()
        with Service(answer_invoke) as service:
            store = self.store()
            done = self.run_shade(service.invoke, store)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(rows(store), self.expected)
            self.assertLessEqual(len({request.connection for request in service.requests}), 2)

    def test_a_cloudevent_in_the_binary_form(self):
        with Service(answer_binary) as service:
            done = self.run_shade(service.address, self.store())
        self.assertEqual(done.returncode, 0, done.stderr)
        cat = replay("cat", "--archive", self.archive, "--json")
        records = [json.loads(line) for line in cat.stdout.splitlines()]
        archived = {(record["partition"].split("/")[-1], record["position"]): record["payload"]
                    for record in records if "payload" in record}
        self.assertLessEqual(len({request.connection for request in service.requests}), 2)
        for request in service.requests:
            headers = {name.lower(): value for name, value in request.headers.items()}
            event = archived[headers["replay-partition"], headers["replay-position"]]
            self.assertEqual(json.loads(request.body), event.pop("data"))
            self.assertEqual(headers.pop("content-type"), event.pop("datacontenttype"))
            sent = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
            self.assertEqual(sent, {name: str(value) for name, value in event.items()})
            self.assertEqual((headers["replay-phase"], headers["replay-run"]), ("replay", "1"))
            self.assertIn(headers["replay-attempt"], ("1", "2"))  # one for each worker
        # In order for each key, since in order for each partition of a connection.
        seen = {}
        for request in service.requests:
            place = (request.connection, request.headers["replay-partition"])
            self.assertGreater(request.position, seen.get(place, -1))
            seen[place] = request.position

    def test_what_is_no_cloudevent_is_made_one(self):
        archive = os.path.join(self.place, "plain")
        payloads = ['{"k": "ü \\"%",  "price": 1.50}', '{"k": "a"}']
        self.write(archive, payloads)
        for form in ("binary", "structured", "batched"):
            with self.subTest(form), Service(lambda _: good(b"ignored")) as service:
                done = self.run_small(service.address, "--http-form", form, archive=archive, key="k")
                self.assertEqual(done.returncode, 0, done.stderr)
                first = service.requests[0]
                if form == "binary":
                    headers = first.headers
                    self.assertEqual(first.body.decode(), payloads[0])
                    self.assertEqual(headers["ce-partitionkey"], "%C3%BC%20%22%25")
                    found = [headers[f"ce-{name}"] for name in ("specversion", "id", "source", "type")]
                    self.assertEqual(found, ["1.0", "0:0", "/replay/plain", "replay.event"])
                    self.assertEqual(headers["Content-Type"], "application/json")
                    continue
                self.assertIn(payloads[0].encode(), first.body)
                event = json.loads(first.body)
                self.assertEqual(isinstance(event, list), form == "batched")
                event = event[0] if form == "batched" else event
                self.assertEqual(event, {
                    "specversion": "1.0", "id": "0:0", "source": "/replay/plain", "type": "replay.event",
                    "partitionkey": "ü \"%", "datacontenttype": "application/json", "data": json.loads(payloads[0])})
                self.assertEqual(len(service.requests), 1 if form == "batched" else 2)

    def test_a_cloudevent_is_sent_byte_by_byte(self):
        archive = os.path.join(self.place, "bytes")
        payloads = [f'{{"id":"{number}", "specversion":"1.0","source":"/s",  "type":"t","k":"a","data":1.50}}'
                    for number in range(3)]
        self.write(archive, payloads)
        with Service(lambda _: good()) as service:
            self.assertEqual(self.run_small(service.address, "--http-form", "structured", archive=archive, key="k").returncode, 0)
            self.assertEqual([request.body.decode() for request in service.requests], payloads)
            self.assertEqual(self.run_small(service.address, "--http-form", "batched", archive=archive, key="k").returncode, 0)
        last = service.requests[-1]
        self.assertEqual(last.body.decode(), "[" + ",".join(payloads) + "]")
        self.assertEqual(last.headers["Content-Type"], "application/cloudevents-batch+json")
        self.assertNotIn("replay-position", last.headers)


class Invoke(Case):
    def events(self, request):
        return [json.loads(base64.b64decode(record["kinesis"]["data"]))["n"] for record in json.loads(request.body)["Records"]]

    def stops_before(self, done, position):
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn(f"position {position} of partition plain/0", done.stderr)
        self.assertIn(f"effect: {position} events of this run are committed, partition plain/0 through position "
                      f"{position - 1}", done.stderr)

    def test_failures_stop_at_their_event(self):
        error = json.dumps({"errorMessage": "no", "errorType": "ValueError", "stackTrace": ["  File app.py"]}).encode()
        # With the header that AWS sends, and without it, as the emulator does; and where its process has ended.
        for name, failed in (("aws", (200, {"X-Amz-Function-Error": "Unhandled"}, error)), ("emulator", good(error)),
                             ("ended", good(b"")), ("timeout", good(b"Task timed out after 3.00 seconds")),
                             ("busy", (500, {}, b"ServiceException")), ("large", (413, {}, b"too large"))):
            with self.subTest(name), Service(lambda r: failed if 7 in self.events(r) else good(b"null")) as service:
                self.stops_before(done := self.run_small(service.invoke), 7)
                if name in ("aws", "emulator"):
                    self.assertIn("ValueError: no", done.stderr)

    def test_batch_item_failures_name_the_event(self):
        def answer(request):
            items = [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}
                     for record, number in zip(json.loads(request.body)["Records"], self.events(request)) if number >= 5]
            return good(json.dumps({"batchItemFailures": items}).encode())
        with Service(answer) as service:
            self.stops_before(self.run_small(service.invoke), 5)
        for request in service.requests:
            context = json.loads(base64.b64decode(request.headers["X-Amz-Client-Context"]))
            self.assertEqual(context["custom"], {
                "replay_phase": "replay", "replay_run": request.headers["replay-run"],
                "replay_attempt": request.headers["replay-attempt"]})

    def test_throttling_is_no_attempt(self):
        turns = iter(range(10_000))
        def answer(request):
            return good(b"{}") if next(turns) % 3 == 2 else (429, {}, b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}')
        with Service(answer) as service:
            done = self.run_small(service.invoke, "--batch-size", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(service.requests), 9)
        self.assertEqual({request.headers["replay-attempt"] for request in service.requests}, {"1"})

    def test_a_function_that_is_not_there(self):
        for status, code in ((404, 69), (403, 77)):
            with self.subTest(status), Service(lambda _: (status, {}, b'{"Message":"no"}')) as service:
                done = self.run_small(service.invoke)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(len(service.requests), 1)

    def test_requests_are_signed(self):
        with Service(lambda _: good(b"null")) as service:
            done = self.run_small(service.invoke + "?Qualifier=live", "--aws-sigv4", "eu-west-1", env=SECRETS)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = self.run_small(service.invoke, "--aws-sigv4", "eu-west-1",
                                  env={name: SECRETS[name] for name in list(SECRETS)[:2]})
            self.assertEqual(done.returncode, 0, done.stderr)
            large = os.path.join(self.place, "large")
            self.write(large, [{"n": 0, "key": "k", "v": "x" * 2_000_000}])
            done = self.run_small(service.invoke, "--aws-sigv4", "eu-west-1", archive=large, env=SECRETS)
            self.assertEqual(done.returncode, 0, done.stderr)
            none = os.path.join(self.place, "none")
            self.write(none, ['{"specversion":"1.0","id":"a b","source":"/s","type":"t","key":"ü %"}'])
            done = self.run_small(service.address, "--aws-sigv4", "eu-west-1", archive=none, env=SECRETS)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(service.requests), 4)
        for request in service.requests:
            claims, scope, names, expected = signature(request, SECRETS["AWS_SECRET_ACCESS_KEY"])
            self.assertEqual(scope[1:], ["eu-west-1", "lambda", "aws4_request"])
            self.assertEqual(claims["Signature"], expected)
            self.assertLessEqual({"host", "x-amz-date"}, set(names))
        self.assertEqual([request.headers["X-Amz-Security-Token"] for request in service.requests],
                         ["tokenvalue==", None, "tokenvalue==", "tokenvalue=="])

    def test_no_secret_is_shown(self):
        def answer(request):
            # As AWS does it where a signature does not fit: it repeats what should have been signed.
            return 403, {}, ("x-amz-security-token:" + request.headers["X-Amz-Security-Token"]).encode()
        with Service(answer) as service:
            report = os.path.join(self.place, "report.json")
            done = self.run_small(service.invoke, "--aws-sigv4", "eu-west-1", "--report", report, env=SECRETS)
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertIn("(hidden)", done.stderr)
        shown = done.stderr + done.stdout
        if os.path.exists(report):
            with open(report) as file:
                shown += file.read()
        for secret in (SECRETS["AWS_SECRET_ACCESS_KEY"], SECRETS["AWS_SESSION_TOKEN"]):
            self.assertNotIn(secret, shown)

    def test_a_header_of_ones_own(self):
        with Service(lambda request: (400, {}, request.headers["Authorization"].encode())) as service:
            done = self.run_small(service.address, "--http-header", "Authorization=@env:TOKEN", env={"TOKEN": "Bearer geheim"})
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertEqual(service.requests[0].headers["Authorization"], "Bearer geheim")
        self.assertIn("(hidden)", done.stderr)
        self.assertNotIn("geheim", done.stderr)

    def test_what_does_not_go_together(self):
        invoke = "http://127.0.0.1:9/2015-03-31/functions/f/invocations"
        for address, more, said in (
                (invoke, ["--aws-sigv4", "eu-west-1"], "no credentials"), (invoke, ["--http-form", "binary"], "no CloudEvents"),
                ("https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/f/invocations", [], "no credentials"),
                ("http://me:geheim@127.0.0.1:9/", [], "name or password"), (invoke, ["--isolate", "network"], "process of its own")):
            with self.subTest(said):
                done = self.run_small(address, *more)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertIn(said, done.stderr)
                self.assertNotIn("geheim", done.stderr)


class Stopping(Case):
    def start(self, address, store, *more):
        return subprocess.Popen([TOOL, "--archive", self.archive, "--function", address, "--tables", TABLES, "--workers", "2",
                                 "--store", store, *map(str, more)], env=clean(), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def test_a_call_that_hangs_ends_with_the_run(self):
        reached, done = threading.Event(), threading.Event()
        def answer(_):
            reached.set()
            done.wait(30)
        with Service(answer) as service:
            process = self.start(service.address, self.store(), "--batch-size", 1)
            try:
                self.assertTrue(reached.wait(20))
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                said = process.communicate(timeout=20)[1]
            finally:
                done.set()
                process.kill()
                process.communicate()
        self.assertEqual(process.returncode, 143, said)
        self.assertLess(time.monotonic() - began, 4)

    def test_killed_runs_resume_to_the_same_rows(self):
        for form in ("binary", "batched", "invoke"):
            with self.subTest(form):
                store, kills = self.store(), 0
                calls, limit = [0], [40]
                process = None
                lock = threading.Lock()
                def answer(request):
                    with lock:
                        calls[0] += 1
                        if process is not None and calls[0] == limit[0]:
                            process.kill()
                    if form == "binary":
                        return answer_binary(request)
                    if form == "invoke":
                        return answer_invoke(request)
                    return good(json.dumps(fold(json.loads(request.body, parse_float=Decimal))).encode())
                with Service(answer) as service:
                    more = [] if form == "invoke" else ["--http-form", form]
                    while True:
                        calls[0], limit[0] = 0, (20 if form == "binary" else 2) + 7 * kills
                        process = self.start(service.invoke if form == "invoke" else service.address, store,
                                             "--commit-interval", 0.01, "--batch-size", 10, *more)
                        said = process.communicate(timeout=60)[1]
                        if process.returncode == 0:
                            break
                        self.assertEqual(process.returncode, -signal.SIGKILL, said)
                        kills += 1
                self.assertGreater(kills, 3)
                self.assertEqual(rows(store), self.expected)


if __name__ == "__main__":
    unittest.main()
