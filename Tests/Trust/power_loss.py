"""Power loss: the store lies in a file system that keeps unsynced writes in memory, and loses them at a call of its own choice.

Usage: power_loss.py REPLAY [--runs 500] [--seed 1]. Each run draws an archive, lanes, how often it commits, the n-th changing
call at which the power goes, and sometimes a second loss while the store is mended. What the disk may then hold (`lossy_fs.py`)
is judged three times: SQLite finds it whole; what the store says was applied is exactly what its rows hold; the same
command goes on to the rows of an undisturbed run. And whatever a run had answered as committed to one who asked (`replay wait`, by
the summary of a run that ended) is still there.
"""
import argparse, contextlib, os, random, shutil, sqlite3, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BlackBox"))
from kill import command, dump  # noqa: E402
from support import generate  # noqa: E402

LAYOUTS = {"confluent": ["--segments", "4", "--years", "1"], "hourly": ["--years", "0.01"]}


class Power:
    """A mounted disk that loses its power."""

    def __init__(self, work, begin, end, cut, seed, strict):
        self.mount, self.end = os.path.join(work, "disk"), end
        os.makedirs(self.mount, exist_ok=True)
        os.makedirs(end)
        # Debian's module, not one of a virtual environment.
        line = ["/usr/bin/python3", os.path.join(HERE, "lossy_fs.py"), self.mount, "--cut", str(cut), "--seed", str(seed),
                "--to", end, *(["--strict"] if strict else []), *(["--from", begin] if begin else [])]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not os.path.ismount(self.mount):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the lossy file system cannot be mounted")
            time.sleep(0.002)

    def run(self, line):
        """The exit code of the run; None where the power went while it was at work."""
        run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        while run.poll() is None and not self.process.stdout.readline():
            time.sleep(0.002)
        ended = run.poll()
        run.kill()
        run.communicate()
        return ended

    def off(self):
        """Unmounts it; the number of the call at which the power went."""
        subprocess.run(["fusermount", "-u", "-z", self.mount], check=True)
        self.process.wait(timeout=20)


def broken(store, total):
    """What is wrong in a store that lost its power, or None."""
    if not os.path.exists(store):
        return None
    try:
        with contextlib.closing(sqlite3.connect(store)) as database:
            found = database.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                return f"SQLite finds {found[:3]}"
            tables = {name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "event_counts" not in tables:
                return None
            counted, = database.execute("SELECT coalesce(sum(events), 0) FROM event_counts").fetchone()
            applied, = database.execute(
                "SELECT coalesce(sum(events), 0) FROM _replay_functions WHERE function = 'event-counts'").fetchone()
            if counted != applied or counted > total:
                return f"the rows hold {counted} events, and {applied} are said to be applied"
    except sqlite3.DatabaseError as error:
        return f"SQLite: {error}"
    return None


class Losses:
    def __init__(self, options, scratch):
        self.options, self.scratch, self.chance = options, scratch, random.Random(options.seed)
        self.archives, self.wanted, self.calls = {}, {}, {}
        self.cuts = self.again = self.empty = self.partial = 0
        for layout, more in LAYOUTS.items():
            self.archives[layout] = os.path.join(scratch, layout)
            generate(self.archives[layout], "--events", options.events, "--codec", "zstd", "--layout", layout,
                     "--customers", 100, *more)
            store = os.path.join(scratch, layout + ".db")
            subprocess.run(command(options.tool, self.archives[layout], store, random.Random(0)), check=True,
                           capture_output=True)
            self.wanted[layout] = dump(store)

    def one(self, number):
        """None where all went well, else what did not."""
        chance, layout = self.chance, self.chance.choice(list(self.archives))
        work = tempfile.mkdtemp(dir=self.scratch)
        begin, losses = None, chance.choice([1, 1, 2, 3])
        for loss in range(losses):
            end, strict = os.path.join(work, f"after{loss}"), chance.random() < 0.5
            # A small n more often than a large one: a first load has few calls, a run with many commits has thousands.
            cut = int(2 ** chance.uniform(0, 11))
            power = Power(work, begin, end, cut, chance.getrandbits(32), strict)
            ended = power.run(command(self.options.tool, self.archives[layout], os.path.join(power.mount, "s.db"), chance))
            power.off()
            self.cuts += 1
            self.again += loss > 0
            store = os.path.join(end, "s.db")
            # Looked at in a copy: whoever opens it mends it, and the next loss is to strike that too.
            looked = shutil.copytree(end, os.path.join(work, f"look{loss}"))
            if problem := broken(os.path.join(looked, "s.db"), self.options.events):
                return f"loss {loss + 1}, call {cut}: {problem}; kept in {self.keep(end, number)}"
            if ended == 0 and dump(os.path.join(looked, "s.db")) != self.wanted[layout]:
                return f"loss {loss + 1}: it had ended well, and its rows are gone; kept in {self.keep(end, number)}"
            self.empty += not os.path.exists(store)
            begin = end
        store = os.path.join(begin, "s.db")
        done = subprocess.run(command(self.options.tool, self.archives[layout], store, chance), capture_output=True, text=True)
        if done.returncode != 0:
            return f"{layout}: exit {done.returncode}: {done.stderr}; kept in {self.keep(begin, number)}"
        if dump(store) != self.wanted[layout]:
            return f"{layout}: other rows; kept in {self.keep(begin, number)}"
        shutil.rmtree(work, ignore_errors=True)
        return None

    def keep(self, place, number):
        kept = os.path.join(tempfile.gettempdir(), f"replay-power-{self.options.seed}-{number}")
        shutil.rmtree(kept, ignore_errors=True)
        return shutil.copytree(place, kept)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=3000)
    options = parser.parse_args()
    options.tool = os.path.abspath(options.tool)
    scratch, wrong, began = tempfile.mkdtemp(prefix="replay-power-", dir="/dev/shm"), 0, time.time()
    try:
        losses = Losses(options, scratch)
        for number in range(1, options.runs + 1):
            if problem := losses.one(number):
                wrong += 1
                print(f"seed {options.seed}, run {number}: {problem}", flush=True)
                if wrong > 5:
                    break
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"seed {options.seed}: {losses.cuts} losses of power in {number} runs, {losses.again} of them while a store was mended; "
          f"{losses.empty} left no file at all; {time.time() - began:.0f} s")
    print(f"{number - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
