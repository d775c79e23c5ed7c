"""Damaged archives, a short form: `damage` makes, damages and replays archives in one process, see `Tests/Tools/damage`."""
import os, re, subprocess, unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DAMAGE = os.environ.get("REPLAY_DAMAGE", os.path.join(ROOT, ".build", "release", "damage"))


def damage(*arguments):
    if not os.path.exists(DAMAGE):
        subprocess.run(["swift", "build", "-c", "release", "--product", "damage"], cwd=ROOT, check=True)
    return subprocess.run([DAMAGE, *map(str, arguments)], capture_output=True, text=True, timeout=600)


class DamageTests(unittest.TestCase):
    def test_no_damage_is_lost_silently(self):
        done = damage("--runs", 2000, "--seed", 7)
        self.assertEqual(done.stdout.splitlines()[-1], "2000 passed, 0 failed", done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_a_number_repeats_its_mutation(self):
        """The same seed and number are the same mutation with the same verdict, alone and among others."""
        lines = [damage("--only", 17, "--seed", 7).stdout.splitlines()[1] for _ in range(2)]
        self.assertEqual(lines[0], lines[1])
        self.assertRegex(lines[0], r"^[a-z-]+, [a-z-]+, ")

    def test_each_damage_and_layout_is_tried(self):
        text = damage("--runs", 2000, "--seed", 8).stdout
        for name in ["firehose", "kcr", "lenses", "gzip-in-zstd", "zstd-no-checksum", "cut at a byte", "file removed or late"]:
            self.assertTrue(re.search(rf"^{name}\s+[1-9]", text, re.M), name)


if __name__ == "__main__":
    unittest.main()
