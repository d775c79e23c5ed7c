"""The examples of `fixtures/functions`, each in its own language, against rows that were written by hand."""
import json, os, sqlite3, tempfile, unittest

from support import FIXTURES, python_with_packages, replay

FUNCTIONS = os.path.join(FIXTURES, "functions")
with open(os.path.join(FUNCTIONS, "expected.json")) as file:
    EXPECTED = json.load(file)
RETAIL = ["--archive", os.path.join(FUNCTIONS, "retail.jsonl")]
HELLO = ["--archive", os.path.join(FUNCTIONS, "hello-retail.jsonl"), "--key", "data.id"]


def declared(name):
    return ["--tables", os.path.join(FUNCTIONS, f"{name}.json")]


class Examples(unittest.TestCase):
    def assert_rows(self, tables, archive, *flags):
        with tempfile.TemporaryDirectory() as work:
            store = os.path.join(work, "s.db")
            done = replay(*archive, *flags, "--store", store, env=python_with_packages())
            self.assertEqual(done.returncode, 0, done.stderr)
            with sqlite3.connect(store) as database:
                for table in tables:
                    found = sorted(map(list, database.execute(f"SELECT * FROM {table}")), key=str)
                    self.assertEqual(found, EXPECTED[table], table)

    def assert_shades(self, function, *flags):
        self.assert_rows(["shade_velocity"], RETAIL, "--function", function, *declared("shade_velocity"), *flags)

    def test_swift(self):
        self.assert_rows(["shade_velocity"], RETAIL, "--function", "shade-velocity")

    def test_an_unmodified_python_handler(self):
        self.assert_shades(f"lambda:{FUNCTIONS}/shade_velocity.py:handler")

    def test_a_node_handler(self):
        self.assert_shades(
            f"lambda:exec:node {FUNCTIONS}/runtime_client.mjs {FUNCTIONS}/shade_velocity.mjs handler")

    def test_shell(self):
        self.assert_shades(f"exec:sh {FUNCTIONS}/shade_velocity.sh")

    def test_lines(self):
        for lines in ("event", "batch"):
            self.assert_shades(f"exec:python3 {FUNCTIONS}/shade_velocity_lines.py", "--exec-lines", lines)

    def test_the_product_catalogue(self):
        self.assert_rows(["catalog", "category"], HELLO, "--function",
                         f"lambda:{FUNCTIONS}/product_catalogue.py:handler", *declared("product_catalogue"))

    def test_the_cart(self):
        self.assert_rows(["cart"], HELLO, "--function", f"lambda:{FUNCTIONS}/cart.py:handler", *declared("cart"))


class Try(unittest.TestCase):
    def test_a_few_events_and_the_rows_that_they_make(self):
        done = replay("test", "--function", f"lambda:{FUNCTIONS}/cart.py:handler", *declared("cart"), "--events",
                      os.path.join(FUNCTIONS, "hello-retail.jsonl"), "--key", "data.id", "--limit", 5,
                      env=python_with_packages())
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(found, [{"table": "cart", "user": f"shopper-{n}", "product": "4579874", "quantity": 1}
                                 for n in (1, 2)])
        self.assertIn("read 5 = applied 2 + ignored 3", done.stderr)

    def test_an_event_that_fails_is_shown(self):
        done = replay("test", "--function", "exec:sh -c 'read line; echo this one not >&2'", "--contract", "changes",
                      *declared("cart"), "--archive", os.path.join(FUNCTIONS, "hello-retail.jsonl"), "--key", "data.id")
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("this one not", done.stderr)
        self.assertIn("nothing is kept", done.stderr)

    def test_what_writes_by_itself_is_asked_for(self):
        with tempfile.TemporaryDirectory() as work:
            mark = os.path.join(work, "mark")
            flags = ["test", "--function", f"exec:sh -c 'while read line; do echo $line >> {mark}; echo {{}}; done'",
                     "--contract", "writes-itself", "--events", os.path.join(FUNCTIONS, "retail.jsonl"), "--limit", 2]
            done = replay(*flags)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("--yes", done.stderr)
            self.assertFalse(os.path.exists(mark))
            done = replay(*flags, "--yes")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(mark) as lines:
                self.assertEqual(len(lines.readlines()), 2)


if __name__ == "__main__":
    unittest.main()
