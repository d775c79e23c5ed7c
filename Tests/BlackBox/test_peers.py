"""The parts of `make bench-peers` that need no peer: comparing answers, measuring a process, and replay alone."""
import json, os, subprocess, sys, tempfile, unittest
import support

PEERS = os.path.join(support.ROOT, "Benchmarks", "Peers")
sys.path.insert(0, PEERS)
import answers, measure, peer, table  # noqa: E402


def bench(*arguments):
    return subprocess.run([sys.executable, os.path.join(PEERS, "bench_peers.py"), "--replay", support.TOOL, *arguments],
                          capture_output=True, text=True, timeout=120)


class ComparingAnswers(unittest.TestCase):
    rows = [("açaí", 3, 700), ("rosé", 9007199254740993, 1), ("🌅", 1, 2)]

    def test_equal_rows_have_no_difference(self):
        self.assertEqual(answers.differences(self.rows, list(self.rows)), [])

    def test_a_cell_a_type_and_a_row_that_differ_are_found(self):
        others = [
            [("açaí", 3, 700), ("rosé", 9007199254740992, 1), ("🌅", 1, 2)],  # what a float makes of it
            [("açaí", 3, 700.0), *self.rows[1:]],
            [("açaí", "3", 700), *self.rows[1:]],
            [("açaí", True, 700), *self.rows[1:]],
            self.rows[:2], [*self.rows, ("🌆", 1, 2)], [],
        ]
        for other in others:
            said = answers.differences(self.rows, other)
            self.assertTrue(said, other)
            self.assertLessEqual(len(said), answers.SHOWN)

    def test_peer_rows_come_in_any_order(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "answer.jsonl")
            with open(path, "w", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in reversed(self.rows))
            self.assertEqual(answers.peer_rows(path), self.rows)

    def test_the_hash_of_a_large_tally_is_compared(self):
        rows = [("c-1", 1, "sku-2", "2023-01-01T00:00:00.000Z")]
        tally = {"recently_viewed_rows": 1, "recently_viewed_sha256": "0"}
        self.assertTrue(answers.tally_differences(rows, tally, "recently-viewed"))


class Measuring(unittest.TestCase):
    def test_a_run_has_its_times_and_what_it_said(self):
        run = measure.run([sys.executable, "-c", "print('{\"seconds\": 2}')"], 60)
        self.assertIsNone(run["failed"])
        self.assertEqual(table.seconds(run), 2)
        self.assertGreater(run["wall"], 0)
        self.assertGreater(run["peak_mib"], 1)

    def test_a_run_that_fails_or_never_ends_says_why(self):
        self.assertEqual(measure.run([sys.executable, "-c", "import sys; sys.exit('no such codec')"], 60)["failed"],
                         "exit 1: no such codec")
        self.assertIn("not done", measure.run([sys.executable, "-c", "import time; time.sleep(60)"], 0.3)["failed"])
        self.assertIn("SIGKILL", measure.run(["sh", "-c", "kill -9 $$"], 60)["failed"])

    def test_ratios_are_of_one_round(self):
        def run(seconds):
            return {"wall": seconds, "said": {}}
        rounds = [{"replay": run(1), "x": run(2)}, {"replay": run(10), "x": run(30)}, {"replay": run(2), "x": run(8)}]
        self.assertEqual(table.ratio("x", rounds), (3, 2, 4))


class ReplayAlone(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        home = cls.home = cls.scratch.name
        support.generate(home, "--events", 3000, "--codec", "both", "--customers", 300, "--years", 0.1,
                         "--tally", os.path.join(home, "tally.json"))
        support.generate(os.path.join(home, "hourly"), "--events", 3000, "--layout", "hourly", "--customers", 300,
                         "--years", 0.01, "--tally", os.path.join(home, "hourly-tally.json"))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_every_case_equals_the_tally_and_is_timed(self):
        raw = os.path.join(self.home, "raw.json")
        done = bench("--archive-dir", self.home, "--peers", "--rounds", "1", "--raw", raw)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("| replay |"), 5)
        with open(raw, encoding="utf-8") as text:
            self.assertEqual(len(json.load(text)["cases"]), 5)

    def test_a_difference_ends_it_before_any_time_is_printed(self):
        path = os.path.join(self.home, "tally.json")
        with open(path, encoding="utf-8") as text:
            wrong = json.load(text)
        os.rename(path, path + ".right")
        self.addCleanup(os.replace, path + ".right", path)
        wrong["shade_velocity"][3][2] += 1
        with open(path, "w", encoding="utf-8") as out:
            json.dump(wrong, out)
        done = bench("--archive-dir", self.home, "--peers", "--rounds", "1", "--cases", "shade-velocity-gzip")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("row 3", done.stderr)

    def test_a_peers_answer_that_differs_is_named_by_its_first_rows(self):
        store, answer = os.path.join(self.home, "own.db"), os.path.join(self.home, "answer.jsonl")
        done = support.replay("--archive", os.path.join(self.home, "zstd"), "--function", "recently-viewed",
                              "--store", store)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [list(row) for row in answers.stored_rows(store, "recently-viewed")]
        for change, code in ((0, 0), (1, 1)):
            rows[7][1] += change
            with open(answer, "w", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in rows)
            compared = subprocess.run([sys.executable, os.path.join(PEERS, "answers.py"), "recently-viewed", store,
                                       "--answer", answer], capture_output=True, text=True)
            self.assertEqual(compared.returncode, code, compared.stdout)
        self.assertIn(rows[7][2], compared.stdout)

    def test_a_peer_that_cannot_run_is_told_with_its_reason(self):
        done = bench("--archive-dir", self.home, "--peers", "duckdb", "--python", "/bin/false", "--rounds", "1",
                     "--cases", "event-counts-hourly")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| duckdb | did not finish: exit 1", done.stdout)

    def test_files_come_in_natural_order(self):
        hours = [int(name.split("-")[-1].split(".")[0]) for name in peer.files(os.path.join(self.home, "hourly"))]
        self.assertEqual(hours[:24], list(range(24)))


if __name__ == "__main__":
    unittest.main()
