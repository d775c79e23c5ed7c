"""A run that follows a stream sleeps while retention takes events that it has not read: it ends with 79 and says which, and
never goes on with what is left (F8 of the catalogue)."""
import os, signal, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "BlackBox"))
from support import TOOL
from test_live import LiveCase

# The mock cluster keeps 5 MiB of a partition.
MORE, SIZE = 200, 40_000


class PassedRetention(LiveCase):
    def follow(self):
        """A run that has caught up, and sleeps."""
        process = subprocess.Popen(
            [TOOL, "--archive", self.archive.root, "--store", self.store, "--live", self.stream.address, "--function",
             "event-counts"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if "caught up" in line:
                break
        process.send_signal(signal.SIGSTOP)
        return process

    def ends_with_79(self, process):
        process.send_signal(signal.SIGCONT)
        try:
            said = process.communicate(timeout=40)[1]
        except subprocess.TimeoutExpired:
            self.fail("it goes on behind the hole")
        self.assertEqual(process.returncode, 79, said)
        self.assertIn("passed the stream's retention", said)
        self.assertIn("lost to this store", said)

    def large(self, number):
        return b'{"partitionkey":"k","id":"x-%d","type":"t","time":"2026-01-01T00:00:00Z","fill":"%s"}' % (number, b"x" * SIZE)

    def test_in_a_directory(self):
        self.scene()
        process = self.follow()
        home = os.path.join(self.stream.root, "partition=0")
        end = self.stream.ends[0]
        for start in (end, end + MORE):
            with open(self.stream.path(0, start), "wb") as file:
                file.write(b"".join(self.large(start + n) + b"\n" for n in range(MORE)))
        kept = os.path.basename(self.stream.path(0, end + MORE))
        for name in os.listdir(home):
            if name != kept:
                os.remove(os.path.join(home, name))
        self.ends_with_79(process)

    def test_in_kafka(self):
        self.scene(kind="kafka", layout="aiven")
        process = self.follow()
        for part in range(2):
            self.stream.append(0, [self.large(part * MORE + n) for n in range(MORE)])
        self.ends_with_79(process)


if __name__ == "__main__":
    unittest.main()
