"""Functions that write by themselves: order, and what a kill delivers again. `order.py` is the long way."""
import os, shutil, tempfile, unittest

import order
from support import TOOL, generate

EVENTS = 20_000


class Order(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.archive = os.path.join(cls.folder, "events")
        generate(cls.archive, "--events", EVENTS, "--codec", "zstd", "--tally", os.path.join(cls.folder, "tally.json"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def run_form(self, form, workers, **how):
        return order.run(TOOL, self.archive, EVENTS, form, workers, seed=workers, **how)

    def test_every_event_comes_and_those_of_a_key_rise_whatever_workers_do(self):
        for form, workers, often in (("lambda", 1, 20_000), ("lambda", 5, 20_000), ("lines", 2, 300), ("lines", 9, 300),
                                     ("invoke", 3, 20_000), ("binary", 4, 300)):
            with self.subTest(form=form, workers=workers):
                found = self.run_form(form, workers, often=often)
                self.assertEqual((found.inversions, found.missing), (0, 0))
                self.assertGreater(found.total, EVENTS, "nothing failed")

    def test_parked_keys_go_on_in_order_once_retried(self):
        for form, workers, often in (("lambda", 3, 20_000), ("lines", 3, 300), ("invoke", 3, 20_000), ("sql", 3, 5_000)):
            with self.subTest(form=form, workers=workers):
                found = self.run_form(form, workers, often=often, parks=True)
                self.assertEqual((found.inversions, found.missing), (0, 0))

    def test_sql_sees_the_events_of_a_key_in_order(self):
        for lanes in (1, 6):
            with self.subTest(lanes=lanes):
                found = self.run_form("sql", lanes, often=0, kills=2)
                self.assertEqual((found.inversions, found.missing), (0, 0))

    def test_a_kill_delivers_at_most_one_batch_a_worker_again(self):
        for form, workers in (("lambda", 2), ("lines", 4)):
            with self.subTest(form=form, workers=workers):
                kills, batch = 4, 50
                found = self.run_form(form, workers, often=0, batch=batch, kills=kills)
                self.assertEqual((found.inversions, found.missing), (0, 0))
                self.assertLessEqual(found.total - EVENTS, kills * workers * batch)

    def test_live_every_event_comes_and_those_of_a_key_rise_whatever_workers_do(self):
        for form, workers, often in (("lambda", 4, 20_000), ("lines", 1, 300), ("lines", 5, 300)):
            with self.subTest(form=form, workers=workers):
                found = order.run_live(TOOL, EVENTS, form, workers, often=often, seed=workers)
                self.assertEqual((found.inversions, found.missing), (0, 0))
                self.assertGreater(found.total, EVENTS - EVENTS % 3, "nothing failed")

    def test_live_parked_keys_go_on_in_order_once_retried(self):
        found = order.run_live(TOOL, EVENTS, "lines", 4, often=300, seed=4, parks=True)
        self.assertEqual((found.inversions, found.missing), (0, 0))

    def test_live_a_kill_delivers_at_most_one_batch_a_worker_again_though_their_number_changes(self):
        for form, workers in (("lambda", (2, 5, 1, 4)), ("lines", (4, 1, 7, 3))):
            with self.subTest(form=form, workers=workers):
                kills, batch = 4, 20
                found = order.run_live(TOOL, EVENTS, form, workers, often=0, seed=sum(workers), batch=batch, kills=kills)
                self.assertEqual((found.inversions, found.missing), (0, 0))
                self.assertLessEqual(found.total - EVENTS, kills * max(workers) * batch)


if __name__ == "__main__":
    unittest.main()
