"""Every exit code that the README documents, each made by what it is for."""
import gzip, os, re, shutil, signal, sqlite3, subprocess, tempfile, time, unittest

from support import BAD, GOOD, ROOT, TOOL, generate, replay

ARCHIVE = os.path.join(GOOD, "confluent-gzip")


class ExitCodes(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.store = os.path.join(self.home, "t.db")
        self.command = ["--archive", ARCHIVE, "--function", "event-counts", "--store", self.store]

    def tearDown(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def sql(self, text):
        database = sqlite3.connect(self.store, isolation_level=None)
        rows = database.execute(text).fetchall()
        database.close()
        return rows

    def case_0(self):
        return replay(*self.command).returncode, None

    def case_2(self):
        return replay("plan", *self.command, "--detailed-exitcode").returncode, None

    def case_3(self):
        done = replay("--archive", os.path.join(BAD, "hole"), "--function", "event-counts", "--store", self.store,
                      "--positions", "dense", "--allow-holes")
        return done.returncode, done.stderr

    def case_4(self):
        done = replay("diff", *self.command[:4], "--function", "shade-velocity")
        return done.returncode, None

    def case_64(self):
        done = replay(*self.command, "--no-such-flag")
        return done.returncode, done.stderr

    def case_65(self):
        done = replay("--archive", os.path.join(BAD, "half-record"), "--function", "event-counts", "--store", self.store)
        return done.returncode, done.stderr

    def case_66(self):
        done = replay("--archive", os.path.join(self.home, "none"), "--function", "event-counts", "--store", self.store)
        return done.returncode, done.stderr

    def case_69(self):
        file = os.path.join(ARCHIVE, "topics", "retail", "partition=1", "retail+1+0000000166.json.gz")
        done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-P", file, "-e", "inject=pread64:error=EIO", TOOL,
                               *self.command], capture_output=True, text=True)
        return done.returncode, done.stderr

    def case_73(self):
        done = replay(*self.command[:-1], os.path.join(self.home, "no", "directory", "t.db"))
        return done.returncode, done.stderr

    def case_75(self):
        replay(*self.command)
        holder = sqlite3.connect(self.store, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        done = replay(*self.command, "--lock-timeout", "0")
        holder.close()
        return done.returncode, done.stderr

    def case_76(self):
        """The second run takes the function over while the first one is in the middle of the archive."""
        archive = os.path.join(self.home, "big")
        generate(archive, "--events", 200000, "--codec", "gzip", "--segments", 8)
        first = subprocess.Popen([TOOL, "--archive", archive, *self.command[2:], "--lanes", "1", "--commit-interval",
                                  "0.01", "--progress", "none"], stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.store) or not self.taken():
            time.sleep(0.002)
        self.sql("UPDATE _replay_functions SET fence = fence + 1, owner = 'another run'")
        _, words = first.communicate(timeout=60)
        return first.returncode, words

    def taken(self):
        try:
            return self.sql("SELECT 1 FROM _replay_functions")
        except sqlite3.OperationalError:
            return []

    def case_77(self):
        copy = os.path.join(self.home, "archive")
        shutil.copytree(ARCHIVE, copy)
        os.chmod(self.home, 0o777)
        os.chmod(os.path.join(copy, "topics", "retail", "partition=1", "retail+1+0000000000.json.gz"), 0)
        tool = shutil.copy(TOOL, self.home)
        command = [tool, "--archive", copy, *self.command[2:]]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", "65534", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr

    def case_78(self):
        replay(*self.command)
        self.sql("UPDATE _replay_functions SET version = 7")
        done = replay(*self.command)
        self.assertIn("version 7", done.stderr)
        self.assertIn("version 1", done.stderr)
        return done.returncode, done.stderr

    def live(self, change, *more):
        """Replays the archive and goes on with a stream: what was archived of each partition, as `change` leaves it.

        `change` gets a partition's lines, and answers the number of the first one that is left and the lines."""
        stream = os.path.join(self.home, "stream")
        topic = os.path.join(ARCHIVE, "topics", "retail")
        for partition in os.listdir(topic):
            lines = []
            for name in sorted(os.listdir(os.path.join(topic, partition))):
                with gzip.open(os.path.join(topic, partition, name)) as file:
                    lines += file.read().splitlines(keepends=True)
            start, lines = change(lines)
            os.makedirs(os.path.join(stream, partition))
            with open(os.path.join(stream, partition, f"{start:020}.jsonl"), "wb") as file:
                file.write(b"".join(lines))
        done = replay(*self.command, "--live", f"dir:{stream}", "--until-caught-up", *more)
        return done.returncode, done.stderr

    def case_79(self):
        return self.live(lambda lines: (len(lines) + 7, lines[:1]))

    def case_80(self):
        return self.live(lambda lines: (0, lines[:-1] + lines[:1]))

    def case_81(self):
        return self.live(lambda lines: (0, lines[:-1]), "--positions", "dense")

    def case_82(self):
        return self.live(lambda lines: (len(lines), lines[:1]), "--positions", "dense")

    def case_124(self):
        replay(*self.command)
        done = replay("wait", "--store", self.store, "--position", "3:999999", "--timeout", "10ms")
        return done.returncode, done.stderr

    def case_99(self):
        done = replay("bench", *self.command[:4], "--runs", 1, "--threshold", "900G/s", env={"TMPDIR": self.home})
        return done.returncode, done.stderr

    def interrupted(self, number):
        archive = os.path.join(self.home, "big")
        generate(archive, "--events", 400000, "--codec", "gzip", "--segments", 8)
        process = subprocess.Popen([TOOL, "--archive", archive, *self.command[2:], "--lanes", "1", "--progress", "none",
                                    "--commit-interval", "0.01", "--block-bytes", "2048"],
                                   stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.store) or not self.taken():
            time.sleep(0.002)
        process.send_signal(number)
        _, words = process.communicate(timeout=20)
        return process.returncode, words

    def case_130(self):
        return self.interrupted(signal.SIGINT)

    def case_143(self):
        return self.interrupted(signal.SIGTERM)

    def test_each(self):
        for name in sorted(name for name in dir(self) if name.startswith("case_")):
            with self.subTest(name):
                self.setUp()
                code, words = getattr(self, name)()
                self.assertEqual(code, int(name[5:]), words)
                if words is not None:
                    self.assertTrue(words.strip(), "it ends without a word")
                self.tearDown()

    def test_the_readme_names_no_other(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            text = file.read()
        table = text[text.index("| exit code |"):].split("\n\n")[0]
        named = {int(code) for line in table.splitlines()[2:] for code in re.findall(r"\d+", line.split("|")[1])}
        made = {int(name[5:]) for name in dir(self) if name.startswith("case_")}
        self.assertEqual(named - {1}, made)


if __name__ == "__main__":
    unittest.main()
