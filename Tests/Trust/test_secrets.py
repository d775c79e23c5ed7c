"""A canary in every place where a secret may be given, and a search for it in everything that others can read."""
import glob, json, os, shlex, shutil, signal, subprocess, sys, time, unittest, urllib.request, uuid

from case import Case
from http_services import Service, good
from postgres_server import BIN, SECRET, Server
from streams import DirectoryStream, KafkaStream
from support import ROOT, TOOL, replay
from test_found import sold

MOCK = os.path.join(ROOT, ".build", "debug", "kafka-mock")
WORKER = "import sys, time\nfor line in sys.stdin:\n    time.sleep(0.3)\n    print('{}', flush=True)"


def canary():
    return "canary-" + uuid.uuid4().hex


def children(pid):
    """Of all generations."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        parents.setdefault(int(text.rsplit(") ", 1)[1].split()[1]), []).append(int(path.split("/")[2]))
    found, left = [], [pid]
    while left:
        own = parents.get(left.pop(), [])
        found += own
        left += own
    return found


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""  # it has ended


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.lines = [sold(f"s{n}", key=f"k{n}").strip() for n in range(12)]
        self.put("topics/t/partition=0/t+0+0.json", "".join(line + "\n" for line in self.lines))
        self.seen = {}

    def see(self, name, data):
        self.seen[name] = self.seen.get(name, b"") + (data if isinstance(data, bytes) else data.encode())

    def see_done(self, name, done):
        self.see(name + ", standard output", done.stdout)
        self.see(name + ", standard error", done.stderr)

    def see_files(self):
        """All that was made below this test's directory: stores, reports, plans."""
        for folder, _, names in os.walk(self.home):
            for name in names:
                if not name.startswith("secret"):
                    self.see(name, read(os.path.join(folder, name)))

    def nowhere(self, *secrets):
        self.assertGreater(len(self.seen), 3)
        for secret in secrets:
            for name, data in self.seen.items():
                self.assertNotIn(secret.encode(), data, f"a secret in: {name}")

    def watched(self, arguments, env, words=()):
        """Runs to the end with a slow worker beside; meanwhile asks the run, and looks at what every user can look at."""
        command = [TOOL, *arguments, "--listen", "127.0.0.1:0", "--json", "-v", "--report", self.path("report.json")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(self.path("stderr"), "wb"),
                                   env={**os.environ, **env})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        address, workers = None, 0
        for line in process.stdout:
            self.see("standard output", line)
            event = json.loads(line)
            address = address or event.get("address")
            if address is None:
                continue
            for _ in range(10):
                for path in glob.glob("/proc/[0-9]*/cmdline"):
                    self.see("command lines", read(path))
                for child in children(process.pid):
                    if os.path.realpath(f"/proc/{child}/exe") != os.path.realpath(TOOL):  # a fork of the run itself
                        environment = read(f"/proc/{child}/environ")
                        workers += b"REPLAY_PHASE" in environment
                        self.see("a worker's environment", environment)
                for question in ("/", "/status", "/metrics", "/readyz"):
                    try:
                        with urllib.request.urlopen(f"http://{address}{question}", timeout=5) as answer:
                            self.see("status endpoint", answer.read())
                    except (OSError, urllib.error.HTTPError):
                        pass
                time.sleep(0.05)
            break
        self.see("standard output", process.stdout.read())
        process.wait(60)
        self.see("standard error", read(self.path("stderr")))
        for word in words:
            self.assertIn(word.encode(), self.seen["standard error"])
        self.assertGreater(workers, 0, "no worker was seen")
        return process.returncode

    def functions(self):
        return ["--function", "shade-velocity", "--function", f"exec:{sys.executable} -c {shlex.quote(WORKER)}", "--contract",
                "writes-itself", "--workers", "1", "--batch-size", "1"]

    def test_a_password_of_postgresql(self):
        server = Server(durable=False)
        self.addCleanup(server.close)
        stream = DirectoryStream(self.path("t"))
        stream.create(1)
        stream.append(0, [line.encode() for line in self.lines])
        file = self.put("secret-pgpass", f"127.0.0.1:{server.port}:app:replay:{SECRET}\n", below=self.home)
        os.chmod(file, 0o600)
        for schema, env in (("one", {"PGPASSWORD": SECRET}), ("two", {"PGPASSFILE": file})):
            server.sql(f"CREATE SCHEMA {schema}")
            store = server.over_tcp(schema)
            arguments = ["--archive", self.archive, *self.functions(), "--store", store, "--live", stream.address,
                         "--until-caught-up", "--handoff-report", self.path("handoff.json")]
            self.assertEqual(self.watched(arguments, env), 0, self.seen["standard error"])
            plan = self.path("plan.json")
            for verb in (["status", "--store", store], ["status", "--json", "--store", store],
                         ["failed", "list", "--store", store], ["wait", "--store", store, "--position", "0:3"],
                         ["plan", "--archive", self.archive, "--function", "event-counts", "--store", store, "--out", plan],
                         ["apply", plan]):
                done = replay(*verb, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.see_done(verb[0], done)
            dump = subprocess.run([f"{BIN}/pg_dump", "-h", server.home, "-p", str(server.port), "-U", "replay", "-n", schema,
                                   "app"], capture_output=True, check=True)
            self.assertIn(b"_replay_functions", dump.stdout)
            self.see("the schema", dump.stdout)
        wrong = canary()
        for env in ({"PGPASSWORD": wrong}, {"PGOPTIONS": f"-c search_path={wrong}", "PGPASSWORD": wrong}):
            done = replay("status", "--store", server.over_tcp("one"), env=env)
            self.assertEqual(done.returncode, 77, done.stderr)
            self.see_done("refused", done)
        self.see_files()
        self.nowhere(SECRET, wrong)

    def test_a_secret_of_kafka(self):
        """Also where librdkafka is asked to say everything."""
        stream = KafkaStream(MOCK, "t")
        self.addCleanup(stream.close)
        stream.create(1)
        stream.append(0, [line.encode() for line in self.lines])
        secrets = {"sasl.password": canary(), "ssl.key.password": canary(), "ssl.keystore.password": canary()}
        env, options = {}, []
        for number, (option, secret) in enumerate(secrets.items()):
            if number == 0:
                options += ["-X", f"{option}=@file:{self.put('secret', secret + chr(10), below=self.home)}"]
            else:
                env[f"SECRET_{number}"] = secret
                options += ["-X", f"{option}=@env:SECRET_{number}"]
        live = ["--live", stream.address, *options, "-X", "debug=all"]
        arguments = ["--archive", self.archive, *self.functions(), "--store", self.store, *live, "--until-caught-up"]
        self.assertEqual(self.watched(arguments, env), 0, self.seen["standard error"])
        plan = ["plan", "--archive", self.archive, "--function", "event-counts", "--store", self.store + "2", *live]
        for verb in (["status", "--store", self.store], [*plan, "--out", self.path("plan.json")],
                     ["handoff", "--store", self.store, "--function", "shade-velocity", "--to", "print", *live]):
            done = replay(*verb, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.see_done(verb[0], done)
        # A broker that is not there, and a login that it is asked for.
        done = replay(*plan[:-2], "-X", "security.protocol=sasl_plaintext", "-X", "sasl.mechanism=PLAIN", "-X",
                      "sasl.username=me", env=env, timeout=180)
        self.assertNotEqual(done.returncode, 0)
        self.see_done("refused", done)
        self.see_files()
        self.nowhere(*secrets.values())

    def test_secrets_of_services(self):
        """A header, AWS's keys and the query of an address, which the service repeats in its error."""
        secrets = {name: canary() for name in ("header", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "query")}
        env = {"HEADER": f"Bearer {secrets['header']}", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
               **{name: secrets[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}}

        def repeat(request):
            headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
            return good() if b'"s3"' not in request.body else (500, {}, f"{headers}".encode())

        with Service(repeat) as service:
            run = ["--archive", self.archive, "--function", f"{service.address}fold?code={secrets['query']}", "--contract",
                   "writes-itself", "--http-header", "Authorization=@env:HEADER", "--aws-sigv4", "eu-west-1"]
            report = self.path("report.json")
            for more, code in ((["--json", "-v"], 65), (["--on-error", "dead-letter", "-v"], 3)):
                done = replay(*run, "--store", self.store, "--report", report, *more, env=env)
                self.assertEqual(done.returncode, code, done.stderr)
                self.see_done("run", done)
                self.see("report", read(report))
            self.assertIn("fold?code=" + secrets["query"], service.requests[0].path)
            for verb in (["status", "--store", self.store], ["failed", "list", "--json", "--store", self.store],
                         ["failed", "show", "--store", self.store]):
                done = replay(*verb, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.see_done(verb[0], done)
            self.assertIn("/fold?…", self.seen["status, standard error"].decode())
            plan = replay("plan", *run, "--store", self.store + "2", "--out", self.path("plan.json"), env=env)
            self.assertEqual(plan.returncode, 64, plan.stderr)
            self.see_done("plan", plan)
        done = replay(*run, "--store", self.store + "2", "--function-start-timeout", 1, env=env)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.see_done("nobody there", done)
        self.see_files()
        self.nowhere(*secrets.values())

    def test_what_workers_are_given(self):
        """Neither the run's environment nor its files, but what is named; and that is in no command line and no report."""
        secrets = {name: canary() for name in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "PGPASSWORD", "MY_TOKEN")}
        arguments = ["--archive", self.archive, *self.functions(), "--store", self.store]
        self.assertEqual(self.watched(arguments, secrets), 0, self.seen["standard error"])
        self.see_files()
        self.nowhere(*secrets.values())
        self.seen = {}
        arguments = arguments[:-1] + [self.path("named.db"), "--function-env", "MY_TOKEN"]
        self.assertEqual(self.watched(arguments, secrets), 0, self.seen["standard error"])
        self.assertIn(secrets["MY_TOKEN"].encode(), self.seen.pop("a worker's environment"))
        self.see_files()
        self.nowhere(*secrets.values())


if __name__ == "__main__":
    unittest.main()
