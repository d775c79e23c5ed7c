"""Kills the tool at every call that changes something outside of it, one call after another, and resumes.

Usage: kill_calls.py REPLAY [--points 10000] [--seed 1] [--jobs 2] [--lanes 1,4,16] [--raw PATH] [--only SCENE:N:HOW].
Each scene (a kind of function, a number of lanes, the archive alone or a stream behind it, new or going on after a kill)
is first run undisturbed, and its calls are counted: writes, syncs, renames, deletions, new files, lines to a program.
Then each number is one point: the run is killed before its n-th call is made, and at every fourth once more behind it,
when it was made (of a write only half of it). Threads race, so the n-th call is not the same one in every run; which one
it was is reported. The scenes take turns, and a scene's numbers are spread, so that few points cover all of them.

After each kill the store must be consistent as it lies: each function's rows are the independent tally of exactly the
events before its positions. Then another number of lanes resumes, and the whole database must be the undisturbed run's:
every row, and the digest of what VACUUM INTO makes of it.
"""
import collections, os, shutil, signal, sys, tempfile, time

import call_tracer
from jobs import arguments, outcomes_of, tell
from kill_scenes import LANES, PATIENCE, Scene, World, copied, ended, inconsistency, place
from torture import phase

CALLS = ["pwrite64", "write", "fsync", "fdatasync", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "unlink",
         "unlinkat", "mkdir", "openat"]
KINDS = {"swift": "built in", "lines": "child", "shell": "child", "sql": "SQL file"}
# Where in the first run's calls the kill was from which a recovery goes on.
FIRST_KILLS = (0.05, 0.4, 0.8)


def kind_of(call, home):
    """The call and what it is about, in two words; None where it changes nothing outside of the process."""
    about = place(call.path, home)
    if about is None or call.name == "openat" and not call.makes_a_file:
        return None
    return f"{call.name} {about}"


