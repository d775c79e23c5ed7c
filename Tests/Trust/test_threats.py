"""What somebody who writes files, answers or questions could try (docs/security.md). Secrets: `test_secrets.py`."""
import gzip, http.client, json, os, random, re, shlex, signal, socket, subprocess, sys, time, unittest

from case import Case
from streams import DirectoryStream
from support import TOOL, replay
from test_found import sold

STEERING = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f]")
EVIL = "a\x1b]0;owned\x07\x1b[2J\r\x7f\x9b2J\nreplay: done"
TABLES = {"function": "f", "contract": "changes", "tables": {"counts": {"key": {"k": "text"}, "merge": {"n": "sum"}}}}


class Names(Case):
    def is_clean(self, *arguments, code=None, **options):
        done = replay(*arguments, **options)
        for text in (done.stdout, done.stderr):
            self.assertIsNone(STEERING.search(text), repr(text))
            self.assertNotRegex(text, "(?m)^replay: done[.]json", "a name passes for a line")
        if code is not None:
            self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_files_name_steers_no_terminal_and_passes_for_no_line(self):
        name = f"{EVIL}.json"
        self.put(name, sold("red"))
        run = ["--archive", self.archive, "--function", "shade-velocity", "--store", self.store]
        plan = self.path("plan.json")
        self.is_clean("plan", *run, "-v", "--out", plan, code=0)
        self.put(name, sold("red") + sold("bad", "1.001"))
        self.is_clean("apply", plan, code=65)
        done = self.is_clean(*run, code=65)
        self.assertIn("a\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{d}\\u{7f}\\u{9b}2J\\u{a}replay: done.json, record 2", done.stderr)
        for verb in (["plan", "-v"], ["run", "-v"], ["run", "--json"], ["run", "--report", "-"],
                     ["run", "--on-error", "dead-letter", "--full-refresh"]):
            self.is_clean(verb[0], *run, *verb[1:])
        for verb in (["check", "-v"], ["check", "--json"]):
            self.is_clean(*verb, "--archive", self.archive)
        for verb in (["status"], ["status", "--json"], ["failed", "list"], ["failed", "list", "--json"], ["failed", "show"]):
            self.is_clean(*verb, "--store", self.store)
        os.rename(os.path.join(self.archive, name), os.path.join(self.archive, "x" + name))
        self.is_clean(*run, code=65)
        self.is_clean("apply", plan, code=65)
        for form in ("\x1b[2J", EVIL):
            self.is_clean("check", "--archive", self.path(form), code=66)

    def test_names_that_a_shell_or_sql_would_misread_are_names(self):
        names = ["a'b.json", 'a"b.json', "$(touch owned).json", "`touch owned`.json", "a; DROP TABLE shade_velocity;--.json",
                 "a..json", "a b/c../d.json", "-rf.json", "%s%n.json", "x" * 250 + ".json", "ü\u202e.json", "\\.json"]
        for number, name in enumerate(names):
            self.put(name, sold(f"s{number}"))
        beside = set(os.listdir(self.home)) | {"t.db", "report.json"}
        self.run_tool("--report", self.path("report.json"), env={"PWD": self.home})
        self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(len(names), 1)])
        self.assertEqual(self.rows("SELECT count(*) FROM _replay_segments"), [(len(names),)])
        self.assertIn("nothing to do", self.run_tool().stderr)
        self.assertLessEqual(set(os.listdir(self.home)) - {"t.db-wal", "t.db-shm"}, beside)
        self.assertFalse(os.path.exists("owned"))

    def test_topics_and_partitions_with_hostile_names(self):
        topic = "t'); DROP TABLE shade_velocity;--\x1b[2J"
        self.put(f"topics/{topic}/partition=0/{topic}+0+0.json", sold("red"))
        self.is_clean("--archive", self.archive, "--function", "shade-velocity", "--store", self.store, code=0)
        self.assertEqual(self.rows(), [("red", 1)])
        self.assertEqual(self.rows("SELECT log FROM _replay_positions"), [(topic,)])
        self.is_clean("status", "--store", self.store, code=0)
        stream = self.path("s")
        partition = "0'; DROP TABLE x;--\x1b[2J"
        self.put(f"partition={partition}/{'0' * 20}.jsonl", sold("red") * 2, below=stream)
        self.store = self.path("live.db")
        self.is_clean("--archive", self.archive, "--function", "shade-velocity", "--store", self.store, "--live",
                      f"dir:{stream}", "--until-caught-up")

    def test_a_name_that_is_no_utf_8_is_refused(self):
        os.makedirs(self.archive)
        with open(os.path.join(os.fsencode(self.archive), b"a\xff\x1b[2J.json"), "w") as file:
            file.write(sold("red"))
        self.assertIn("not UTF-8", self.run_tool(code=65).stderr)

    def test_no_nul_in_a_list_of_files(self):
        """The system would end the name there and open another file."""
        inside = self.put("a.json", sold("red"))
        done = replay("--files-from", "-", "--function", "shade-velocity", "--store", self.store, stdin=f"{inside}\0b.json\n")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("NUL", done.stderr)
        self.assertFalse(os.path.exists(self.store))

    def test_tables_columns_views_and_functions_with_hostile_names(self):
        """Declared in a file: refused before anything is made, by a rule of letters, digits and underscores."""
        self.put("a.json", sold("red"))
        chance = random.Random(11)
        bad = ['a"b', "a'b", "a;b", "a b", "a-b", "1a", "", "ä", "a\0b", "a\nb", "\x1b[2J", "..", "a.b", "x" * 64, "sqlite_x",
               "_replay_functions", '"; DROP TABLE x;--', "a/*", "a--", "excluded"]
        bad += ["a" + chance.choice("\"';()[]`$% -.,/\\\0\t\r") + "b" for _ in range(10)]
        program = f"exec:{sys.executable} -c " + shlex.quote("import sys\nfor line in sys.stdin: print('{}', flush=True)")
        for name in bad:
            for place in ("table", "key", "column", "view"):
                declared = {"function": "f", "contract": "changes", "tables": {
                    name if place == "table" else "t": {"key": {name if place == "key" else "k": "text"},
                                                        "merge": {name if place == "column" else "n": "sum"}}}}
                if place == "view":
                    declared["views"] = {name: "SELECT 1"}
                tables = self.put("tables.json", json.dumps(declared), below=self.home)
                with self.subTest(name=name, place=place):
                    done = self.is_clean("--archive", self.archive, "--function", program, "--tables", tables, "--key",
                                         "partitionkey", "--store", self.store, code=64)
                    self.assertIn("next:", done.stderr)
                    self.assertFalse(os.path.exists(self.store) and self.rows("SELECT 1 FROM sqlite_master"))
        for name in ("a\0b", "a\nb", "\x1b[2J", "\x9b"):
            tables = self.put("tables.json", json.dumps({**TABLES, "function": name}), below=self.home)
            self.is_clean("--archive", self.archive, "--function", program, "--tables", tables, "--store", self.store, code=64)
        # What is no control character is a name like others: it is a value in the store, never SQL.
        tables = self.put("tables.json", json.dumps({**TABLES, "function": "f'; DROP TABLE counts;--"}), below=self.home)
        self.run_tool("--tables", tables, function=program)
        self.assertEqual(self.rows("SELECT function FROM _replay_functions"), [("f'; DROP TABLE counts;--",)])


