"""Some kill points of every kind of scene, in seconds; the long form is kill_calls.py. And the tracer itself: that it kills
where it says, and that a half write is one."""
import json, os, subprocess, sys, tempfile, unittest

import call_tracer
from kill_scenes import HERE
from support import TOOL

WRITER = """
import os, threading
def write(name):
    for n in range(20):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, b"0123456789")
        os.close(file)
threads = [threading.Thread(target=write, args=(str(n),)) for n in range(COUNT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if os.fork() == 0:
    os.write(os.open("child", os.O_WRONLY | os.O_CREAT), b"not counted")
    os._exit(0)
os.wait()
"""


class Tracer(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.home = scratch.name

    def written(self, at, threads=1):
        """Runs the writer there, anew; the bytes that it wrote, and its code."""
        for name in os.listdir(self.home):
            os.remove(os.path.join(self.home, name))
        script = f"import os; os.chdir({self.home!r}); COUNT = {threads}\n{WRITER}"
        run = call_tracer.Run([sys.executable, "-S", "-E", "-c", script], ["write"],
                              lambda call: at(call) if call.path.startswith(self.home) else None)
        return sum(os.path.getsize(os.path.join(self.home, name)) for name in os.listdir(self.home) if name in "012"), run.code

    def test_calls_are_counted_over_threads_and_not_in_children(self):
        seen = []
        self.assertEqual(self.written(lambda call: seen.append(call.path), threads=3), (600, 0))
        self.assertEqual(len(seen), 60)
        self.assertTrue(os.path.exists(os.path.join(self.home, "child")))

    def at_the_eleventh(self, act):
        """An action that is asked there."""
        seen = []

        def at(call):
            seen.append(call)
            return act(call) if len(seen) == 11 else None

        return at

    def test_killed_before_the_call_behind_it_or_in_it(self):
        def half(call):
            call.shorten(4)
            return "kill after"

        for act, bytes_ in ((lambda _: "kill", 100), (lambda _: "kill after", 110), (half, 104)):
            self.assertEqual(self.written(self.at_the_eleventh(act)), (bytes_, -9))

    def test_a_short_write_writes_what_it_says_and_a_failed_one_nothing(self):
        self.assertEqual(self.written(self.at_the_eleventh(lambda call: call.shorten(4))), (194, 0))
        # The thread dies of it.
        self.assertEqual(self.written(self.at_the_eleventh(lambda call: call.fail(28))), (100, 0))

    def test_what_hangs_is_killed_with_its_children(self):
        run = call_tracer.Run(["/bin/sh", "-c", "sleep 600 & wait"], ["write"], lambda call: None, seconds=2)
        self.assertTrue(run.hung)
        self.assertEqual(run.code, -9)


class KillCalls(unittest.TestCase):
    def test_some_points_of_every_kind_of_scene(self):
        with tempfile.TemporaryDirectory() as scratch:
            raw = os.path.join(scratch, "raw.json")
            done = subprocess.run([sys.executable, os.path.join(HERE, "kill_calls.py"), TOOL, "--points", "24", "--seed", "7",
                                   "--lanes", "4", "--raw", raw], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(raw) as file:
                counts = json.load(file)
        print(f"seed 7: {counts['killed']} kills, {counts['kills_by_call']}")
        self.assertEqual(set(counts["kills_by_function"]), {"built in", "child", "SQL file"})
        self.assertEqual(set(counts["kills_by_phase"]), {"replay", "live", "replay/recovery", "live/recovery"})
        self.assertEqual(counts["differences"], 0)


if __name__ == "__main__":
    unittest.main()
