"""The verb bench from outside: what it prints, exports and refuses, and that it leaves nothing behind."""
import json, os, shutil, signal, subprocess, tempfile, time, unittest

from support import BAD, GOOD, TOOL, generate, replay

ARCHIVE = os.path.join(GOOD, "confluent-zstd")
STAGES = ["decompress", "extract", "function", "whole"]


class Bench(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.temporary = os.path.join(self.home, "tmp")
        os.mkdir(self.temporary)

    def tearDown(self):
        self.assertEqual(os.listdir(self.temporary), [], "something was left in TMPDIR")
        shutil.rmtree(self.home)

    def bench(self, *arguments, archive=ARCHIVE, functions=("event-counts",), runs=2):
        named = [word for name in functions for word in ("--function", name)]
        return replay("bench", "--archive", archive, *named, "--runs", runs, *arguments,
                      env={"TMPDIR": self.temporary})

    def exported(self, *arguments, **more):
        done = self.bench("--export", "json", *arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_the_table_is_data_and_the_runs_are_words(self):
        done = self.bench()
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("mean ± σ", "whole path, with the commit", "times live", "rows hash", "MB/s out", "2,000 from"):
            self.assertIn(text, done.stdout)
        self.assertIn("run 2 of 2", done.stderr)
        self.assertNotIn("run 2 of 2", done.stdout)
        self.assertEqual(self.bench("--quiet").stderr, "")

    def test_the_export_has_every_raw_run(self):
        found = self.exported("--warmup", "3", "--lanes", "1")
        self.assertEqual([stage["name"] for stage in found["stages"]], STAGES)
        for stage in found["stages"]:
            self.assertEqual((len(stage["runs"]), len(stage["warmups"])), (2, 3))
            walls = [run["wall"] for run in stage["runs"]]
            self.assertEqual(stage["seconds"]["values"], walls)
            self.assertAlmostEqual(stage["seconds"]["mean"], sum(walls) / 2)
            self.assertAlmostEqual(stage["seconds"]["median"], sum(walls) / 2)
            self.assertAlmostEqual(stage["seconds"]["sigma"], abs(walls[0] - walls[1]) / 2 ** 0.5)
            self.assertGreater(stage["ratio_to_decompress"]["median"], 0)
            self.assertGreater(stage["cpu_seconds"]["median"], 0)
            for index, ratio in enumerate(stage["ratio_to_decompress"]["values"]):
                self.assertAlmostEqual(ratio, found["stages"][0]["runs"][index]["wall"] / walls[index])
        self.assertEqual(found["ratio_to_decompress"], found["stages"][3]["ratio_to_decompress"]["median"])
        self.assertEqual(found["archive"]["events"], 2000)
        self.assertEqual(found["archive"]["segments"], 12)
        self.assertAlmostEqual(found["times_live"],
                               found["archive"]["span_seconds"] / found["stages"][3]["seconds"]["median"], delta=1)
        self.assertEqual((found["options"]["lanes"], found["options"]["threads"]), (1, 1))
        self.assertGreater(found["peak_memory_bytes"], 1 << 20)
        for name in ("processors", "kernel", "system", "json_kernel"):
            self.assertTrue(found["machine"][name], name)

    def test_decompressed_bytes_are_those_of_the_files(self):
        plain = self.exported(archive=os.path.join(GOOD, "confluent-none"))
        zstd = self.exported()
        self.assertEqual(plain["archive"]["compressed_bytes"], plain["archive"]["decompressed_bytes"])
        self.assertEqual(plain["archive"]["decompressed_bytes"], zstd["archive"]["decompressed_bytes"])
        self.assertLess(zstd["archive"]["compressed_bytes"], zstd["archive"]["decompressed_bytes"])

    def test_the_rows_hash_is_the_rows(self):
        both = ("event-counts", "recently-viewed")
        found = [self.exported("--lanes", lanes, functions=both) for lanes in (1, 3)]
        found.append(self.exported("--commit-events", "100", functions=both))
        self.assertGreater(found[2]["commits"], 1)
        self.assertEqual(len({one["rows_hash"] for one in found}), 1)
        self.assertEqual(found[0]["tables"], found[2]["tables"])
        alone = self.exported()
        self.assertEqual(alone["tables"], [table for table in found[0]["tables"] if table["name"] == "event_counts"])
        self.assertNotEqual(alone["rows_hash"], found[0]["rows_hash"])
        other = self.exported(archive=os.path.join(GOOD, "gharchive"))
        self.assertNotEqual(alone["tables"], other["tables"])

    def test_without_the_commit_nothing_is_kept(self):
        found = self.exported("--without-commit", functions=("event-counts", "recently-viewed"))
        self.assertIsNone(found["rows_hash"])
        self.assertEqual(found["tables"], [])
        self.assertFalse(found["options"]["with_commit"])
        self.assertGreater(found["ratio_to_decompress"], 0)
        self.assertIn("without the commit", self.bench("--without-commit").stdout)

    def test_without_the_commit_no_row_may_be_asked_for_again(self):
        done = self.bench("--without-commit", "--max-state-bytes", 1, "--commit-events", 100,
                          functions=("recently-viewed",))
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("--max-state-bytes", done.stderr)

    def test_a_threshold_that_is_missed_says_by_how_much(self):
        done = self.bench("--threshold", "0.0001,1x,1/s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(": met"), 3)
        done = self.bench("--threshold", "0.001,900G/s", "--quiet")
        self.assertEqual(done.returncode, 99)
        self.assertIn("wanted 900G/s", done.stderr)
        self.assertIn("% short", done.stderr)
        self.assertIn("times live", done.stdout)

    def test_an_archive_without_event_times(self):
        archive = os.path.join(self.home, "plain")
        os.mkdir(archive)
        with open(os.path.join(archive, "a.json"), "w") as file:
            file.writelines(json.dumps({"type": "a", "n": n}) + "\n" for n in range(10))
        plain = {"archive": archive, "functions": ("recently-viewed",)}
        self.assertIn("no event time", self.bench(**plain).stdout)
        self.assertIsNone(self.exported(**plain)["times_live"])
        done = self.bench("--threshold", "10x", **plain)
        self.assertEqual(done.returncode, 64)
        self.assertIn("--time", done.stderr)
        self.assertEqual(self.bench("--threshold", "0.0001", **plain).returncode, 0)

    def test_markdown_and_files(self):
        done = self.bench("--export", "markdown")
        self.assertIn("| whole path, with the commit |", done.stdout)
        self.assertIn("| warm-up 1 | run 1 | run 2 |", done.stdout)
        path = os.path.join(self.home, "run.json")
        done = self.bench("--export", "json", "--out", path)
        self.assertIn("times live", done.stdout)
        with open(path) as file:
            self.assertEqual(len(json.load(file)["stages"]), 4)
        lines = self.bench("--json").stdout.splitlines()
        self.assertEqual(json.loads(lines[-1])["message_type"], "bench")

    def test_usage(self):
        for wrong in (["--threshold", "fast"], ["--threshold", "5"], ["--runs", "0"], ["--warmup", "-1"],
                      ["--export", "xml"], ["--out", "x.json"], ["--json", "--export", "json"], ["--lanes", "0"],
                      ["--store", "x.db"], ["--runs", "2", "--runs", "3"]):
            runs = [] if "--runs" in wrong else ["--runs", "1"]
            done = replay("bench", "--archive", ARCHIVE, "--function", "event-counts", *runs, *wrong)
            self.assertEqual(done.returncode, 64, f"{wrong}: {done.stderr}")
        self.assertEqual(replay("bench", "--archive", ARCHIVE).returncode, 64)
        self.assertEqual(replay("bench", "--archive", ARCHIVE, "--function", "no-such").returncode, 64)

    def test_damage_and_a_broken_chain_end_it(self):
        for name, word in (("flipped-bit-zstd", "checksum"), ("overlap", "overlap"), ("half-record", "record")):
            done = self.bench(archive=os.path.join(BAD, name))
            self.assertEqual(done.returncode, 65, name + done.stderr)
            self.assertIn(word, done.stderr)
            self.assertNotIn("committed", done.stderr)
        done = self.bench("--allow-overlaps", archive=os.path.join(BAD, "overlap"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("flags let through", done.stdout)

    def test_ctrl_c_leaves_nothing_behind(self):
        archive = os.path.join(self.home, "big")
        generate(archive, "--events", 200000, "--codec", "gzip", "--segments", 8)
        for seconds in (0.3, 0.7, 1.1):
            process = subprocess.Popen(
                [TOOL, "bench", "--archive", archive, "--function", "recently-viewed", "--runs", "1000"],
                env={**os.environ, "TMPDIR": self.temporary}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            out, words = process.communicate(timeout=20)
            self.assertEqual((process.returncode, out), (130, ""), words)
            self.assertIn("removing the temporary database", words)
            self.assertEqual(os.listdir(self.temporary), [])

    def test_a_temporary_directory_that_is_none(self):
        done = replay("bench", "--archive", ARCHIVE, "--function", "event-counts",
                      env={"TMPDIR": os.path.join(self.home, "none")})
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertIn("TMPDIR", done.stderr)


if __name__ == "__main__":
    unittest.main()
