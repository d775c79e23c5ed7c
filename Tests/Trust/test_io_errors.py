"""Some I/O errors of each kind, and some full disks, in seconds; the long form is io_errors.py."""
import json, os, subprocess, sys, tempfile, unittest

from kill_scenes import HERE
from support import TOOL


class IOErrors(unittest.TestCase):
    def test_some_of_each_kind(self):
        with tempfile.TemporaryDirectory() as scratch:
            raw = os.path.join(scratch, "raw.json")
            done = subprocess.run([sys.executable, os.path.join(HERE, "io_errors.py"), TOOL, "--errors", "40", "--seed", "7",
                                   "--scenes", "2", "--disk-step", "200000", "--raw", raw], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(raw) as file:
                counts = json.load(file)
        print(f"seed 7: {counts['by_exit_code']}")
        self.assertEqual(counts["failed"], 0)
        # Some were survived, and some ended a run.
        self.assertIn("0", counts["by_exit_code"])
        self.assertIn("69", counts["by_exit_code"])


if __name__ == "__main__":
    unittest.main()
