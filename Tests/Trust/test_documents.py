"""The documents of this room say what is in the tree: every test that they name, every row that they promise, every sum."""
import json, os, re, unittest

import case  # noqa: F401
from support import FIXTURES, ROOT

TESTS = os.path.join(ROOT, "Tests")
NAMED = re.compile(r"`([A-Za-z]+/[A-Za-z_0-9]+\.(?:swift|py)): ([A-Za-z_0-9, ]+)`")
SIZES = {"A": 21, "B": 10, "C": 8, "D": 13, "E": 7, "F": 17}
STATES = {"Cannot happen:": "cannot happen", "Not built:": "not built", "Open:": "open"}


def read(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def rows(text):
    """The cells of every row of a table, but for heads."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row for row in found if any(row) and not set("".join(row)) <= set("- ")]


class Documents(unittest.TestCase):
    def named_in(self, text):
        """Every test that is named, once it was found in the tree: (file, function)."""
        found = []
        for path, names in NAMED.findall(text):
            source = read(os.path.join("Tests", path))
            for name in names.split(", "):
                word = "func" if path.endswith(".swift") else "def"
                self.assertTrue(re.search(rf"\b{word} {name}\(", source), f"{path} has no {name}")
                found.append((path, name))
        for mentioned in re.findall(r"`([A-Za-z]+/[A-Za-z_0-9]+\.(?:swift|py))", text):
            self.assertTrue(os.path.exists(os.path.join(TESTS, mentioned)), mentioned)
        # One that is named without its file could not be found.
        for word in re.findall(r"\btest_[a-z0-9_]+", NAMED.sub("", text)):
            self.assertTrue(any(f"/{word}.py" in text or path.endswith(f"{word}.py") for path, _ in found), word)
        return found

    def test_the_bug_catalogue(self):
        text = read("docs/bug-catalogue.md")
        entries = [row for row in rows(text) if re.fullmatch("[A-F][0-9]+", row[0])]
        wanted = [f"{group}{number}" for group, size in SIZES.items() for number in range(1, size + 1)]
        self.assertEqual([row[0] for row in entries], wanted)
        self.assertEqual(len(entries), 76)
        sums, own, before = {"covered by a test": 0, "cannot happen": 0, "not built": 0, "open": 0}, {}, None
        for row in entries:
            number, elsewhere, here = row
            self.assertEqual(elsewhere.count("](http") + elsewhere.count("(measured"), 1, number)
            state = next((name for word, name in STATES.items() if here.startswith(word)), "covered by a test")
            sums[state] += 1
            tests = before if here == "the same" else self.named_in(here)
            if state == "covered by a test":
                self.assertTrue(tests, f"{number} names no test")
            own[number], before = tests, tests
        self.assertEqual({row[0]: int(row[1]) for row in rows(text.split("## Sums")[1])}, sums)
        # What was written for an entry is named in it.
        for name in re.findall(r"def (test_([a-f][0-9]+)_\w+)", read("Tests/Trust/test_catalogue.py")):
            self.assertIn(("Trust/test_catalogue.py", name[0]), own[name[1].upper()])
        for path, _, names in os.walk(TESTS):
            for name in filter(lambda name: name.endswith("Tests.swift"), names):
                for function, numbers in re.findall(r"func (((?:f[0-9]+)+)[A-Z]\w*)\(", read(os.path.join(path, name))):
                    for number in re.findall("f[0-9]+", numbers):
                        self.assertIn(function, [test for _, test in own[number.upper()]], f"{number} has a test of its own")

    def test_cases_and_fixtures_are_there(self):
        text = read("docs/bug-catalogue.md") + read("docs/security.md")
        suites = "".join(read(os.path.join("Sources/ReplayTesting", name))
                         for name in os.listdir(os.path.join(ROOT, "Sources/ReplayTesting")))
        cases = re.findall(r'cases? ("[^"|]+"(?:, "[^"|]+")*)', text)
        self.assertGreater(len(cases), 3)
        for name in re.findall('"([^"]+)"', " ".join(cases)):
            self.assertIn(f'"{name}"', suites)
        with open(os.path.join(FIXTURES, "cases.json")) as file:
            fixtures = {f"{one['kind']}/{one['name']}" for one in json.load(file)}
        named = re.findall("`((?:good|bad)/[a-z0-9-]+)`", text)
        self.assertGreater(len(named), 10)
        self.assertEqual(set(named) - fixtures, set())

    def test_the_threats(self):
        text = read("docs/security.md")
        tests = self.named_in(text)
        for row in rows(text.split("## Threats")[1].split("\n## ")[0])[1:]:
            self.assertEqual(len(row), 3, row)
            self.assertTrue(NAMED.search(row[2]) or row[2].startswith(("Not built:", "No test:", "`docs/trust.md`")), row[0])
        own = {name for path, name in tests if path in ("Trust/test_threats.py", "Trust/test_secrets.py")}
        for path in ("Tests/Trust/test_threats.py", "Tests/Trust/test_secrets.py"):
            self.assertEqual(set(re.findall(r"def (test_\w+)", read(path))) - own, set(), "named nowhere")


if __name__ == "__main__":
    unittest.main()
