"""A topic that ends with a transaction's marker, which no reader is ever given: who waits for its last offset as an event
waits for ever (F4 of the catalogue)."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "BlackBox"))
import markers
from support import replay
from test_live import LiveCase


class ControlRecords(LiveCase):
    def caught_up(self):
        names = [part for name in ("shade-velocity", "recently-viewed", "event-counts") for part in ("--function", name)]
        done = replay("--archive", self.archive.root, "--store", self.store, "--live", self.stream.address,
                      "--until-caught-up", *names)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_a_marker_at_the_end_is_passed_over(self):
        for layout in ("confluent", "aiven"):
            with self.subTest(layout):
                self.setUp()
                self.scene(kind="kafka", layout=layout)
                for partition in range(2):
                    markers.append("retail", partition, self.stream.address)
                self.caught_up()
                # The next run begins behind them, and has nothing to wait for.
                self.caught_up()


if __name__ == "__main__":
    unittest.main()
