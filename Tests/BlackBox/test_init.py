"""What `replay init` writes builds, runs on a real archive and passes its own test."""
import os, shutil, sqlite3, subprocess, tempfile, unittest

from support import GOOD, ROOT, replay

SWIFT = os.environ.get("SWIFT", "swift")


class Init(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def swift(self, *arguments):
        done = subprocess.run([SWIFT, *arguments], cwd=os.path.join(self.home, "own"), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_package_builds_runs_and_passes_its_test(self):
        here = os.getcwd()
        os.chdir(self.home)
        try:
            self.assertEqual(replay("init", "own", "--replay", ROOT).returncode, 0)
        finally:
            os.chdir(here)
        self.swift("test")
        store = os.path.join(self.home, "t.db")
        done = subprocess.run([os.path.join(self.home, "own", ".build", "debug", "own"), "--archive",
                               os.path.join(GOOD, "confluent-gzip"), "--function", "type-counts", "--store", store],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with sqlite3.connect(store) as database:
            self.assertEqual(database.execute("SELECT sum(events) FROM type_counts").fetchone()[0], 2000)


if __name__ == "__main__":
    unittest.main()
