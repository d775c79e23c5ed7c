"""Files that were exchanged between partitions, found by `damage`: records that say which partition they are of are held to it."""
import contextlib, os, shutil, sqlite3, tempfile, unittest

import case  # noqa: F401
from support import GOOD, replay

EXCHANGED = {
    "lenses": ("retail/0/000000000499_1676420299388_1680304176600.json", "retail/1/000000000499_1676422646617_1680292072219.json"),
    "kcr": ("kcr-retail-20230101-000000/retail-0", "kcr-retail-20230101-000000/retail-2"),
}


class Exchanged(unittest.TestCase):
    def test_a_file_of_another_partition_is_refused_and_the_mended_archive_goes_on(self):
        for layout, (one, other) in EXCHANGED.items():
            with self.subTest(layout), tempfile.TemporaryDirectory() as work:
                archive, store = os.path.join(work, "a"), os.path.join(work, "s.db")
                shutil.copytree(os.path.join(GOOD, layout), archive)
                run = ["--archive", archive, "--function", "event-counts", "--store", store]
                self.exchange(archive, one, other)
                done = replay(*run)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn("a record is of another partition than its file", done.stderr)
                self.assertIn("expected partition ", done.stderr)
                self.exchange(archive, one, other)
                self.assertEqual(replay(*run).returncode, 0)
                undisturbed = os.path.join(work, "u.db")
                self.assertEqual(replay(*run[:-1], undisturbed).returncode, 0)
                self.assertEqual(self.rows(store), self.rows(undisturbed))

    def exchange(self, archive, one, other):
        one, other = os.path.join(archive, one), os.path.join(archive, other)
        os.rename(one, one + ".away")
        os.rename(other, one)
        os.rename(one + ".away", other)

    def rows(self, store):
        with contextlib.closing(sqlite3.connect(store)) as database:
            return database.execute("SELECT * FROM event_counts ORDER BY 1, 2").fetchall()


if __name__ == "__main__":
    unittest.main()
