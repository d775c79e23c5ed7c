"""The other verbs from outside: plan, apply, check, status, cat, init, manual, completions."""
import json, os, shutil, sqlite3, tempfile, unittest

from support import BAD, GOOD, replay

ARCHIVE = os.path.join(GOOD, "confluent-zstd")


class Verbs(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.home)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def test_plan_writes_nothing_and_says_whether_there_is_work(self):
        plan = replay("plan", "--archive", ARCHIVE, "--function", "event-counts", "--store", self.path("t.db"),
                      "--detailed-exitcode")
        self.assertEqual(plan.returncode, 2, plan.stderr)
        self.assertIn("12 segments", plan.stdout)
        self.assertEqual(os.listdir(self.home), [])

    def test_plan_refuses_what_a_run_would_refuse(self):
        archive = self.path("archive")
        shutil.copytree(ARCHIVE, archive)
        arguments = ["--archive", archive, "--function", "event-counts", "--store", self.path("t.db")]
        self.assertEqual(replay(*arguments).returncode, 0)
        changed = os.path.join(archive, "topics/retail/partition=3/retail+3+0000000000.json.zst")
        with open(changed, "ab") as file:
            file.write(b"x")
        plan = replay("plan", *arguments)
        self.assertEqual(plan.returncode, 65, plan.stdout)
        self.assertIn("retail+3+0000000000.json.zst", plan.stderr)

    def test_status_says_the_command_that_goes_on_and_shows_a_lost_table(self):
        arguments = ["--archive", ARCHIVE, "--function", "event-counts", "--store", self.path("t.db")]
        replay(*arguments)
        self.assertIn(" ".join(arguments), replay("status", "--store", self.path("t.db")).stderr)
        replay(*arguments, "--full-refresh")
        status = replay("status", "--store", self.path("t.db"))
        self.assertIn(" ".join(arguments), status.stderr)
        self.assertNotIn("--full-refresh", status.stderr)
        database = sqlite3.connect(self.path("t.db"))
        database.execute("DROP TABLE event_counts")
        database.close()
        status = replay("status", "--store", self.path("t.db"))
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("gone", status.stdout)

    def test_apply_runs_the_plan_and_refuses_a_changed_archive(self):
        archive = self.path("archive")
        shutil.copytree(ARCHIVE, archive)
        replay("plan", "--archive", archive, "--function", "event-counts", "--store", self.path("t.db"),
               "--out", self.path("plan.json"))
        done = replay("apply", self.path("plan.json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2,000 events", done.stderr)
        with open(os.path.join(archive, "topics/retail/partition=3/retail+3+0000000333.json.zst"), "ab") as file:
            file.write(b"x")
        changed = replay("apply", self.path("plan.json"))
        self.assertEqual(changed.returncode, 65)
        self.assertIn("retail+3+0000000333.json.zst", changed.stderr)

    def test_check_gives_a_verdict_for_each_segment(self):
        good = replay("check", "--archive", ARCHIVE)
        self.assertEqual((good.returncode, good.stdout.count("pass")), (0, 12), good.stderr)
        for name in ("flipped-bit-gzip", "truncated-zstd-body", "half-record", "invalid-utf8", "hole"):
            bad = replay("check", "--archive", os.path.join(BAD, name))
            self.assertEqual(bad.returncode, 65, name + bad.stderr)

    def test_status_of_a_store_and_of_nothing(self):
        replay("--archive", ARCHIVE, "--function", "event-counts", "--store", self.path("t.db"))
        status = replay("status", "--store", self.path("t.db"))
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("event-counts", status.stdout)
        self.assertEqual(replay("status", "--store", self.path("none.db")).returncode, 66)
        self.assertFalse(os.path.exists(self.path("none.db")))

    def test_cat_prints_the_bytes_that_were_archived(self):
        every = replay("cat", "--archive", ARCHIVE)
        self.assertEqual(every.returncode, 0, every.stderr)
        lines = every.stdout.splitlines()
        self.assertEqual(len(lines), 2000)
        customer = json.loads(lines[0])["partitionkey"]
        some = replay("cat", "--archive", ARCHIVE, "--only-key", customer).stdout.splitlines()
        self.assertEqual(some, [line for line in lines if json.loads(line)["partitionkey"] == customer])
        limited = replay("cat", "--archive", ARCHIVE, "--limit", "3", "-J").stdout.splitlines()
        self.assertEqual([json.loads(line)["record"] for line in limited], [1, 2, 3])

    def test_init_writes_a_package_and_overwrites_nothing(self):
        here = os.getcwd()
        os.chdir(self.home)
        try:
            self.assertEqual(replay("init", "demo").returncode, 0)
            self.assertTrue(os.path.exists(self.path("demo", "Package.swift")))
            self.assertEqual(replay("init", "demo").returncode, 73)
        finally:
            os.chdir(here)

    def test_manual_and_completions(self):
        self.assertEqual(replay("manual", "--out", self.path("man")).returncode, 0)
        pages = os.listdir(self.path("man"))
        for page in ("replay.1", "replay-run.1", "replay-check.1"):
            self.assertIn(page, pages)
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("replay", replay("--generate-completion-script", shell).stdout)


if __name__ == "__main__":
    unittest.main()
