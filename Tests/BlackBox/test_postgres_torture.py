"""A short form of `make postgres-torture`; and whether its comparison sees what is wrong."""
import os, random, re, subprocess, sys, unittest

from postgres_scene import Scene
from support import HERE, TOOL


class Torture(unittest.TestCase):
    def short(self, script, *options):
        done = subprocess.run([sys.executable, os.path.join(HERE, script), TOOL, "--seed", "1", *options],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_crashes_kills_and_lost_answers(self):
        said = self.short("postgres_torture.py", "--runs", "2", "--share", "0.5")
        for kind in ("server", "kill", "commit"):
            self.assertIn(f"{kind}, seeds from 1: 2 of 2 runs", said)

    def test_runs_that_are_stopped_taken_over_and_woken(self):
        said = self.short("postgres_zombies.py", "--runs", "3", "--share", "0.5")
        self.assertEqual(len(re.findall("3 of 3 runs wrote nothing", said)), 2, said)


class Comparison(unittest.TestCase):
    """What a bug would leave behind, made by hand."""

    WRONG = {
        "an event counted twice": "UPDATE {0}.shade_velocity SET units = units + 1 WHERE shade = "
                                  "(SELECT min(shade) FROM {0}.shade_velocity)",
        "a row that is missing": "DELETE FROM {0}.recently_viewed WHERE (customer, rank) IN "
                                 "(SELECT customer, max(rank) FROM {0}.recently_viewed GROUP BY 1 ORDER BY 1 LIMIT 1)",
        "another time": "UPDATE {0}.recently_viewed SET viewed_at = viewed_at + interval '1 millisecond' WHERE rank = 1",
        "a position": "UPDATE {0}._replay_positions SET next = '1' WHERE function = 'shade-velocity'",
        "the books": "UPDATE {0}._replay_functions SET events = events - 1",
        "half a segment": "INSERT INTO {0}._replay_half_read SELECT function, first, last, log, side, partition, name, size, "
                          "version, 0, digest FROM {0}._replay_segments LIMIT 1",
        "no primary key": "ALTER TABLE {0}.shade_velocity DROP CONSTRAINT shade_velocity_pkey",
        "a table too many": "CREATE TABLE {0}.left_behind (a bigint PRIMARY KEY)",
    }

    def test_it_sees_what_is_wrong_and_any_write(self):
        scene = Scene(TOOL, share=0.1)
        self.addCleanup(scene.close)
        undisturbed = scene.undisturbed["confluent"]
        for what, sql in self.WRONG.items():
            with self.subTest(what), scene.schema() as (schema, address):
                subprocess.run(scene.command("confluent", address, random.Random(1)), check=True, capture_output=True)
                self.assertIsNone(undisturbed.difference(schema))
                scene.server.sql(sql.format(schema))
                self.assertIsNotNone(undisturbed.difference(schema))
        with scene.schema() as (schema, address):
            subprocess.run(scene.command("confluent", address, random.Random(1)), check=True, capture_output=True)
            before = undisturbed.every_bit(schema)
            self.assertEqual(undisturbed.every_bit(schema), before)
            scene.server.sql(f"UPDATE {schema}._replay_positions SET next = next")
            self.assertIsNone(undisturbed.difference(schema))
            self.assertNotEqual(undisturbed.every_bit(schema), before)


if __name__ == "__main__":
    unittest.main()
