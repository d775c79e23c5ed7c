"""`replay plan --live`: the handoff as it is known before a run; and `apply` of such a plan."""
import json, os, shutil, unittest

from support import replay
from test_live import LiveCase


class PlanLive(LiveCase):
    def plan(self, *more, functions=("event-counts",), stream=None):
        named = [part for name in functions for part in ("--function", name)]
        return replay("plan", "--archive", self.archive.root, "--store", self.store, "--live",
                      stream or self.stream.address, *named, *more)

    def told(self, *more, **how):
        done = self.plan("--json", *more, **how)
        return json.loads(done.stdout.splitlines()[0])

    def cut(self, partition, start):
        """What is before `start` has passed the stream's retention."""
        directory = os.path.join(self.stream.root, f"partition={partition}")
        shutil.rmtree(directory)
        os.makedirs(directory)
        with open(self.stream.path(partition, start), "wb") as file:
            file.write(b"".join(line + b"\n" for line in self.lines[partition][start:]))

    def test_class_and_positions_of_each_layout_and_stream(self):
        for kind in ("dir", "kafka"):
            for layout in ("confluent", "aiven"):
                with self.subTest(kind=kind, layout=layout):
                    shutil.rmtree(self.scratch)
                    os.makedirs(self.scratch)
                    self.scene(counts=(300, 200, 5), archived=(200, 100), kind=kind, layout=layout)
                    before = sorted(os.listdir(self.scratch))
                    done = self.plan()
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(sorted(os.listdir(self.scratch)), before, "a plan writes nothing")
                    exact = layout == "aiven"
                    self.assertIn("handoff by " + ("an exact end" if exact else "a lower bound"), done.stdout)
                    live = self.told()["live"]
                    self.assertEqual(live["class"], "exact" if exact else "lower bound")
                    found = {part.pop("partition"): part for part in live["partitions"]}
                    needed = {"0": "200" if exact else "100", "1": "100" if exact else "50", "2": None}
                    ends = {"0": "300", "1": "200", "2": "5"}
                    for partition, first in needed.items():
                        self.assertEqual(found[partition], {
                            "stream_first": "0", "stream_end": ends[partition],
                            "archive_next": f"{int(first) - 1}:1" if exact and first else None, "needed_from": first,
                            "covered": True})
                    # The run does what was planned.
                    self.assertEqual(self.run_live().returncode, 0)
                    self.assert_all_there()

    def test_what_a_run_would_refuse(self):
        self.scene(layout="aiven")
        self.cut(0, 250)
        done = self.plan()
        self.assertEqual(done.returncode, 79, done.stderr)
        self.assertIn("PASSED, 50 positions lost", done.stdout)
        self.assertIn("effect: nothing was read or written", done.stderr)
        self.assertFalse(os.path.exists(self.store))
        covered = {part["partition"]: part["covered"] for part in self.told()["live"]["partitions"]}
        self.assertEqual(covered, {"0": False, "1": True})
        self.cut(0, 190)
        self.assertIn("covered, 10 positions to spare", self.plan().stdout)
        shutil.rmtree(os.path.join(self.stream.root, "partition=1"))
        done = self.plan()
        self.assertEqual(done.returncode, 80, done.stderr)
        self.assertIn("NO SUCH PARTITION", done.stdout)
        self.cut(0, 0)
        os.makedirs(os.path.join(self.stream.root, "partition=1"))
        with open(self.stream.path(1, 0), "wb") as file:
            file.write(b"".join(line + b"\n" for line in self.lines[1][:60]))
        done = self.plan()
        self.assertEqual(done.returncode, 81, done.stderr)
        self.assertIn("THE STREAM ENDS 40 positions before", done.stdout)

    def test_retention_by_the_class_that_is_said(self):
        """A counted archive has to be found from its last segment on; a dense one only at its end."""
        self.scene(layout="confluent")
        self.cut(0, 150)
        done = self.plan()
        self.assertEqual(done.returncode, 79, done.stderr)
        self.assertIn("--positions dense", done.stderr)
        done = self.plan("--positions", "dense")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("covered, 50 positions to spare", done.stdout)

    def test_without_positions_the_handoff_is_by_time(self):
        self.scene()
        plain = os.path.join(self.scratch, "plain")
        os.makedirs(plain)
        with open(os.path.join(plain, "a.json"), "wb") as file:
            file.write(b"\n".join(self.lines[0]))
        self.archive.root = plain
        done = self.plan()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("handoff by time", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^0 .* covered")

    def test_a_function_that_is_live(self):
        self.scene()
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        done = self.plan("--detailed-exitcode")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("followed on from the store's positions", done.stdout)
        self.assertIn("nothing to do", done.stdout)
        self.stream.append(0, self.lines[0][:1])
        self.assertEqual(self.plan("--detailed-exitcode").returncode, 2)
        live = self.told()["live"]
        self.assertEqual([part["needed_from"] for part in live["partitions"]], ["300", "200"])
        # One that joins needs what comes behind the archive.
        both = self.told(functions=("event-counts", "shade-velocity"))
        self.assertEqual([part["needed_from"] for part in both["live"]["partitions"]], ["100", "50"])
        # What a run refuses is refused here.
        alone = replay("plan", "--archive", self.archive.root, "--store", self.store, "--function", "event-counts")
        self.assertEqual(alone.returncode, 64, alone.stdout)
        self.assertIn("follows a stream", alone.stderr)

    def test_apply_hands_off(self):
        self.scene()
        plan = os.path.join(self.scratch, "plan.json")
        done = self.plan("--until-caught-up", "--out", plan,
                         functions=["shade-velocity", "recently-viewed", "event-counts"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(self.store))
        done = replay("apply", plan)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("handoff  ", done.stderr)
        self.assert_all_there()

    def test_a_plan_keeps_no_secret(self):
        self.scene(kind="kafka")
        plan = os.path.join(self.scratch, "plan.json")
        done = self.plan("-X", "sasl.password=hunter2", "--out", plan)
        self.assertEqual(done.returncode, 64, done.stdout)
        self.assertNotIn("hunter2", done.stdout + done.stderr)
        self.assertFalse(os.path.exists(plan))
        with open(os.path.join(self.scratch, "secret"), "w") as file:
            file.write("hunter2\n")
        here = os.getcwd()
        os.chdir(self.scratch)
        try:
            done = self.plan("-X", "sasl.password=@file:secret", "--until-caught-up", "--out", plan,
                             functions=["shade-velocity", "recently-viewed", "event-counts"])
        finally:
            os.chdir(here)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(plan) as file:
            self.assertNotIn("hunter2", file.read())
        done = replay("apply", plan)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()


if __name__ == "__main__":
    unittest.main()
