"""What other programs may do to the store's file: each case once broke the tool."""
import sqlite3, time, unittest

import test_found
from test_found import sold


class Store(unittest.TestCase):
    setUp, tearDown, put, run_tool = test_found.Found.setUp, test_found.Found.tearDown, test_found.Found.put, test_found.Found.run_tool

    def test_a_table_of_the_feeds_name_is_never_read_in_its_place(self):
        self.put("a.json", sold("a"))
        self.run_tool()
        with sqlite3.connect(self.store) as database:
            database.execute('CREATE TABLE "_replay_rows_of_shade_velocity" (a)')
        database.close()
        self.put("b.json", sold("b"))
        done = self.run_tool(code=1)
        self.assertIn("_replay_rows_of_shade_velocity", done.stderr)
        with sqlite3.connect(self.store) as database:
            database.execute('DROP TABLE "_replay_rows_of_shade_velocity"')
        database.close()
        self.run_tool()
        with sqlite3.connect(self.store) as database:
            self.assertEqual(database.execute("SELECT shade FROM shade_velocity ORDER BY 1").fetchall(), [("a",), ("b",)])
        database.close()

    def test_a_lock_is_waited_for_as_long_as_was_said(self):
        self.put("a.json", sold("a"))
        self.run_tool()
        reader = sqlite3.connect(self.store, isolation_level=None)
        reader.execute("PRAGMA journal_mode = DELETE")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM shade_velocity").fetchall()
        began = time.monotonic()
        self.put("b.json", sold("b"))
        self.run_tool("--lock-timeout", "1", code=75)
        self.assertLess(time.monotonic() - began, 8)
        reader.close()


if __name__ == "__main__":
    unittest.main()
