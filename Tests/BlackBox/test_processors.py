"""The tool on processors that lack what this one has: kernels are chosen at run time, and the rows are the same."""
import os, platform, shutil, sqlite3, subprocess, tempfile, unittest

from support import GOOD, TOOL

# Without SSE 4; without carry-less multiplication; without AVX; without AVX2; all that the emulator knows.
PROCESSORS = ["core2duo", "Nehalem", "Westmere", "SandyBridge", "max"]


@unittest.skipUnless(platform.machine() == "x86_64", "the emulated processors are x86-64")
class Processors(unittest.TestCase):
    def test_rows_and_digests_are_the_same_on_each(self):
        for archive in ("confluent-gzip", "confluent-zstd"):
            seen = set()
            for processor in PROCESSORS:
                with self.subTest(processor, archive=archive):
                    home = tempfile.mkdtemp()
                    store = os.path.join(home, "t.db")
                    done = subprocess.run(
                        ["qemu-x86_64", "-cpu", processor, TOOL, "--archive", os.path.join(GOOD, archive), "--store", store,
                         "--function", "shade-velocity", "--function", "recently-viewed"],
                        capture_output=True, text=True, timeout=120)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    database = sqlite3.connect(store)
                    tables = ("shade_velocity", "recently_viewed", "_replay_segments")
                    seen.add(tuple(tuple(database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 7" if "replay" in table
                                                          else f"SELECT * FROM {table} ORDER BY 1, 2").fetchall())
                                   for table in tables))
                    database.close()
                    shutil.rmtree(home)
            self.assertEqual(len(seen), 1, archive)


if __name__ == "__main__":
    unittest.main()
