"""Short forms of `bombs.py`, `soak.py` and `power_loss.py`; docs/trust.md says how to run the long ones."""
import os, subprocess, sys, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BlackBox"))
from support import TOOL  # noqa: E402


def harness(name, *arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, name), TOOL, *arguments], capture_output=True, text=True)


class Short(unittest.TestCase):
    def passes(self, name, *arguments):
        done = harness(name, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.strip())

    def test_archives_that_are_made_to_fill_the_memory_do_not(self):
        self.passes("bombs.py", "--share", "0.01")

    def test_a_follower_that_is_killed_again_and_again_has_every_event_once(self):
        self.passes("soak.py", "--minutes", "0.2", "--rate", "300")

    @unittest.skipUnless(os.path.exists("/dev/fuse"), "there is no FUSE here: no disk that could lose its power")
    def test_a_store_that_lost_its_power_goes_on(self):
        self.passes("power_loss.py", "--runs", "5")


if __name__ == "__main__":
    unittest.main()
