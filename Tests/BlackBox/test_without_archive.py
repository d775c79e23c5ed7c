"""Functions that are live do not read the archive any more: it may be gone, damaged or empty."""
import json, os, shutil, sqlite3, unittest

from test_live import LiveCase
from torture import event


class WithoutArchive(LiveCase):
    def live(self, layout="confluent", **how):
        self.scene(layout=layout, **how)
        self.assertEqual(self.run_live().returncode, 0)

    def more(self):
        """Events that only the stream has."""
        own = [event(self.chance, 0, 2, len(self.events[0]) + n) for n in range(30)]
        self.events[0] += own
        lines = [json.dumps(e, separators=(",", ":")).encode() for e in own]
        self.lines[0] += lines
        self.stream.append(0, lines)

    def goes_on(self, *flags):
        self.more()
        done = self.run_live(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()
        return done

    def test_it_is_gone(self):
        for kind, layout in (("dir", "confluent"), ("dir", "aiven"), ("kafka", "aiven")):
            with self.subTest(kind=kind, layout=layout):
                self.live(layout, kind=kind)
                shutil.rmtree(self.archive.root)
                done = self.goes_on()
                self.assertIn("warning: the archive cannot be looked at", done.stderr)
                self.goes_on()
                os.remove(self.store)
                shutil.rmtree(os.path.join(self.scratch, "retail"), ignore_errors=True)

    def test_it_is_damaged_or_empty(self):
        self.live("aiven")
        for content in (b"\x1f\x8b\x08garbage", b"{not json", b""):
            with self.subTest(content=content):
                for name in os.listdir(self.archive.root):
                    with open(os.path.join(self.archive.root, name), "wb") as file:
                        file.write(content)
                self.goes_on()

    def test_a_function_that_joins_needs_it(self):
        self.scene()
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        shutil.rmtree(self.archive.root)
        done = self.run_live()
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertEqual(self.run_live("--full-refresh", functions=["event-counts"]).returncode, 66)
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)

    def test_flags_that_say_what_was_read_and_others(self):
        self.scene()
        self.assertEqual(self.run_live("--key", "data.customer").returncode, 0)
        shutil.rmtree(self.archive.root)
        self.goes_on("--key", "data.customer")
        done = self.run_live("--key", "data.sku")
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn("do not read its events any more", done.stderr)

    def test_a_store_that_does_not_say_how_events_are_laid_out(self):
        """One of an older replay: any one segment is enough then."""
        self.live("aiven")
        with sqlite3.connect(self.store) as database:
            database.execute("DROP TABLE _replay_layouts")
        database.close()
        kept = os.path.join(self.scratch, "kept")
        shutil.move(self.archive.root, kept)
        done = self.run_live()
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn("effect: nothing was applied", done.stderr)
        self.assertIn("next:   put back any one of its segments", done.stderr)
        os.makedirs(self.archive.root)
        name = sorted(os.listdir(kept))[-1]
        shutil.copy(os.path.join(kept, name), self.archive.root)
        self.goes_on()
        shutil.rmtree(self.archive.root)
        self.goes_on()


if __name__ == "__main__":
    unittest.main()