class Answers(Case):
    def test_what_a_function_answers_is_data_and_steers_nothing(self):
        self.put("a.json", sold("red"))
        tables = self.put("tables.json", json.dumps(TABLES), below=self.home)
        rows = [{"table": 'counts"; DROP TABLE counts;--', "row": {}}, {"table": EVIL, "row": {}},
                {"table": "_replay_functions", "row": {}}, {"table": "counts", "row": {"k": "a", 'n"=1;--': 1}},
                {"table": "counts", "row": {"k": "a", EVIL: 1}},
                {"table": "counts", "row": {"k": EVIL, "n": EVIL}}, {"table": "counts", "row": {"k": ["a"], "n": 1}},
                {"table": "counts", "row": {"k": "a", "n": 10 ** 40}}]
        answers = [json.dumps({"merges": [row]}) for row in rows]
        answers += ["[" * 100_000, '{"merges":' * 5_000, "\x1b[2J", json.dumps({EVIL: []}), '{"merges":[],"merges":[]}']
        for answer in answers:
            with self.subTest(answer[:60]):
                path = self.put("answer", answer, below=self.home)
                program = f"import sys\nfor line in sys.stdin: print(open({path!r}).read(), flush=True)"
                done = self.run_tool("--tables", tables, "--workers", 1, "--full-refresh", code=65,
                                     function=f"exec:{sys.executable} -c {shlex.quote(program)}")
                self.assertIsNone(STEERING.search(done.stderr), repr(done.stderr))
                self.assertEqual(self.rows("SELECT * FROM counts"), [])
        good = self.put("answer", json.dumps({"merges": [{"table": "counts", "row": {"k": "'; DROP TABLE counts;--", "n": 1}}]}),
                        below=self.home)
        program = f"import sys\nfor line in sys.stdin: print(open({good!r}).read(), flush=True)"
        self.run_tool("--tables", tables, "--full-refresh", function=f"exec:{sys.executable} -c {shlex.quote(program)}")
        self.assertEqual(self.rows("SELECT * FROM counts"), [("'; DROP TABLE counts;--", 1)])

    def test_what_a_worker_says_of_its_death_steers_nothing(self):
        self.put("a.json", sold("red"))
        program = f"import sys\nsys.stderr.write({EVIL!r})\nsys.exit(3)"
        done = self.run_tool("--contract", "writes-itself", "--workers", 1, code=65,
                             function=f"exec:{sys.executable} -c {shlex.quote(program)}")
        self.assertIsNone(STEERING.search(done.stderr), repr(done.stderr))

    def test_event_data_steers_nothing(self):
        """Control characters that JSON holds as they are (DEL and those above ASCII), and those that it escapes."""
        bad = sold("red", '"\\u001b[2J\x7f\x9b"')
        self.put("a.json", sold("blue", key="k\x9b") + bad)
        done = self.run_tool("--on-error", "dead-letter", code=3)
        self.assertIsNone(STEERING.search(done.stderr), repr(done.stderr))
        for verb in (["failed", "list"], ["failed", "list", "--json"], ["failed", "show", "--json"]):
            done = replay(*verb, "--store", self.store)
            self.assertIsNone(STEERING.search(done.stdout + done.stderr), repr(done.stdout + done.stderr))
        checked = replay("check", "--archive", self.archive, "-v")
        self.assertIsNone(STEERING.search(checked.stdout + checked.stderr), repr(checked.stderr))

    def test_sql_of_a_file_reaches_no_other_file_and_none_of_our_tables(self):
        self.put("a.json", sold("red"))
        head = "-- @function f\n-- @event id text id\nCREATE TABLE t (id TEXT PRIMARY KEY);\n"
        owned = self.path("owned")
        for statement in (f"ATTACH '{owned}' AS o;", f"VACUUM INTO '{owned}';", "DETACH main;",
                          "INSERT INTO t SELECT load_extension('/tmp/x') FROM events;",
                          f"INSERT INTO t SELECT writefile('{owned}', 'x') FROM events;",
                          "INSERT INTO t SELECT readfile('/etc/passwd') FROM events;",
                          "UPDATE _replay_functions SET fence = 0;", "DROP TABLE t;", "PRAGMA writable_schema = 1;",
                          "INSERT INTO t SELECT fence FROM _replay_functions;",
                          "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM _replay_functions; END;"):
            with self.subTest(statement):
                path = self.put("f.sql", head + statement + "\n", below=self.home)
                self.run_tool(function=path, code=64)
                self.assertFalse(os.path.exists(owned))


