"""What a run with a stream leaves behind: its report, the handoff's digests, and what it says of a store it did not make."""
import json, os, unittest

from support import replay
from test_append import key_hash
from test_live import LiveCase

MASK = (1 << 64) - 1
M = (0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3)


def fold(a, b):
    product = a * b
    return (product >> 64) ^ (product & MASK)


def digest(lines, first=None):
    """The handoff's digest, written anew from its definition; with `first`, of an exact end."""
    state = 0
    for place, line in enumerate(lines):
        if first is not None:
            number = fold(fold((first + place) ^ M[0], M[1]) ^ M[2], M[3])
            state = fold(state ^ M[2], number ^ M[3])
        state = fold(state ^ M[2], key_hash(line) ^ M[3])
    return f"{state:016x}"


class ReportCase(LiveCase):
    def setUp(self):
        super().setUp()
        self.report = os.path.join(self.scratch, "report.json")

    def reported(self):
        with open(self.report) as file:
            return json.load(file)


class HandoffReports(ReportCase):
    def test_digests_prove_it_and_can_be_made_again(self):
        for layout in ("confluent", "aiven"):
            with self.subTest(layout=layout):
                self.scene(layout=layout)
                parts = self.parts()
                for partition, (first, end) in {"0": (100, 200), "1": (50, 100) if layout == "confluent" else (0, 100)}.items():
                    part = parts[partition]
                    wanted = digest(self.lines[int(partition)][first:end], first if layout == "aiven" else None)
                    self.assertEqual((part["digest_archived"], part["digest_live"]), (wanted, wanted))
                    self.assertEqual((part["compared_first"], part["compared_last"]), (str(first), str(end - 1)))
                    self.assertEqual(part["overlap_compared"], end - first)
                # Another run over the same events says the same, over others something else.
                self.assertEqual(self.parts(), parts)
                self.scene(layout=layout)
                other = self.parts()
                self.assertNotEqual(other["0"]["digest_live"], parts["0"]["digest_live"])
                self.assertEqual(other["0"]["digest_live"], other["0"]["digest_archived"])

    def parts(self):
        if os.path.exists(self.store):
            os.remove(self.store)
        done = self.run_live("--report", self.report, "--handoff-report", self.report + ".handoff")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.report + ".handoff") as file:
            alone = json.load(file)
        self.assertEqual(self.reported()["handoff"], alone)
        return {part["partition"]: part for part in alone["partitions"]}

    def scene(self, *arguments, **named):
        import shutil
        for name in os.listdir(self.scratch):
            path = os.path.join(self.scratch, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        super().scene(*arguments, **named)

    def test_a_partition_without_archive_has_no_digest(self):
        self.scene(counts=(300, 200, 5))
        self.assertIsNone(self.parts()["2"]["digest_live"])

    def test_the_whole_run_is_in_the_report(self):
        self.scene()
        self.assertEqual(self.run_live("--report", self.report).returncode, 0)
        report = self.reported()
        self.assertEqual((report["outcome"], report["events"]), ("finished", 300))
        self.assertEqual(report["handoff"]["hole"], 0)
        self.assertEqual(report["live"]["outcome"], "caught_up")
        counts = [own for own in report["live"]["functions"] if own["name"] == "event-counts"][0]
        self.assertEqual((counts["read"], counts["applied"]), (200, 200))
        self.assertEqual({p["partition"]: p["next"] for p in report["live"]["positions"]}, {"0": "300", "1": "200"})
        # Once all is live there is neither a pass nor a handoff.
        self.assertEqual(self.run_live("--report", self.report).returncode, 0)
        report = self.reported()
        self.assertEqual((report["outcome"], report["handoff"]), ("live", None))
        self.assertEqual(report["live"]["outcome"], "caught_up")

    def test_a_handoff_stays_true_where_the_run_fails_later(self):
        self.scene(counts=(300,), archived=(200,))
        self.stream.append(0, [b'{"type":"retail.item.sold"'])
        done = self.run_live("--report", self.report)
        self.assertEqual(done.returncode, 65, done.stderr)
        report = self.reported()
        self.assertEqual((report["outcome"], report["error"]["code"]), ("failed", 65))
        self.assertEqual(report["handoff"]["partitions"][0]["live_first"], "200")

    def test_a_report_keeps_no_secret(self):
        self.scene(kind="kafka")
        done = self.run_live("-Xsasl.password=hunter2", "--report", self.report, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("-Xsasl.password=@env:NAME", self.reported()["command"])
        with open(self.report) as file:
            self.assertNotIn("hunter2", file.read() + done.stdout + done.stderr)


class BareOptions(ReportCase):
    def test_an_option_without_a_name_is_not_repeated(self):
        self.scene()
        for bare in ("hunter2bare", "=hunter2bare"):
            for verb in ([], ["plan"], ["handoff"]):
                more = ["--to", "print"] if verb == ["handoff"] else ["--archive", self.archive.root]
                done = replay(*verb, "--store", self.store, "--function", "event-counts", "--live", "kafka://127.0.0.1:9/x",
                              "-X", "security.protocol=plaintext", "-X", bare, *more)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertNotIn("hunter2", done.stderr + done.stdout)
                self.assertIn("-X option number 2", done.stderr)
        done = self.run_live("-Xhunter2bare", stream="kafka://127.0.0.1:9/x")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertNotIn("hunter2", done.stderr + done.stdout)


class RefusedRuns(ReportCase):
    """Whoever is refused leaves no store behind, and an old one as it was."""

    def test_no_store_is_made(self):
        self.scene()
        with open(self.stream.path(1, 150), "wb"):
            pass
        for path in os.listdir(os.path.join(self.stream.root, "partition=0")):
            os.remove(os.path.join(self.stream.root, "partition=0", path))
        done = self.run_live()
        self.assertEqual(done.returncode, 81, done.stderr)
        self.assertIn("effect: nothing was read or written", done.stderr)
        self.assertFalse(os.path.exists(self.store))

    def test_a_full_refresh_that_is_refused_empties_nothing(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        self.hide(0)
        done = self.run_live("--full-refresh")
        self.assertEqual(done.returncode, 81, done.stderr)
        self.assertIn("nothing was read or written", done.stderr)
        self.show(0)
        self.assert_all_there()
        self.assertEqual(self.run_live().returncode, 0)
        self.assert_all_there()

    def hide(self, partition):
        path = os.path.join(self.stream.root, f"partition={partition}")
        os.rename(path, self.scratch + "/hidden")
        os.makedirs(path)

    def show(self, partition):
        path = os.path.join(self.stream.root, f"partition={partition}")
        os.rmdir(path)
        os.rename(self.scratch + "/hidden", path)

    def test_status_offers_the_command_that_worked(self):
        self.scene()
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        good = replay("status", "--store", self.store).stderr
        self.assertIn(f"--live {self.stream.address}", good)
        self.hide(0)
        self.assertEqual(self.run_live("--live-commit-interval", "0.5", functions=["event-counts"]).returncode, 81)
        self.show(0)
        self.assertEqual(replay("status", "--store", self.store).stderr, good)

    def test_flags_that_a_lower_bound_has_no_use_for(self):
        self.scene()
        done = self.run_live("--overlap-events", "0")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("--positions dense", done.stderr)
        self.assertFalse(os.path.exists(self.store))
        plan = replay("plan", "--archive", self.archive.root, "--live", self.stream.address, "--overlap-events", "0")
        self.assertEqual(plan.returncode, 64, plan.stdout)
        done = self.run_live("--unproved-handoff", "--overlap-events", "7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--unproved-handoff changes nothing", done.stderr)
        self.assertIn("--overlap-events changes nothing", done.stderr)
        self.assertIn("150 archived events read back", done.stderr)
        self.assert_all_there()

    def test_overlap_events_counts_where_the_end_is_exact(self):
        self.scene(layout="aiven")
        done = self.run_live("--overlap-events", "7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("changes nothing", done.stderr)
        self.assertIn("14 archived events read back", done.stderr)


if __name__ == "__main__":
    unittest.main()
