"""Makes the n-th system call fail, once or from then on; fills the disk; limits the size of files.

Usage: io_errors.py REPLAY [--errors 2000] [--seed 1] [--jobs 2] [--raw PATH] [--only "SCENE:CALL:N:ERROR:once|ever"].
Each scene is run undisturbed and its calls on the store, the report, its output, the archive, the stream, the function's
files and the pipes to a program are counted. Then each is made to fail in each way that it can (io_faults.py). A run must
end by itself within 30 s (REPLAY_PATIENCE, on a busy machine), with 0 and the right rows, or with one of the documented codes for what a disk may do and a
message that names the file, the store or the function; the rows are at every time those before its positions. Then the same
command, undisturbed, ends with the undisturbed run's database.

The disks are real ones: a tmpfs that is full after so many pages (root only), and files that may not grow (`ulimit -f`).
"""
import collections, json, os, re, resource, shutil, subprocess, sys, tempfile, time

import call_tracer
from jobs import arguments, outcomes_of, tell
from io_faults import CALLS, Fault, faults
from kill_calls import said, spread
from kill_scenes import PATIENCE, Scene, World, copied, ended, inconsistency

SCENES = [("swift", 4, False), ("swift", 1, True), ("sql", 1, False), ("shell", 2, False), ("lines", 1, True), ("sql", 4, True)]
# README's table: nothing to read there, a disk failed, cannot be written, a lock, not allowed.
DOCUMENTED = {66, 69, 73, 75, 77}
# SQLite says of a page that the disk does not give what it says of one that is damaged (78), and the message says so.
UNREADABLE = "or the disk does not give it"
# Beside those, of a program whose pipe breaks: the event that it could not be given.
OF_A_PROGRAM = {65}


class Outcome:
    """`what` is done to a scene, as a failure names it; how often it was, and how the run ended."""

    def __init__(self, scene, what):
        self.scene, self.what, self.times, self.code, self.problem, self.seconds = scene.name, what, 1, None, None, 0.0


def named(what, detail):
    """What is done, as a failure names it."""
    if what is not injected:
        return f"{'tmpfs' if what is filled else 'ulimit -f'}:{detail}"
    kind, number, error, lasts = detail
    return f"{kind}:{number}:{error}:{'ever' if lasts else 'once'}"


def names_it(text, scene, about):
    """Whether the error, the last message and what is set in below it, says what it is about: a path, or the function."""
    named = [scene.world.scratch, scene.world.functions]
    if about == "pipe":
        named += ["shade-velocity-lambda", "exec:"]
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("replay: ") and not line.startswith("replay:  ")]
    return bool(starts) and any(name in line for line in lines[starts[-1]:] for name in named)


def is_whole(report):
    try:
        with open(report) as file:
            return bool(json.load(file))
    except (OSError, ValueError):
        return False


def judge(scene, wanted, code, text, about, home, scratch):
    """What is wrong with how the run ended and what it left; None where nothing is."""
    look = os.path.join(scratch, "look")
    if code < 0 or re.search(r"Fatal error|[Cc]rash|Swift runtime", text):
        return f"it crashed, {code}: {text}"
    if wrong := inconsistency(scene.world, copied(home, look)):
        return f"exit {code}, and {wrong}: {text}"
    if code == 0:
        copied(home, look)
        found, wrong = ended(scene.world, look, scratch)
        if wrong or found != wanted:
            return f"it says 0, and {wrong or 'the database is another'}: {text}"
        if not is_whole(os.path.join(home, "report.json")):
            return f"it says 0, and its report is not whole: {text}"
    elif code not in DOCUMENTED | (OF_A_PROGRAM if about == "pipe" else set()) and not (code == 78 and UNREADABLE in text):
        return f"exit {code}: {text}"
    elif about != "output" and not names_it(text, scene, about):
        return f"exit {code} without a message that names what it is about: {text}"
    if wrong := scene.resume(home, scene.lanes):
        return f"exit {code}, then {wrong}"
    found, wrong = ended(scene.world, home, scratch)
    if wrong or found != wanted:
        return f"exit {code}, then resumed: {wrong or 'the database is another'}"
    return None


def injected(scene, wanted, task, scratch):
    """One run with one fault."""
    kind, number, error, lasts = task
    home = os.path.join(scratch, "home")
    scene.prepare(home)
    fault = Fault(home, scene.world, kind, number, error, lasts)
    run = call_tracer.Run(scene.command(home), CALLS, fault, PATIENCE, output=os.path.join(home, "output"))
    outcome = Outcome(scene, named(injected, task))
    outcome.times, outcome.code, text = fault.times, run.code, said(home)
    if run.hung or run.left_running:
        outcome.problem = f"hung: {run.hung}, workers that outlived it: {run.left_running}: {text}"
    else:
        outcome.problem = judge(scene, wanted, run.code, text, kind.split()[1], home, scratch)
    return outcome


def limited(scene, wanted, size, scratch):
    """One run whose files may not grow beyond so many bytes."""
    home, outcome = os.path.join(scratch, "home"), Outcome(scene, named(limited, size))
    scene.prepare(home)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return ran(scene, wanted, outcome, home, scratch, limit)