class Plans(Case):
    def setUp(self):
        super().setUp()
        self.put("topics/t/partition=0/t+0+0.json", sold("red"))
        self.outside = self.put("secret.json", sold("outside"), below=self.home)
        self.plan = self.path("plan.json")
        done = replay("plan", "--archive", self.archive, "--function", "shade-velocity", "--store", self.store, "--out", self.plan)
        self.assertEqual(done.returncode, 0, done.stderr)

    def apply(self, code, **changed):
        """Applies the plan with these members; the paths that were opened."""
        with open(self.plan) as file:
            plan = {**json.load(file), **changed}
        other, trace = self.put("other.json", json.dumps(plan), below=self.home), self.path("trace")
        done = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=open,openat,execve", TOOL, "apply", other],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIsNone(STEERING.search(done.stdout + done.stderr), repr(done.stderr))
        with open(trace) as file:
            return file.read()

    def test_a_plan_that_names_files_elsewhere_opens_none_of_them(self):
        with open(self.plan) as file:
            lines = json.load(file)["fingerprint"]
        rest = lines[1][lines[1].index("\t"):]
        for name in (self.outside, "../secret.json", "topics/../../secret.json", "a\0b", "\x1b[2J", "x" * 10_000):
            with self.subTest(name[:30]):
                opened = self.apply(65, fingerprint=[lines[0], name + rest])
                self.assertNotIn("secret.json", opened)
                self.assertFalse(os.path.exists(self.store))

    def test_a_nul_in_a_plan_is_refused(self):
        """What is shown would not be what is opened."""
        with open(self.plan) as file:
            arguments = json.load(file)["arguments"]
        for old, new in ((self.archive, self.archive + "\0/elsewhere"), (self.store, self.store + "\0x")):
            opened = self.apply(64, arguments=[argument.replace(old, new) for argument in arguments])
            self.assertNotIn("t+0+0.json", opened)
            self.assertFalse(os.path.exists(self.store))

    def test_a_changed_plan_starts_no_program(self):
        with open(self.plan) as file:
            arguments = json.load(file)["arguments"]
        owned = self.path("owned")
        for function in (f"exec:touch {owned}", f"lambda:exec:touch {owned}", "http://127.0.0.1:9/x?code=secret"):
            changed = [function.join(a.split("shade-velocity")) for a in arguments]
            opened = self.apply(64, arguments=[*changed, "--contract=writes-itself"])
            self.assertEqual(opened.count("execve("), 1, "more than the tool itself")
            self.assertFalse(os.path.exists(owned))
            # Nor is such a plan made: it would lack the function's flags.
            done = replay("plan", "--archive", self.archive, "--function", function, "--contract", "writes-itself", "--store",
                          self.store, "--out", self.path("other.json"))
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertNotIn("code=secret", done.stdout + done.stderr)

    def test_what_is_no_plan_is_refused(self):
        self.apply(64, arguments=["status", "--store", self.store])
        self.apply(64, arguments=["--help"])
        self.apply(64, replay_plan_format=99)
        self.apply(64, fingerprint=7)
        for text in ("", "{", "[" * 100_000, "null", "\x1b[2J", '{"arguments":[1]}', "\0" * 100, b"\xff\xfe"):
            path = self.put("bad.json", text, below=self.home)
            done = replay("apply", path)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("no plan", done.stderr)


