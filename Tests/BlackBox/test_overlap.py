"""The handoff of an archive that has no positions of the stream: by time, overlap and id."""
import contextlib, datetime, gzip, json, os, random, shutil, signal, sqlite3, subprocess, tempfile, time, unittest, uuid

from streams import DirectoryStream, KafkaStream
from support import TOOL, replay
from test_live import MOCK, LiveCase
from torture import Archive, event, tally

FUNCTIONS = ("shade-velocity", "event-counts")
START = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)


def stamp(milliseconds):
    return (START + datetime.timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


def content(path):
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


class Scene:
    """Events of three partitions, about a second apart, and a delivery stream that writes them to files up to five
    minutes late, out of order, whatever partition they are of."""

    def __init__(self, seed, scratch, kind="dir", count=3_000, archived=0.9, clock=lambda n: None):
        self.chance = random.Random(seed)
        self.archive, self.store = os.path.join(scratch, "archive"), os.path.join(scratch, "store.db")
        self.report = os.path.join(scratch, "handoff.json")
        os.makedirs(self.archive)
        self.events, arrivals, now = [[], [], []], [], 0
        for number in range(count):
            now += self.chance.randint(0, 2_000)
            partition = self.chance.randrange(3)
            one = event(self.chance, partition, 3, len(self.events[partition]))
            one["time"] = clock(number) or stamp(now)
            self.events[partition].append(one)
            arrivals.append((now + self.chance.randint(0, 300_000), number, one))
        self.end = now
        frozen = int(now * archived)
        self.archived = sorted(one for one in arrivals if one[0] <= frozen)
        self.files = []
        for first in range(0, len(self.archived), 400):
            self.files.append(self.write(self.archived[first:first + 400]))
        self.stream = (DirectoryStream(os.path.join(scratch, "retail"), self.chance) if kind == "dir"
                       else KafkaStream(MOCK, "retail"))
        self.stream.create(3)
        for partition, own in enumerate(self.events):
            self.stream.append(partition, [self.line(one) for one in own])
            # A file was written to last when its last event happened.
            for first, end in zip(files := self.stream.files[partition], files[1:] + [len(own)]) if kind == "dir" else ():
                written = datetime.datetime.fromisoformat(own[end - 1]["time"].replace("Z", "+00:00")).timestamp()
                os.utime(self.stream.path(partition, first), (written, written))

    def line(self, one):
        return json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()

    def write(self, batch, change=lambda text: text):
        begun = START + datetime.timedelta(milliseconds=batch[0][0])
        name = uuid.UUID(int=self.chance.getrandbits(128))
        path = os.path.join(self.archive, begun.strftime("%Y/%m/%d/%H"),
                            f"retail-1-{begun.strftime('%Y-%m-%d-%H-%M-%S')}-{name}.gz")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(gzip.compress(b"".join(change(self.line(one)) for _, _, one in batch), 1))
        return path

    def arguments(self, *more):
        named = [part for name in FUNCTIONS for part in ("--function", name)]
        return ["--archive", self.archive, "--store", self.store, "--live", self.stream.address, "--until-caught-up",
                "--overlap-time", "20m", "--handoff-report", self.report, *named, *more]

    def check(self, case):
        wanted = tally(self.events)
        with sqlite3.connect(self.store) as database:
            shades = sorted(database.execute(
                "SELECT shade, units, revenue_cents, first_day, last_day FROM shade_velocity").fetchall())
            counts = sorted(database.execute("SELECT * FROM event_counts").fetchall())
        case.assertEqual(shades, wanted["shade_velocity"])
        case.assertEqual(counts, wanted["event_counts"])


class OverlapTests(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)

    def scene(self, seed=1, **more):
        scene = Scene(seed, tempfile.mkdtemp(dir=self.scratch), **more)
        self.addCleanup(scene.stream.close)
        return scene

    def test_each_event_once(self):
        for kind, seeds in (("dir", range(1, 9)), ("kafka", (1, 2))):
            for seed in seeds:
                with self.subTest(kind=kind, seed=seed):
                    scene = self.scene(seed, kind=kind, archived=random.Random(seed).uniform(0.3, 1.2))
                    done = replay(*scene.arguments())
                    self.assertEqual(done.returncode, 0, done.stderr)
                    scene.check(self)
                    self.assertIn("handoff by time and content", done.stderr)
                    with open(scene.report) as file:
                        parts = json.load(file)["partitions"]
                    self.assertEqual({part["class"] for part in parts}, {"overlap"})
                    # As many as the writer had put into files before it was stopped: it is known here which.
                    late = {(one["id"]) for _, _, one in scene.archived}
                    for part, own in zip(parts, scene.events):
                        new = next((n for n, one in enumerate(own) if one["id"] not in late), len(own))
                        self.assertEqual(part["live_first"], str(new))
                        ahead = sum(one["id"] in late for one in own[new:])
                        self.assertEqual(part["archived_behind_live_first"], ahead)
                    again = replay(*scene.arguments())
                    self.assertEqual(again.returncode, 0, again.stderr)
                    scene.check(self)

    def test_killed_anywhere(self):
        for seed in range(11, 19):
            with self.subTest(seed=seed):
                scene = self.scene(seed, count=6_000)
                chance = random.Random(seed)
                for _ in range(6):
                    process = subprocess.Popen([TOOL, *scene.arguments("--live-commit-interval", "0.001")],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    time.sleep(chance.uniform(0, 0.25))
                    process.send_signal(signal.SIGKILL)
                    process.wait(30)
                done = replay(*scene.arguments())
                self.assertEqual(done.returncode, 0, done.stderr)
                scene.check(self)

    def test_a_function_that_joins_later_has_its_own_overlap(self):
        scene = self.scene()
        first = replay("--archive", scene.archive, "--store", scene.store, "--live", scene.stream.address,
                       "--until-caught-up", "--overlap-time", "20m", "--function", "event-counts")
        self.assertEqual(first.returncode, 0, first.stderr)
        done = replay(*scene.arguments())
        self.assertEqual(done.returncode, 0, done.stderr)
        scene.check(self)

    def assert_refused(self, scene, code, words, *more):
        done = replay(*scene.arguments(*more))
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(words, done.stderr)
        with sqlite3.connect(scene.store) as database:
            self.assertEqual(database.execute("SELECT DISTINCT phase FROM _replay_functions").fetchall(), [("archive",)])
        return done

    def test_a_file_that_is_missing_is_a_hole(self):
        scene = self.scene(count=9_000)
        for place in (-6, -7, -8, -9):
            os.remove(scene.files[place])
        self.assert_refused(scene, 80, "the stream has an event that the archive should have, and has not")

    def test_a_last_file_that_is_missing_comes_from_the_stream(self):
        scene = self.scene()
        os.remove(scene.files[-1])
        os.remove(scene.files[-3])
        done = replay(*scene.arguments())
        self.assertEqual(done.returncode, 0, done.stderr)
        scene.check(self)

    def test_another_stream(self):
        scene = self.scene()
        other = self.scene(2)
        scene.stream = other.stream
        done = replay(*scene.arguments())
        self.assertEqual(done.returncode, 80, done.stderr)

    def test_a_stream_that_lacks_a_partition_of_what_was_archived(self):
        scene = self.scene()
        shutil.rmtree(os.path.join(scene.stream.root, "partition=1"))
        self.assert_refused(scene, 80, "the stream lacks an event that was archived")

    def test_an_empty_stream_proves_nothing(self):
        scene = self.scene()
        for partition in range(3):
            for name in os.listdir(os.path.join(scene.stream.root, f"partition={partition}")):
                os.remove(os.path.join(scene.stream.root, f"partition={partition}", name))
        self.assert_refused(scene, 80, "the stream lacks an event that was archived")

    def test_retention_passed(self):
        scene = self.scene(archived=0.5)
        late = {one["id"] for _, _, one in scene.archived}
        gone = [max(n for n, one in enumerate(own) if one["id"] in late) + 20 for own in scene.events]
        # A file may hold some of both: it is cut at the position itself.
        for partition, own in enumerate(scene.events):
            root = os.path.join(scene.stream.root, f"partition={partition}")
            shutil.rmtree(root)
            os.makedirs(root)
            with open(os.path.join(root, f"{gone[partition]:020}.jsonl"), "wb") as file:
                file.write(b"".join(scene.line(one) + b"\n" for one in own[gone[partition]:]))
        self.assert_refused(scene, 79, "events may have passed the stream's retention")

    def test_a_writer_that_sets_the_json_anew(self):
        scene = self.scene()
        for path in scene.files:
            os.remove(path)
        anew = lambda line: json.dumps(json.loads(line), sort_keys=True, ensure_ascii=True).encode()
        for first in range(0, len(scene.archived), 400):
            scene.write(scene.archived[first:first + 400], anew)
        done = self.assert_refused(scene, 80, "the same id and another payload")
        self.assertIn("--compare id", done.stderr)
        done = replay(*scene.arguments("--compare", "id"))
        self.assertEqual(done.returncode, 0, done.stderr)
        scene.check(self)

    def test_events_without_a_time(self):
        # The function reads the time of cosmetics alone, so the replay itself has no need of it.
        root = os.path.join(self.scratch, "timeless")
        os.makedirs(os.path.join(root, "archive"))
        lines = [json.dumps({"type": "other", "id": str(n)}).encode() + b"\n" for n in range(20)]
        with open(os.path.join(root, "archive", "a.json"), "wb") as file:
            file.write(b"".join(lines))
        os.makedirs(os.path.join(root, "retail", "partition=0"))
        with open(os.path.join(root, "retail", "partition=0", "0.jsonl"), "wb") as file:
            file.write(b"".join(lines))
        arguments = ["--archive", os.path.join(root, "archive"), "--store", os.path.join(root, "s.db"), "--function",
                     "shade-velocity", "--live", "dir:" + os.path.join(root, "retail"), "--until-caught-up"]
        done = replay(*arguments)
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("the archive's events have no time", done.stderr)
        self.assertIn("--time", done.stderr)

    def test_what_is_not_archived_is_never_taken_to_be(self):
        """Found: a partition that no file has, older than the overlap; a late event of a quiet one; a clock far ahead."""
        scene = self.scene()
        old = [event(scene.chance, 0, 3, 100_000 + n) for n in range(50)]
        for one in old:
            one["time"] = stamp(0)
        scene.stream.create(1)
        scene.events.append(old)
        scene.stream.append(3, [scene.line(one) for one in old])
        os.utime(scene.stream.path(3, 0), (START.timestamp(), START.timestamp()))
        refused = self.assert_refused(scene, 80, "the stream has an event that the archive should have, and has not")
        self.assertIn("partition retail/3", refused.stderr)
        # As long as what is read reaches back to where it began, there is none to lose.
        done = replay(*[part if part != "20m" else "2h" for part in scene.arguments()])
        self.assertEqual(done.returncode, 0, done.stderr)
        scene.check(self)

    def test_a_clock_that_is_far_ahead(self):
        scene = self.scene(3, clock=lambda n: "2099-01-01T00:00:00.000Z" if n == 2_000 else None)
        done = replay(*scene.arguments())
        self.assertEqual(done.returncode, 0, done.stderr)
        scene.check(self)

    def test_no_report_over_what_it_tells_of(self):
        scene = self.scene()
        replay(*scene.arguments())
        for place in (scene.store, scene.files[0], os.path.join(scene.stream.root, "partition=0", "new.json")):
            with self.subTest(place=place):
                before = content(place)
                for flag in ("--report", "--handoff-report"):
                    arguments = [part for part in scene.arguments() if part not in ("--handoff-report", scene.report)]
                    done = replay(*arguments, flag, place)
                    self.assertEqual(done.returncode, 64, done.stderr)
                self.assertEqual(content(place), before)

    def test_no_other_consumer_while_something_is_still_to_be_left_out(self):
        """Whoever went on from these positions would apply again what came from the archive."""
        caught = 0
        for seed in range(1, 9):
            scene = self.scene(seed, count=6_000, archived=0.5)
            # Killed right after the handoff: before the first live commit, unless the machine was faster.
            with subprocess.Popen([TOOL, *scene.arguments("--json", "--live-commit-interval", "3600")],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                for line in process.stdout:
                    if json.loads(line)["message_type"] == "handoff":
                        process.kill()
            with contextlib.closing(sqlite3.connect(scene.store)) as database:
                ahead = database.execute(
                    "SELECT count(*) FROM _replay_archived_ahead a JOIN _replay_positions p USING (function, log, side, "
                    "partition) WHERE function = 'event-counts' AND a.position >= p.next").fetchone()[0]
            over = replay("handoff", "--function", "event-counts", "--store", scene.store, "--live", scene.stream.address,
                          "--to", "print")
            if ahead:
                caught += 1
                self.assertEqual(over.returncode, 75, over.stderr)
                self.assertEqual(over.stdout, "")
            done = replay(*scene.arguments())
            self.assertEqual(done.returncode, 0, done.stderr)
            scene.check(self)
            over = replay("handoff", "--function", "event-counts", "--store", scene.store, "--live", scene.stream.address,
                          "--to", "print")
            self.assertEqual(over.returncode, 0, over.stderr)
            self.assertEqual(over.stdout, "".join(f"retail,{p},{len(own)}\n" for p, own in enumerate(scene.events)))
            if caught:
                return
        self.fail("in none of 8 runs was anything still to be left out")


class IdTests(LiveCase):
    """Archives with positions whose writer set the JSON anew: `--compare id`."""

    def test_ids_decide(self):
        for layout in ("aiven", "confluent"):
            with self.subTest(layout=layout):
                shutil.rmtree(self.scratch)
                os.makedirs(self.scratch)
                self.scene(archived=(0, 0), layout=layout)
                anew = [[json.dumps(dict(reversed(json.loads(line).items())), ensure_ascii=True).encode() for line in own]
                        for own in self.lines]
                self.archive = Archive(self.chance, os.path.join(self.scratch, "archive"), anew)
                self.archive.layout = layout
                for partition, end in enumerate((200, 100)):
                    self.archive.add(partition, end)
                refused = self.run_live()
                self.assertEqual(refused.returncode, 80, refused.stderr)
                done = self.run_live("--compare", "id")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_all_there()
                # What is written down to know the stream again is of the stream's own events.
                again = self.run_live("--compare", "id")
                self.assertEqual(again.returncode, 0, again.stderr)

    def test_another_stream_has_other_ids(self):
        self.scene()
        for own in self.archive.lines:
            own[:] = [line.replace(b'"id":"', b'"id":"x') for line in own]
        self.archive.ends = [0, 0]
        shutil.rmtree(self.archive.root)
        for partition, end in enumerate((200, 100)):
            self.archive.add(partition, end)
        refused = self.run_live("--compare", "id")
        self.assertEqual(refused.returncode, 80, refused.stderr)


if __name__ == "__main__":
    unittest.main()
