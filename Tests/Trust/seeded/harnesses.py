"""The harnesses in short forms: what they are called in the tables, and how they are run in a copy of the tree."""
import dataclasses, os, re, signal, subprocess, sys, tempfile, time

# A test module, until its first failure. A tool that hangs is found out sooner than a person would wait.
MODULE = ("import sys, unittest; sys.path[:0] = ['.', '../BlackBox']; import support; "
          "support.replay.__kwdefaults__['timeout'] = int(sys.argv[1]); "
          "unittest.main(module=None, argv=['unittest', '-f', *sys.argv[2:]])")


@dataclasses.dataclass(frozen=True)
class Harness:
    """`folder`: below Tests. `words`: a script and its arguments behind the tool; or names of unit tests."""
    folder: str
    words: tuple
    limit: int = 90

    def command(self, tool, seed, mock, patience):
        script, *arguments = self.words
        if not script.endswith(".py"):
            return [sys.executable, "-c", MODULE, str(round(25 * patience)), *self.words]
        more = ["--kafka-mock", mock] if "kafka" in arguments else []
        return [sys.executable, script, tool, *arguments, *more, "--seed", str(seed)]


def tests(*names, folder="BlackBox", limit=90):
    return Harness(folder, names, limit)


def script(*words, limit=90):
    return Harness("BlackBox", words, limit)


HARNESSES = {
    "fixtures": tests("test_fixtures.Fixtures.test_every_case",
                      "test_fixtures.Fixtures.test_a_bad_archive_loses_nothing_before_the_damage"),
    "fixtures in lanes": tests("test_fixtures.Fixtures.test_same_rows_for_any_lanes_and_block_size", limit=180),
    "runs": tests("test_run"),
    "found": tests("test_found"),
    "kills": script("kill.py", "--points", "40", "--events", "8000"),
    "held back": tests("test_held_back", folder="Trust"),
    "unproven": tests("test_unproven", folder="Trust"),
    "order": tests("test_order.Order.test_every_event_comes_and_those_of_a_key_rise_whatever_workers_do",
                   "test_order.Order.test_sql_sees_the_events_of_a_key_in_order"),
    "order through kills": tests("test_order.Order.test_a_kill_delivers_at_most_one_batch_a_worker_again",
                                 "test_order.Order.test_live_a_kill_delivers_at_most_one_batch_a_worker_again_though_their_"
                                 "number_changes"),
    "functions": tests("test_functions.SameRows", "test_function_examples"),
    "windows": tests("test_functions_windows.SameWindows"),
    "failed": tests("test_failed"),
    "filters": tests("test_filters.StatedFilters", "test_filters.LiveFilters"),
    "diff": tests("test_diff.SQLTests"),
    "builds": tests("test_rebuild.OnSQLite"),
    "live": tests("test_live.RefusalTests", "test_live.HandoffTests", "test_live.PhaseTests"),
    "overlap": tests("test_overlap"),
    "control records": tests("test_control_records", folder="Trust"),
    "retention": tests("test_passed_retention", folder="Trust"),
    "races": script("torture.py", "--runs", "15"),
    "Kafka races": script("torture.py", "--runs", "4", "--stream", "kafka"),
    "live kills": script("live_kills.py", "--kills", "15", "--share", "0.5"),
    "zombies in SQLite": script("postgres_zombies.py", "--runs", "4", "--stores", "sqlite", "--share", "0.3"),
    "PostgreSQL": script("postgres_torture.py", "--runs", "4", "--share", "0.3", limit=180),
    "zombies in PostgreSQL": script("postgres_zombies.py", "--runs", "4", "--stores", "postgres", "--share", "0.3", limit=180),
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`found`: what the harness said first of what is wrong; nil: it passed."""
    found: str | None
    seconds: float


class Bench:
    """Runs harnesses in the copy of the tree at `tree`; `patience`: how much longer than usual they may take."""

    def __init__(self, tree, seed, python, patience=1.0):
        self.tree, self.seed, self.python, self.patience = tree, seed, python, patience
        self.mock = os.path.join(tree, ".build", "release", "kafka-mock")
        # How long each harness took while no fault was on: one that takes much longer hangs, one on a busy machine does not.
        self.calm = {}

    def run(self, name, bug):
        """The harness with a tool that has this bug; with none where it is None."""
        harness = HARNESSES[name]
        with tempfile.TemporaryDirectory(prefix="replay-seeded-", ignore_cleanup_errors=True) as home:
            os.chmod(home, 0o755)  # PostgreSQL runs as another user where this one is root.
            tool, failing = (self.wrapper(home, product, bug) for product in ("replay", "failing-tool"))
            environment = {**os.environ, "REPLAY_TOOL": tool, "REPLAY_FAILING_TOOL": failing, "REPLAY_PYTHON": self.python,
                           "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
            with open(os.path.join(home, "said"), "w+") as said:
                began = time.monotonic()
                # A session of its own, so that all of it can be ended.
                process = subprocess.Popen(
                    harness.command(tool, self.seed, self.mock, self.patience),
                    cwd=os.path.join(self.tree, "Tests", harness.folder), env=environment, stdin=subprocess.DEVNULL,
                    stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
                limit = max(harness.limit * self.patience, 4 * self.calm.get(name, 0))
                late = self.end(process, limit)
                seconds = time.monotonic() - began
                said.seek(0)
                text = said.read()
        if late:
            usual = f", {self.calm[name]:.0f} s while no fault is on" if name in self.calm else ""
            return Verdict(f"it did not end in {limit:.0f} s{usual}", seconds)
        if bug is None:
            self.calm[name] = seconds
        return Verdict(None if process.returncode == 0 else first_line(text), seconds)

    @staticmethod
    def end(process, limit):
        try:
            process.wait(limit)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True

    def wrapper(self, home, product, bug):
        """The product as a program that has the bug whatever environment it is given: harnesses take theirs away."""
        path = os.path.join(home, product)
        with open(path, "w") as file:
            setting = f"REPLAY_SEEDED_BUG={bug} " if bug else ""
            file.write(f'#!/bin/sh\n{setting}exec {os.path.join(self.tree, ".build", "release", product)} "$@"\n')
        os.chmod(path, 0o755)
        return path


def first_line(text):
    """What a harness says first of what is wrong: of unit tests the error, else the first line."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [place for place, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception|Expired|Exit)\b", line)]
    if errors:
        return " ".join(lines[errors[0]:errors[0] + 2])[:300]
    return lines[0][:300] if lines else "nothing was said"