class Files(Case):
    def test_links_and_directories_with_a_segments_name_are_no_segments(self):
        outside = self.put("outside.json", sold("outside"), below=self.home)
        inside = "topics/t/partition=0/t+0+%d.json"
        self.put(inside % 0, sold("red"))
        os.symlink(outside, os.path.join(self.archive, inside % 1))
        os.symlink(self.home, os.path.join(self.archive, "topics/up"))
        os.makedirs(os.path.join(self.archive, inside % 2))
        self.run_tool()
        self.assertEqual(self.rows(), [("red", 1)])
        self.run_tool("--follow-symlinks", "--full-refresh", code=65)  # it leads back to itself
        os.remove(os.path.join(self.archive, "topics/up"))
        self.run_tool("--follow-symlinks", "--full-refresh")
        self.assertEqual(self.rows(), [("outside", 1), ("red", 1)])

    def test_a_fifo_a_socket_and_a_device_are_refused_at_once(self):
        path = self.put("a-1.json", sold("red")).replace("a-1", "a-2")
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        makers = [lambda: os.mkfifo(path), lambda: server.bind(path)]
        if os.getuid() == 0:
            makers.append(lambda: os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5)))  # zeros without end
        for make in makers:
            make()
            for verb in (["--function", "shade-velocity", "--store", self.store], None):
                done = (replay("--archive", self.archive, *verb, timeout=10) if verb
                        else replay("check", "--archive", self.archive, timeout=10))
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn("no regular file", done.stderr)
            os.remove(path)

    def test_a_file_that_changes_while_the_run_reads_others_is_an_error(self):
        """A run that was stopped between its listing and a file's turn finds another file there."""
        for number in range(40):
            self.put(f"topics/t/partition=0/t+0+{number * 1000}.json",
                     "".join(sold(f"s{n}") for n in range(number * 1000, number * 1000 + 1000)))
        last = os.path.join(self.archive, "topics/t/partition=0/t+0+39000.json")
        with open(last) as file:
            other = file.read().replace('"s39999"', '"t39999"')
        for change in ("rewritten", "link"):
            with self.subTest(change):
                self.store = self.path(change + ".db")
                process = subprocess.Popen([TOOL, "--archive", self.archive, "--function", "shade-velocity", "--store",
                                            self.store, "--lanes", "1", "--commit-events", "1", "--block-bytes", "4096"],
                                           stderr=subprocess.PIPE, text=True)
                while not os.path.exists(self.store):
                    time.sleep(0.001)
                process.send_signal(signal.SIGSTOP)
                if change == "link":
                    os.rename(last, last + ".tmp")
                    os.symlink(last + ".tmp", last)
                else:
                    with open(last, "w") as file:
                        file.write(other)
                process.send_signal(signal.SIGCONT)
                _, said = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 65, said)
                self.assertIn("t+0+39000.json", said)
                self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(39_000, 1)])

    def test_what_is_made_has_the_modes_that_the_umask_says(self):
        self.put("topics/t/partition=0/t+0+0.json", sold("red"))
        stream = DirectoryStream(self.path("t"))
        stream.create(1)
        stream.append(0, [sold("red").strip().encode()] * 2)
        for mask, wanted in ((0o022, 0o644), (0o077, 0o600), (0o027, 0o640)):
            home = self.path(f"{mask:o}")
            os.makedirs(home)
            made = {name: os.path.join(home, name) for name in ("t.db", "report", "plan", "handoff", "bench")}
            run = ["--archive", self.archive, "--function", "shade-velocity"]
            kept = os.umask(mask)
            try:
                for arguments in ([*run, "--store", made["t.db"], "--report", made["report"], "--live", stream.address,
                                   "--until-caught-up", "--handoff-report", made["handoff"]],
                                  ["plan", *run, "--store", made["t.db"] + "2", "--out", made["plan"]],
                                  ["bench", *run, "--runs", "1", "--warmup", "0", "--export", "json", "--out", made["bench"]]):
                    done = replay(*arguments)
                    self.assertEqual(done.returncode, 0, done.stderr)
                done = replay("append", "dir:" + os.path.join(home, "stream"), "--partition", "0", stdin="{}\n")
                self.assertEqual(done.returncode, 0, done.stderr)
            finally:
                os.umask(kept)
            for path in made.values():
                self.assertEqual(f"{os.stat(path).st_mode & 0o777:o}", f"{wanted:o}", path)
            for folder, _, names in os.walk(os.path.join(home, "stream")):
                for name in names:
                    mode = os.stat(os.path.join(folder, name)).st_mode & 0o777
                    self.assertEqual(f"{mode:o}", f"{0o640 & ~mask:o}", name)

    def test_a_link_where_a_report_is_prepared_is_not_followed(self):
        """A report is written beside its place and renamed into it: in a directory of many users, somebody could wait there."""
        self.put("a.json", sold("red"))
        victim = self.put("victim", "precious", below=self.home)
        report = self.path("report.json")
        os.symlink(victim, report + ".part")
        self.run_tool("--report", report)
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")
        with open(report) as file:
            self.assertEqual(json.load(file)["outcome"], "finished")
        self.assertFalse(os.path.islink(report))
        # What a killed run left there is in nobody's way.
        self.put("report.json.part", "half", below=self.home)
        self.run_tool("--report", report, "--full-refresh")
        with open(report) as file:
            self.assertEqual(json.load(file)["outcome"], "finished")


