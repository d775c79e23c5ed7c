"""A long run: a producer that never rests, a follower that is killed (-9) again and again, and one that lives from the first event
to the last, whose memory and open files are watched.

Usage: soak.py REPLAY [--minutes 120] [--seed 1] [--rate 100] [--place DIR]. The events are made anew in the end, and both
stores are compared with a tally made here: every event once. The memory of the one that lives is flat where, after the first fifth
of the time, it grows by less than a twentieth (and 4 MiB).
"""
import argparse, itertools, json, os, random, shutil, signal, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BlackBox"))
from streams import DirectoryStream  # noqa: E402
from torture import Archive, FUNCTIONS, event, rows, tally  # noqa: E402

PARTITIONS, ARCHIVED = 3, 5_000


def events(seed, partition):
    chance = random.Random(f"{seed} {partition}")
    return (event(chance, partition, PARTITIONS, number) for number in itertools.count())


def line(one):
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()


class Soak:
    def __init__(self, given, scratch):
        self.given, self.scratch, self.chance = given, scratch, random.Random(given.seed)
        self.sources = [events(given.seed, partition) for partition in range(PARTITIONS)]
        begin = [[line(next(source)) for _ in range(ARCHIVED)] for source in self.sources]
        self.archive = Archive(self.chance, os.path.join(scratch, "archive"), begin)
        self.archive.layout = "aiven"
        self.stream = DirectoryStream(os.path.join(scratch, "retail"), self.chance)
        self.stream.create(PARTITIONS)
        for partition in range(PARTITIONS):
            self.archive.add(partition, ARCHIVED)
            self.stream.append(partition, begin[partition])
        self.stop, self.problem, self.kills = threading.Event(), None, 0
        # Seconds since the start, resident KiB, open files.
        self.samples = []

    def command(self, store, *more):
        return [self.given.tool, "--archive", self.archive.root, "--store", os.path.join(self.scratch, store), "--live",
                self.stream.address, "--progress", "none", "--lanes", str(self.chance.randint(1, 4)),
                "--live-commit-interval", str(self.chance.choice([0.01, 0.1, 1])),
                *(part for name in FUNCTIONS for part in ("--function", name)), *more]

    def produce(self):
        """About `rate` events a second, in bursts and pauses."""
        chance, began, made = random.Random(f"{self.given.seed} producer"), time.monotonic(), 0
        while not self.stop.is_set():
            due = int((time.monotonic() - began) * self.given.rate) - made
            while due > 0:
                partition, count = chance.randrange(PARTITIONS), min(due, chance.choice([1, 2, 10, 50]))
                self.stream.append(partition, [line(next(self.sources[partition])) for _ in range(count)])
                made, due = made + count, due - count
            self.stop.wait(chance.choice([0.01, 0.1, 0.1, 2]))

    def kill_again_and_again(self):
        chance = random.Random(f"{self.given.seed} killer")
        while not self.stop.is_set():
            with open(os.path.join(self.scratch, "said"), "wb") as said:
                run = subprocess.Popen(self.command("killed.db"), stdout=subprocess.DEVNULL, stderr=said)
                self.stop.wait(chance.choice([0.05, 0.3, 1, 5, 20, 60]) * chance.uniform(0.5, 1.5))
                if run.poll() is not None:
                    with open(said.name) as file:
                        self.problem = f"it ended by itself, exit {run.returncode}: {file.read()[-800:]}"
                    return self.stop.set()
                run.send_signal(signal.SIGKILL)
                run.wait()
                self.kills += 1

    def sample(self, process, began):
        with open(f"/proc/{process.pid}/status") as file:
            resident = next(int(text.split()[1]) for text in file if text.startswith("VmRSS"))
        self.samples.append((round(time.monotonic() - began), resident, len(os.listdir(f"/proc/{process.pid}/fd"))))

    def run(self):
        """None where all went well, else what did not."""
        began, end = time.monotonic(), time.monotonic() + self.given.minutes * 60
        with open(os.path.join(self.scratch, "lives said"), "wb") as said:
            lives = subprocess.Popen(self.command("lives.db"), stdout=subprocess.DEVNULL, stderr=said)
        threads = [threading.Thread(target=task) for task in (self.produce, self.kill_again_and_again)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end and not self.stop.wait(min(10, self.given.minutes * 2)):
            if lives.poll() is not None:
                with open(said.name) as file:
                    self.problem = f"the one that lives ended, exit {lives.returncode}: {file.read()[-800:]}"
                break
            self.sample(lives, began)
        self.stop.set()
        for thread in threads:
            thread.join()
        if lives.poll() is None:
            lives.send_signal(signal.SIGINT)
            if lives.wait(timeout=30) != 130:
                return f"the one that lives ended with {lives.returncode} after Ctrl-C"
        return self.problem or self.compare() or self.growth()

    def compare(self):
        wanted = tally([itertools.islice(events(self.given.seed, partition), end)
                        for partition, end in enumerate(self.stream.ends)])
        for store in ("killed.db", "lives.db"):
            done = subprocess.run(self.command(store, "--until-caught-up"), capture_output=True, text=True)
            if done.returncode != 0:
                return f"{store}: exit {done.returncode}: {done.stderr}"
            found = rows(os.path.join(self.scratch, store))
            if wrong := [table for table in wanted if wanted[table] != found[table]]:
                return f"{store}: other rows in {wrong}"
        return None

    def growth(self):
        settled = self.samples[len(self.samples) // 5:]
        if len(settled) < 2:
            return None
        early, late = settled[:max(1, len(settled) // 8)], settled[-max(1, len(settled) // 8):]
        (first, last), files = (max(sample[1] for sample in part) for part in (early, late)), [s[2] for s in settled]
        if last > first * 1.05 + 4096:
            return f"memory grew from {first} to {last} KiB"
        return f"open files grew from {files[0]} to {files[-1]}" if files[-1] > files[0] + 4 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--place", default=tempfile.gettempdir())
    parser.add_argument("--raw", help="write the samples of memory there, as JSON")
    given = parser.parse_args()
    given.tool, scratch = os.path.abspath(given.tool), tempfile.mkdtemp(prefix="replay-soak-", dir=given.place)
    soak = Soak(given, scratch)
    problem = soak.run()
    print(f"seed {given.seed}, {given.minutes:g} minutes: {sum(soak.stream.ends):,} events in {PARTITIONS} partitions, "
          f"{soak.kills} kills (-9) of one follower")
    if soak.samples:
        resident = [sample[1] >> 10 for sample in soak.samples]
        print(f"the one that lives: {resident[0]} MiB at first, {resident[len(resident) // 5]} after a fifth, {resident[-1]} at last, "
              f"{max(resident)} at most; {soak.samples[0][2]} and {soak.samples[-1][2]} open files")
    if given.raw:
        with open(given.raw, "w") as file:
            json.dump({"arguments": sys.argv[1:], "samples": soak.samples, "kills": soak.kills}, file)
    if problem:
        print(f"WRONG: {problem}; kept in {scratch}")
    else:
        print("every event is in the tables of both once")
        shutil.rmtree(scratch)
    print(f"{int(not problem)} passed, {int(bool(problem))} failed")
    sys.exit(bool(problem))


if __name__ == "__main__":
    main()