class Trigger:
    """Asked at each call: kills at the n-th that counts. With `number` None it only counts."""

    def __init__(self, home, number=None, how="before"):
        self.home, self.number, self.how = home, number, how
        self.seen, self.hit = [], None

    def __call__(self, call):
        kind = kind_of(call, self.home)
        if kind is None:
            return None
        self.seen.append(kind)
        if len(self.seen) != self.number:
            return None
        self.hit = kind
        if self.how == "before":
            return "kill"
        if "write" in call.name and call.arguments[2] > 1:
            call.shorten(call.arguments[2] // 2)
            self.hit += ", half written"
        else:
            self.hit += ", done"
        return "kill after"


def traced(scene, home, number=None, how="before"):
    """The finished run and its trigger."""
    scene.prepare(home)
    trigger = Trigger(home, number, how)
    run = call_tracer.Run(scene.command(home), CALLS, trigger, PATIENCE, output=os.path.join(home, "output"))
    return run, trigger


def said(home):
    with open(os.path.join(home, "output"), errors="replace") as file:
        return file.read()[-1500:]


def measure(scene, scratch):
    """(calls, dump, digest) of an undisturbed run; raises where that already is wrong."""
    home = os.path.join(scratch, "home")
    run, trigger = traced(scene, home)
    if run.code != 0:
        raise SystemExit(f"{scene.name}: undisturbed it ends with {run.code}: {said(home)}")
    found, wrong = ended(scene.world, home, scratch)
    if wrong:
        raise SystemExit(f"{scene.name}: undisturbed: {wrong}")
    return trigger.seen, found


class Outcome:
    """What one point came to: of which kind the call was, where the store stood, and what went wrong (None: nothing)."""

    def __init__(self, scene, number, how):
        self.scene, self.number, self.how = scene.name, number, how
        self.kind = self.stood = self.problem = None
        self.seconds = 0.0


def point(scene, wanted, number, how, lanes, scratch):
    began, outcome = time.monotonic(), Outcome(scene, number, how)
    home, look = os.path.join(scratch, "home"), os.path.join(scratch, "look")
    run, trigger = traced(scene, home, number, how)
    outcome.kind = trigger.hit
    outcome.problem = judge(scene, wanted, run, trigger, lanes, home, look, scratch, outcome)
    if outcome.problem:
        kept = os.path.join(tempfile.gettempdir(), f"kill-calls-{scene.name}-{number}-{how}".replace("/", "-"))
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(look, kept) if os.path.exists(look) else os.makedirs(kept)
        outcome.problem += f"\n  the store as it was killed: {kept}"
    outcome.seconds = time.monotonic() - began
    return outcome


def judge(scene, wanted, run, trigger, lanes, home, look, scratch, outcome):
    if run.hung or run.left_running:
        return f"hung: {run.hung}, workers that outlived it: {run.left_running}: {said(home)}"
    expected = -signal.SIGKILL if trigger.hit else 0
    if run.code != expected:
        return f"exit {run.code}, not {expected}: {said(home)}"
    store = copied(home, look)
    outcome.stood = phase(store)
    if wrong := inconsistency(scene.world, store):
        return f"as it was killed: {wrong}"
    copied(home, look)
    if wrong := scene.resume(home, lanes):
        return wrong
    found, wrong = ended(scene.world, home, scratch)
    if wrong:
        return f"resumed: {wrong}"
    if found[0] != wanted[0]:
        return f"resumed: other rows in {[table for table in wanted[0] if wanted[0][table] != found[0].get(table)]}"
    return None if found[1] == wanted[1] else "resumed: the same rows, but another digest of VACUUM INTO"


def scenes(world, lanes):
    """Those that begin with a new store."""
    fresh = []
    for kind in ("swift", "lines", "sql"):
        for count in lanes:
            for is_live in (False, True):
                own = "shell" if kind == "lines" and count > 1 else kind
                fresh.append(Scene(world, own, count, is_live))
    return fresh


def recovery(scene, calls, number, scratch):
    """The scene that goes on from the kill; None where it was not hit."""
    home = os.path.join(scratch, "home")
    nth = max(1, int(len(calls) * FIRST_KILLS[number % len(FIRST_KILLS)]))
    _, trigger = traced(scene, home, nth)
    if not trigger.hit:
        return None
    start = os.path.join(scratch, "start-" + scene.name.replace("/", "-"))
    shutil.copytree(home, start)
    return Scene(scene.world, scene.kind, scene.lanes, scene.is_live, start, f"{scene.name}/recovery")


def spread(count):
    """1 to `count`, each once, such that any first few lie all over it."""
    return sorted(range(1, count + 1), key=lambda n: n * 0.6180339887498949 % 1)


class Hunt:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.world = World(options.tool, options.seed, scratch)
        self.scenes, self.calls, self.wanted = [], [], []

    def prepare(self):
        fresh = scenes(self.world, self.options.lanes)
        for number, scene in enumerate(fresh):
            calls, found = measure(scene, self.scratch)
            self.add(scene, calls, found)
            again = recovery(scene, calls, number, self.scratch)
            if again:
                self.add(again, measure(again, self.scratch)[0], found)

    def add(self, scene, calls, found):
        self.scenes.append(scene)
        self.calls.append(calls)
        self.wanted.append(found)

    def points(self):
        """(scene's number, n, how), the scenes in turn."""
        lines = []
        for calls in self.calls:
            own = [[(n, "before"), (n, "behind")] if n % 4 == 0 else [(n, "before")] for n in spread(len(calls))]
            lines.append([part for parts in own for part in parts])
        turns = [(s, *own[turn]) for turn in range(max(map(len, lines))) for s, own in enumerate(lines) if turn < len(own)]
        return turns[:self.options.points], len(turns)

    def run(self, task):
        scene, n, how = task
        scratch = os.path.join(self.scratch, f"job-{os.getpid()}")
        os.makedirs(scratch, exist_ok=True)
        return point(self.scenes[scene], self.wanted[scene], n, how, LANES[n % len(LANES)], scratch)


def told(hunt, options, outcomes, possible, seconds):
    """The counts, as a document."""
    killed = [o for o in outcomes if o.kind]
    count = lambda names: dict(sorted(collections.Counter(names).items(), key=lambda pair: -pair[1]))  # noqa: E731
    kinds = {scene.name: KINDS[scene.kind] for scene in hunt.scenes}
    return {
        "seed": options.seed, "command": " ".join(sys.argv), "load": os.getloadavg(), "jobs": options.jobs,
        "seconds": round(seconds, 1), "seconds_a_point": round(sum(o.seconds for o in outcomes) / max(1, len(outcomes)), 3),
        "points": len(outcomes), "points_that_there_are": possible, "killed": len(killed),
        "ended_before_their_call": len(outcomes) - len(killed), "differences": sum(o.problem is not None for o in outcomes),
        "calls_of_each_scene": {s.name: len(calls) for s, calls in zip(hunt.scenes, hunt.calls)},
        "kills_by_call": count(o.kind for o in killed), "kills_by_scene": count(o.scene for o in killed),
        "kills_by_function": count(kinds[o.scene] for o in killed),
        "kills_by_lanes": count(o.scene.split("/")[1] for o in killed),
        "kills_by_phase": count("/".join(o.scene.split("/")[2:]) for o in killed),
        "kills_by_phase_of_the_store": count(o.stood for o in killed)}


def main():
    parser = arguments("--points", 10000, "calls to be killed at", "one point, as a failure names it")
    parser.add_argument("--lanes", type=lambda text: [int(part) for part in text.split(",")], default=LANES)
    options, scratch = parser.parse_args(), tempfile.mkdtemp(prefix="kill-calls-", dir="/dev/shm")
    try:
        hunt, began = Hunt(options, scratch), time.monotonic()
        hunt.prepare()
        points, possible = hunt.points()
        if options.only:
            name, n, how = options.only.rsplit(":", 2)
            points = [([scene.name for scene in hunt.scenes].index(name), int(n), how)]
        outcomes = outcomes_of(hunt, points, options, lambda o: f"{o.scene}:{o.number}:{o.how} ({o.kind}, the store at {o.stood})")
        counts = told(hunt, options, outcomes, possible, time.monotonic() - began)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tell(counts, options, silent=["calls_of_each_scene"])
    wrong = counts["differences"]
    print(f"{len(outcomes) - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong) or counts["killed"] == 0)


if __name__ == "__main__":
    main()
