"""A kill -9 smoke inside `make test`; `make kill POINTS=200` is the long one."""
import os, subprocess, sys, unittest

from support import HERE, TOOL


class Kill(unittest.TestCase):
    def test_killed_runs_resume_to_the_same_database(self):
        points = os.environ.get("KILL_POINTS", "200")
        done = subprocess.run([sys.executable, os.path.join(HERE, "kill.py"), TOOL, "--points", points, "--seed", "1"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.splitlines()[0])


if __name__ == "__main__":
    unittest.main()
