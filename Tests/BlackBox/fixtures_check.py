"""Runs the tool on every fixture and compares rows, exit codes and messages with what the generator said.

Usage: fixtures_check.py REPLAY [NAME ...]. Expected rows come from fixtures/expected.json, the generator's own tally.
"""
import json, os, sqlite3, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")
TABLES = {
    "shade_velocity": "SELECT * FROM shade_velocity ORDER BY shade",
    "event_counts": "SELECT * FROM event_counts ORDER BY type, day",
    "recently_viewed": "SELECT * FROM recently_viewed ORDER BY customer, rank",
}
FUNCTIONS = ["shade-velocity", "event-counts", "recently-viewed"]


def rows(path, table):
    with sqlite3.connect(path) as database:
        return [list(row) for row in database.execute(TABLES[table])]


def run(tool, case, store, *more):
    command = [tool, "--archive", os.path.join(FIXTURES, case["path"]), "--store", store]
    for function in FUNCTIONS:
        command += ["--function", function]
    return subprocess.run(command + case["args"] + list(more), capture_output=True, text=True, timeout=120)


def check(tool, case, expected, scratch, *more):
    """Returns what is wrong, as a list of lines."""
    store = os.path.join(scratch, case["name"] + ".db")
    done = run(tool, case, store, *more)
    wrong = []
    if done.returncode != case["exit"]:
        wrong.append(f"exit {done.returncode}, expected {case['exit']}")
    for mention in case["mentions"]:
        if mention not in done.stderr:
            wrong.append(f"the message does not mention {mention!r}")
    if case["exit"] == 0 and case["dataset"] and done.returncode == 0:
        for table in TABLES:
            want = sorted(map(tuple, expected[case["dataset"]][table]))
            if sorted(map(tuple, rows(store, table))) != want:
                wrong.append(f"rows of {table} differ")
    if wrong:
        wrong.append(done.stderr.strip())
    return wrong


def main():
    tool, names = sys.argv[1], sys.argv[2:]
    cases = json.load(open(os.path.join(FIXTURES, "cases.json")))
    expected = json.load(open(os.path.join(FIXTURES, "expected.json")))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            if names and case["name"] not in names:
                continue
            wrong = check(tool, case, expected, scratch)
            failed += bool(wrong)
            if wrong:
                print(f"FAILED {case['kind']} {case['name']}: " + "\n    ".join(wrong))
    print(f"{len(names or cases) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
