"""Kill -9 at random times of each phase of a live run: while the archive is replayed, while its end is compared with the
stream, while the stream is followed.

Usage: live_kills.py REPLAY [--kills 200] [--seed 1] [--stream dir|kafka] [--kafka-mock PATH]. A run is asked at its own
status address where it stands; once it is in the phase that is wanted, it is killed after a random delay. A kill counts
for a phase only where that is certain. At least a fifth of the kills fall into each phase, or the whole fails. After the
kills of one store a last run ends its work, and the tables are compared with a tally made here, not by the tool.
"""
import argparse, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time

from streams import DirectoryStream, KafkaStream
from torture import Archive, FUNCTIONS, event, pace, phase, rows, tally

PHASES = ["replaying", "comparing", "live"]
# Of each partition: events before the last segment, of the last segment, and for the producer. The last segment is
# large: all of it is compared, which is the phase that is else over at once. The mock cluster keeps 5 MiB of a partition.
SIZES = {"dir": (12_000, 20_000, 3_000), "kafka": (4_000, 7_000, 1_500)}


class Scene:
    """An archive, and the stream that it was made of; both serve many stores."""

    def __init__(self, chance, kind, mock, share):
        self.chance, self.scratch = chance, tempfile.mkdtemp(prefix="replay-kills-")
        before, last, later = (max(1, int(size * share)) for size in SIZES[kind])
        count = chance.choice([2, 3, 4])
        # Very different sizes, so that some partitions are done long before the others.
        self.events = [[event(chance, p, count, n) for n in range(int((before + last + later) / (1 + p)))]
                       for p in range(count)]
        self.lines = [[json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in own]
                      for own in self.events]
        self.archive = Archive(chance, os.path.join(self.scratch, "archive"), self.lines)
        if self.archive.layout == "firehose":
            self.lines[:] = pace(self.events)
        self.last = last
        self.stream = (DirectoryStream(os.path.join(self.scratch, "retail"), chance) if kind == "dir"
                       else KafkaStream(mock, "retail"))
        self.stream.create(count)
        for p, own in enumerate(self.lines):
            for segment in range(1, 7):
                self.archive.add(p, int(before / (1 + p)) * segment // 6)
            self.archive.add(p, int((before + last) / (1 + p)))
            self.stream.append(p, own[:self.archive.ends[p] + chance.randint(0, int(later / (1 + p)) // 4)])

    @property
    def is_used_up(self):
        return any(end >= len(own) for end, own in zip(self.stream.ends, self.lines))

    def append_some(self, chance, stop):
        """A producer, at random moments, until it is told to stop."""
        while not stop.is_set() and not self.is_used_up:
            p = chance.randrange(len(self.lines))
            start = self.stream.ends[p]
            self.stream.append(p, self.lines[p][start:start + chance.choice([1, 1, 3, 20])])
            stop.wait(chance.choice([0.001, 0.01, 0.05]))

    def close(self):
        self.stream.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Killed:
    """One run that is watched at its status address, and killed."""

    def __init__(self, command, address):
        self.address, self.asked = address, None
        self.process = subprocess.Popen([*command, "--listen", "unix:" + address], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def ask(self):
        """The phase that the run says it is in; None while it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(5)
                line.connect(self.address)
                line.sendall(b"GET /status HTTP/1.0\r\nHost: replay\r\n\r\n")
                answer = b"".join(iter(lambda: line.recv(65536), b""))
            status = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        except (OSError, ValueError, IndexError):
            return None
        if status["phase"] == "replaying":
            return "replaying" if status["archive_bytes_left"] else None
        return {"handing off": "comparing"}.get(status["phase"], status["phase"])

    def wait_for(self, wanted, seconds):
        """True once it is in that phase; False where it went past it, or ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.asked = self.ask() or self.asked
            if self.asked == wanted:
                return True
            if self.process.poll() is not None or self.asked and PHASES.index(self.asked) > PHASES.index(wanted):
                return False
            time.sleep(0.001)
        raise TimeoutError(f"{wanted} did not come in {seconds} s; it says {self.asked}")

    def kill(self, delay):
        """Kills it after the delay; what it said."""
        deadline = time.monotonic() + delay
        while (left := deadline - time.monotonic()) > 0:
            self.asked = self.ask() or self.asked
            time.sleep(min(max(left, 0), 0.002))
        self.process.send_signal(signal.SIGKILL)
        said = self.process.communicate(timeout=30)
        return self.process.returncode, said


def stood(asked, said, store):
    """Where a killed run stood. None where it is not certain: it was asked a moment before."""
    if phase(store) == "live":
        return "live"
    if asked == "comparing":
        return "comparing"  # It leaves that phase by a commit only, and the store has none.
    return "replaying" if asked == "replaying" and '"summary"' not in said else None


class Hunt:
    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        self.tool = os.path.abspath(options.tool)
        self.counts, self.uncertain, self.missed, self.stores = dict.fromkeys(PHASES, 0), 0, 0, 0
        # Of each phase, how long it was at most: delays are drawn from all of it.
        self.lengths = {"replaying": 0.05, "comparing": 0.05, "live": 0.4}

    def command(self, scene, store, *more):
        chance = self.chance
        return [self.tool, "--archive", scene.archive.root, "--store", store, "--live", scene.stream.address,
                "--progress", "none", "--json", "--lanes", str(chance.randint(1, 4)),
                "--overlap-time", "24h", "--overlap-events", str(scene.last), "--commit-interval", str(chance.choice([0.001, 0.02, 10])),
                "--live-commit-interval", str(chance.choice([0.001, 0.05, 1])),
                "--block-bytes", str(chance.choice([4096, 65536])),
                *(part for name in FUNCTIONS for part in ("--function", name)), *more]

    def measure(self, scene):
        """How long each phase lasts here, in a run that nobody kills."""
        with tempfile.TemporaryDirectory() as home:
            run = Killed(self.command(scene, os.path.join(home, "store.db")), os.path.join(home, "ask"))
            began = {}
            for wanted in PHASES:
                run.wait_for(wanted, 60)
                began[wanted] = time.monotonic()
            run.kill(0)
        self.lengths["replaying"] = began["comparing"] - began["replaying"]
        self.lengths["comparing"] = began["live"] - began["comparing"]

    def one_store(self, scene):
        """Some kills, the last run, the tally. None where all went well, else what did not."""
        with tempfile.TemporaryDirectory() as home:
            store, stop = os.path.join(home, "store.db"), threading.Event()
            chance = random.Random(self.chance.random())
            producer = threading.Thread(target=scene.append_some, args=(chance, stop))
            producer.start()
            try:
                for number in range(self.chance.choice([1, 2, 3])):
                    if problem := self.one_kill(scene, store, os.path.join(home, f"ask{number}")):
                        return problem
            finally:
                stop.set()
                producer.join()
            done = subprocess.run(self.command(scene, store, "--until-caught-up"), capture_output=True, text=True,
                                  timeout=60)
            if done.returncode != 0:
                return f"exit {done.returncode}: {done.stderr}"
            wanted = tally([own[:end] for own, end in zip(scene.events, scene.stream.ends)])
            found = rows(store)
            wrong = [table for table in wanted if wanted[table] != found[table]]
            self.stores += 1
            return f"other rows in {wrong}" if wrong else None

    def one_kill(self, scene, store, address):
        now = phase(store)
        # Whoever is live does not compare again; of the phases that may come, one that was hit least.
        ahead = PHASES if now != "live" else ["live"]
        aim = min(ahead, key=lambda name: (self.counts[name], self.chance.random()))
        run = Killed(self.command(scene, store), address)
        if run.wait_for(aim, 60):
            delay = self.chance.uniform(0, self.lengths[aim])
        else:
            delay, self.missed = 0, self.missed + 1
        code, (said, words) = run.kill(delay)
        if code != -signal.SIGKILL:
            return f"it ended by itself, exit {code}: {words}"
        where = stood(run.asked, said, store)
        if where:
            self.counts[where] += 1
        else:
            self.uncertain += 1
        return None

    def run(self):
        """How many stores went wrong."""
        options, wrong, scene = self.options, 0, None
        while sum(self.counts.values()) < options.kills or min(self.counts.values()) * 5 < options.kills:
            if scene is None or scene.is_used_up:
                if scene:
                    scene.close()
                scene = Scene(self.chance, options.stream, options.kafka_mock, options.share)
                self.measure(scene)
            problem = self.one_store(scene)
            if problem:
                wrong += 1
                print(f"seed {options.seed}, {options.stream}, {scene.archive.layout}, after {self.counts}: {problem}",
                      flush=True)
                if wrong > 5:
                    break
        if scene:
            scene.close()
        return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stream", choices=["dir", "kafka"], default="dir")
    parser.add_argument("--share", type=float, default=1, help="of the usual sizes")
    parser.add_argument("--kafka-mock", default=".build/debug/kafka-mock")
    options = parser.parse_args()
    hunt = Hunt(options)
    wrong = hunt.run()
    counts = ", ".join(f"{count} {where}" for where, count in hunt.counts.items())
    print(f"seed {options.seed}, {options.stream}: {sum(hunt.counts.values())} kills (-9) at random times: {counts}; "
          f"{hunt.uncertain} more between two phases")
    print(f"{hunt.stores} stores were ended by one more run: every event in the tables once in {hunt.stores - wrong}")
    print(f"{hunt.stores - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