def ran(scene, wanted, outcome, home, scratch, limit=None, afterwards=lambda: None):
    """Runs the scene there, and judges it once what limited it is gone."""
    try:
        done = subprocess.run(scene.command(home), capture_output=True, text=True, timeout=PATIENCE, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        outcome.problem = "it hangs"
        return outcome
    outcome.code = done.returncode
    afterwards()
    outcome.problem = judge(scene, wanted, done.returncode, done.stderr[-1500:], "disk", home, scratch)
    return outcome


def filled(scene, wanted, size, scratch):
    """One run on a disk of so many bytes; then it is made larger."""
    disk, outcome = os.path.join(scratch, "disk"), Outcome(scene, named(filled, size))
    os.makedirs(disk, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True, capture_output=True)
    try:
        home = os.path.join(disk, "home")
        scene.prepare(home)

        def grow():
            subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True, capture_output=True)

        return ran(scene, wanted, outcome, home, scratch, afterwards=grow)
    finally:
        subprocess.run(["umount", "-l", disk], check=True, capture_output=True)


def may_mount(scratch):
    """None, or why not."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", scratch], capture_output=True, text=True)
    if done.returncode == 0:
        subprocess.run(["umount", scratch], check=True)
    return done.stderr.strip() if done.returncode else None


class Hunt:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.world = World(options.tool, options.seed, scratch)
        self.scenes = [Scene(self.world, *shape) for shape in SCENES[:options.scenes]]
        self.seen, self.wanted, self.bytes = [], [], 0

    def prepare(self):
        for scene in self.scenes:
            home = os.path.join(self.scratch, "home")
            scene.prepare(home)
            fault = Fault(home, self.world)
            run = call_tracer.Run(scene.command(home), CALLS, fault, PATIENCE, output=os.path.join(home, "output"))
            found, wrong = ended(self.world, home, self.scratch)
            if run.code != 0 or wrong:
                raise SystemExit(f"{scene.name}: undisturbed: exit {run.code}, {wrong}: {said(home)}")
            self.seen.append(fault.seen)
            self.wanted.append(found)
            self.bytes = max(self.bytes, os.path.getsize(Scene.store(home)))

    def errors(self):
        """(what is done, scene's number, …): each call's ways to fail, the kinds of calls and the scenes in turn, so that
        rare calls come whole and all come early."""
        lists = []
        for number, seen in enumerate(self.seen):
            for kind, count in sorted(seen.items()):
                ways = faults(*kind.split())
                own = [(injected, number, (kind, n, *way)) for n in spread(count) for way in ways]
                if own:
                    lists.append(own)
        return [own[turn] for turn in range(max(map(len, lists))) for own in lists if turn < len(own)]

    def disks(self, step):
        """Every size, in steps, until there is room for all; the scenes in turn."""
        sizes = range(0, 4 * self.bytes, step)
        kinds = [limited]
        refused = may_mount(self.scratch)
        if refused:
            print(f"skipped: no full disk is made, since mount says: {refused}")
        else:
            kinds.append(filled)
        # A tmpfs of 0 bytes is one without a limit; the scene's own files are a page.
        return [(kind, number % len(self.scenes), size + (8192 if kind is filled else 0))
                for kind in kinds for number, size in enumerate(sizes)], refused

    def run(self, task):
        what, number, detail = task
        scratch, began = os.path.join(self.scratch, f"job-{os.getpid()}"), time.monotonic()
        os.makedirs(scratch, exist_ok=True)
        outcome = what(self.scenes[number], self.wanted[number], detail, scratch)
        outcome.seconds = time.monotonic() - began
        return outcome


def told(options, outcomes, possible, refused, seconds):
    reached = [o for o in outcomes if o.times]

    def by(key):
        rows = collections.defaultdict(collections.Counter)
        for o in reached:
            rows[key(o)][f"exit {o.code}"] += 1
        return {name: dict(sorted(codes.items())) for name, codes in sorted(rows.items())}

    kinds = lambda o: re.sub(r":\d+:?", " ", o.what).strip()  # noqa: E731
    return {
        "seed": options.seed, "command": " ".join(sys.argv), "load": os.getloadavg(), "jobs": options.jobs,
        "seconds": round(seconds, 1), "seconds_an_error": round(sum(o.seconds for o in outcomes) / max(1, len(outcomes)), 3),
        "errors": len(outcomes), "errors_that_there_are": possible, "not_reached": len(outcomes) - len(reached),
        "no_full_disk": refused, "failed": sum(o.problem is not None for o in outcomes),
        "by_exit_code": dict(collections.Counter(str(o.code) for o in reached)),
        "by_scene": by(lambda o: o.scene), "by_fault": by(kinds)}


def main():
    parser = arguments("--errors", 2000, "injected ones; the disks come beside them", "one error, as a failure names it")
    parser.add_argument("--scenes", type=int, default=len(SCENES), help="the first so many")
    parser.add_argument("--disk-step", type=int, default=16384, help="bytes between two sizes of a disk")
    options, scratch = parser.parse_args(), tempfile.mkdtemp(prefix="io-errors-", dir="/dev/shm")
    try:
        hunt, began = Hunt(options, scratch), time.monotonic()
        hunt.prepare()
        errors, (disks, refused) = hunt.errors(), hunt.disks(options.disk_step)
        tasks = errors[:options.errors] + disks
        if options.only:
            tasks = [(what, number, detail) for what, number, detail in errors + disks
                     if f"{hunt.scenes[number].name}:{named(what, detail)}" == options.only]
        outcomes = outcomes_of(hunt, tasks, options, lambda o: f"{o.scene}:{o.what}")
        counts = told(options, outcomes, len(errors), refused, time.monotonic() - began)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tell(counts, options)
    print(f"{len(outcomes) - counts['failed']} passed, {counts['failed']} failed")
    sys.exit(bool(counts["failed"]) or not any(outcome.times for outcome in outcomes))


if __name__ == "__main__":
    main()