class Questions(Case):
    """The tool's own endpoint; `ListenerTests.swift` asks the room behind it, with many more."""

    def test_strangers_get_no_answer_and_disturb_no_run(self):
        secret = "canary-payload-71"
        lines = [sold(f"{secret}-{n}", key=f"{secret}-key-{n}").strip() for n in range(50)]
        self.put("topics/t/partition=0/t+0+0.json", "".join(line + "\n" for line in lines))
        stream = DirectoryStream(self.path("t"))
        stream.create(1)
        stream.append(0, [line.encode() for line in lines])
        process = subprocess.Popen([TOOL, "--archive", self.archive, "--function", "recently-viewed", "--function",
                                    "shade-velocity", "--store", self.store, "--live", stream.address, "--listen",
                                    "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        address = next(e["address"] for e in map(json.loads, process.stdout) if e["message_type"] == "listening")
        host, port = address.rsplit(":", 1)

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            return answer.status, body

        for _ in range(600):  # Before the store is opened nobody can wait in it.
            if ask("/readyz")[0] == 200:
                break
            time.sleep(0.05)
        done = replay("wait", "--store", self.store, "--position", "0:49", "--timeout", "30s")
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in ("/", "/status", "/metrics", "/livez", "/readyz", "/wait?partition=0&position=3", "/nothing",
                     "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
            status, body = ask(path)
            self.assertNotIn(secret, body, path)
            self.assertNotIn("root:", body)
            self.assertEqual(ask(path, Host="evil.example")[0], 403)
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"):
            self.assertNotIn(ask("/status", method)[0], range(200, 300))
        self.assertEqual(ask("/max-rate?events=0", "POST", Origin="http://evil.example")[0], 403)
        ask("/max-rate?events=0", "GET")  # asks for the rate, and sets none: the run goes on below
        slow = [socket.create_connection((host, int(port))) for _ in range(100)]
        for number, one in enumerate(slow):
            self.addCleanup(one.close)
            try:
                one.sendall(b"GET /status HTTP/1.1\r\nX: " + (b"x" * 200_000 if number % 2 else b""))
            except OSError:
                pass  # closed: there is a limit
        stream.append(0, [lines[0].encode()])
        done = replay("wait", "--store", self.store, "--position", "0:50", "--timeout", "30s")
        self.assertEqual(done.returncode, 0, "the run stood still")
        for one in slow:
            one.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                if ask("/livez")[0] == 200:
                    break
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline, "nobody is answered any more")
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
