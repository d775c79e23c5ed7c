"""The button with a live stream behind the archive: races, kills, refusals, the handover to a consumer group."""
import json, os, random, shutil, subprocess, sys, tempfile, time, unittest

from streams import DirectoryStream, KafkaStream
from support import HERE, ROOT, TOOL, replay
from torture import FUNCTIONS, Archive, event, rows, tally

MOCK = os.path.join(ROOT, ".build", "debug", "kafka-mock")


class LiveCase(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)
        self.chance = random.Random(7)
        self.store = os.path.join(self.scratch, "store.db")

    def scene(self, counts=(300, 200), archived=(200, 100), kind="dir", layout="confluent"):
        """Events, an archive of the first of them in two segments, and a stream with all."""
        self.events = [[event(self.chance, p, len(counts), n) for n in range(count)] for p, count in enumerate(counts)]
        self.lines = [[json.dumps(e, separators=(",", ":")).encode() for e in own] for own in self.events]
        self.archive = Archive(self.chance, os.path.join(self.scratch, "archive"), self.lines)
        self.archive.layout = layout
        for partition, end in enumerate(archived):
            self.archive.add(partition, end // 2)
            self.archive.add(partition, end)
        self.stream = (DirectoryStream(os.path.join(self.scratch, "retail"), self.chance) if kind == "dir"
                       else KafkaStream(MOCK, "retail"))
        self.addCleanup(self.stream.close)
        self.stream.create(len(counts))
        for partition, own in enumerate(self.lines):
            self.stream.append(partition, own)

    def run_live(self, *more, functions=("shade-velocity", "recently-viewed", "event-counts"), stream=None):
        named = [part for name in functions for part in ("--function", name)]
        return replay("--archive", self.archive.root, "--store", self.store, "--live", stream or self.stream.address,
                      "--until-caught-up", *named, *more)

    def assert_all_there(self):
        wanted, found = tally(self.events), rows(self.store)
        for table in wanted:
            self.assertEqual(found[table], wanted[table], table)


class HandoffTests(LiveCase):
    def test_each_layout_and_stream(self):
        for kind in ("dir", "kafka"):
            for layout in ("confluent", "aiven"):
                with self.subTest(kind=kind, layout=layout):
                    shutil.rmtree(self.scratch)
                    os.makedirs(self.scratch)
                    self.scene(kind=kind, layout=layout)
                    path = os.path.join(self.scratch, "handoff.json")
                    done = self.run_live("--handoff-report", path)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assert_all_there()
                    with open(path) as file:
                        report = json.load(file)
                    self.assertEqual(report["hole"], 0)
                    kinds = {part["class"] for part in report["partitions"]}
                    self.assertEqual(kinds, {"exact" if layout == "aiven" else "lower bound"})
                    firsts = {part["partition"]: part["live_first"] for part in report["partitions"]}
                    self.assertEqual(firsts, {"0": "200", "1": "100"})
                    # The same command again has nothing to do, and follows at once.
                    again = self.run_live()
                    self.assertEqual(again.returncode, 0, again.stderr)
                    self.assertNotIn("handoff  ", again.stderr)
                    self.assert_all_there()

    def test_what_comes_later_is_taken_in_from_the_stream_alone(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        more = [event(self.chance, 0, 2, 300 + n) for n in range(50)]
        self.events[0] += more
        self.lines[0] += [json.dumps(e, separators=(",", ":")).encode() for e in more]
        self.stream.append(0, self.lines[0][300:])
        self.archive.add(0, 340)
        done = self.run_live()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_a_second_function_catches_up_and_both_go_on(self):
        self.scene()
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        done = self.run_live()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_a_full_refresh_begins_with_the_archive_again(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        done = self.run_live("--full-refresh")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("handoff  ", done.stderr)
        self.assert_all_there()


class PhaseTests(LiveCase):
    """What earlier phases finished, in later ones."""

    def test_f1_every_partitions_end_of_this_phase(self):
        """A switch that came before all readers had finished, since those of an earlier phase still counted: a function
        joins in each of three phases, between which archive and stream grow, each partition very unlike the others."""
        self.scene(counts=(6000, 700, 40, 2), archived=(1000, 600, 30, 1))
        path = os.path.join(self.scratch, "handoff.json")
        names = ["event-counts", "recently-viewed", "shade-velocity"]
        for phase, ends in enumerate([(1000, 600, 30, 1), (1001, 690, 30, 1), (5500, 690, 39, 1)]):
            for partition, end in enumerate(ends):
                self.archive.add(partition, end)
            done = self.run_live("--handoff-report", path, functions=names[:phase + 1])
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path) as file:
                report = json.load(file)
            self.assertEqual(report["functions"], [names[phase]])
            self.assertEqual([part["live_first"] for part in report["partitions"]], list(map(str, ends)))
        self.assert_all_there()

    def test_f11_killed_then_a_partition_is_added(self):
        """What had been done of a finished partition was lost in the recovery, or done twice: killed in the replay at its
        n-th write, then the topic gets one more partition, whose events are archived too, and other lanes go on."""
        halves = 0
        for point in range(1, 25, 3):
            with self.subTest(point=point):
                shutil.rmtree(self.scratch)
                os.makedirs(self.scratch)
                self.scene(counts=(3000, 60, 5), archived=(2800, 50, 4))
                run = [TOOL, "--archive", self.archive.root, "--store", self.store, "--live", self.stream.address,
                       "--until-caught-up", "--lanes", "3", "--commit-interval", "0.001", "--block-bytes", "4096"]
                run += [part for name in FUNCTIONS for part in ("--function", name)]
                killed = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e",
                                         f"inject=fsync,fdatasync:signal=KILL:when={point}", *run], capture_output=True)
                halves += killed.returncode != 0
                self.events.append([event(self.chance, 3, 4, n) for n in range(500)])
                for e in self.events[3]:
                    e["partitionkey"] = e["data"]["customer"] = "new-" + e["data"]["customer"]
                self.lines.append([json.dumps(e, separators=(",", ":")).encode() for e in self.events[3]])
                self.archive.ends.append(0)
                self.archive.starts.append(0)
                self.archive.add(3, 400)
                self.stream.create(1)
                self.stream.append(3, self.lines[3])
                done = self.run_live("--lanes", str(1 + point % 4))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_all_there()
        self.assertGreater(halves, 3, "the kills came too late")


class RefusalTests(LiveCase):
    def refused(self, code, *words, more=()):
        done = self.run_live(*more)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertIn("next:", done.stderr)
        return done

    def test_retention_has_passed(self):
        self.scene(counts=(600, 200))
        start = 250
        for path in os.listdir(os.path.join(self.stream.root, "partition=0")):
            os.remove(os.path.join(self.stream.root, "partition=0", path))
        with open(self.stream.path(0, start), "wb") as file:
            file.write(b"".join(line + b"\n" for line in self.lines[0][start:]))
        self.refused(79, "passed the stream's retention", "partition retail/0", "150 positions later")

    def test_the_topic_was_made_anew(self):
        self.scene()
        other = [json.dumps(event(self.chance, 0, 2, n)).encode() for n in range(300)]
        for path in os.listdir(os.path.join(self.stream.root, "partition=0")):
            os.remove(os.path.join(self.stream.root, "partition=0", path))
        with open(self.stream.path(0, 0), "wb") as file:
            file.write(b"".join(line + b"\n" for line in other))
        self.refused(80, "not those of the archive", "position 100")

    def test_the_topic_was_made_anew_while_nobody_looked(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        for longer in (False, True):
            path = os.path.join(self.stream.root, "partition=0")
            shutil.rmtree(path)
            os.makedirs(path)
            other = [json.dumps(event(self.chance, 0, 2, n)).encode() for n in range(400 if longer else 100)]
            with open(self.stream.path(0, 0), "wb") as file:
                file.write(b"".join(line + b"\n" for line in other))
            code = 80 if longer else 81
            self.refused(code, "not the one that was followed", "partition retail/0")

    def test_another_topic(self):
        self.scene(layout="aiven")
        stream = DirectoryStream(os.path.join(self.scratch, "orders"), self.chance)
        stream.create(2)
        for partition in range(2):
            stream.append(partition, [b'{"order":%d}' % n for n in range(400)])
        self.stream = stream
        self.refused(80, "not those of the archive")

    def test_a_stream_that_ends_before_the_archive(self):
        self.scene()
        shutil.rmtree(self.stream.root)
        self.stream = DirectoryStream(self.stream.root, self.chance)
        self.stream.create(2)
        for partition in range(2):
            self.stream.append(partition, self.lines[partition][:60])
        self.refused(81, "ends before the archive does")

    def test_a_partition_that_the_stream_lacks(self):
        self.scene()
        shutil.rmtree(os.path.join(self.stream.root, "partition=1"))
        self.refused(80, "lacks a partition", "expected a partition 1")

    def test_a_partition_that_is_gone_while_nobody_looked(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        shutil.rmtree(os.path.join(self.stream.root, "partition=1"))
        self.refused(80, "lacks a partition that was followed", "expected a partition 1")

    def test_nothing_to_compare(self):
        self.scene(layout="aiven")
        for partition, start in ((0, 200), (1, 100)):
            directory = os.path.join(self.stream.root, f"partition={partition}")
            shutil.rmtree(directory)
            os.makedirs(directory)
            with open(self.stream.path(partition, start), "wb") as file:
                file.write(b"".join(line + b"\n" for line in self.lines[partition][start:]))
        self.refused(82, "nothing proves")
        done = self.run_live("--unproved-handoff")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_an_empty_partition_is_no_trouble(self):
        self.scene(counts=(300, 200, 0, 0))
        done = self.run_live()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3: nothing archived, live from 0, 0 compared", done.stderr)
        self.assert_all_there()

    def test_a_partition_that_is_added(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        self.stream.create(1)
        self.events.append([event(self.chance, 2, 3, n) for n in range(20)])
        for e in self.events[2]:
            e["partitionkey"] = e["data"]["customer"] = "c-new"
        self.stream.append(2, [json.dumps(e, separators=(",", ":")).encode() for e in self.events[2]])
        done = self.run_live()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_there()

    def test_a_live_function_is_not_given_the_archive_or_another_stream(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        done = replay("--archive", self.archive.root, "--store", self.store, "--function", "event-counts")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("follows a stream", done.stderr)
        other = DirectoryStream(os.path.join(self.scratch, "orders"), self.chance)
        other.create(2)
        self.stream, kept = other, self.stream
        self.refused(80, "follows another stream", "expected: retail", "found:    orders")
        self.stream = kept
        self.assertEqual(self.run_live().returncode, 0)
        self.assert_all_there()

    def test_a_malformed_event_in_the_stream(self):
        self.scene(counts=(300,), archived=(200,))
        self.stream.append(0, [b'{"type":"retail.item.sold"'])
        done = self.refused(65, "malformed event", "position 300 of partition retail/0", "everything before it")
        self.assertNotIn("Traceback", done.stderr)
        self.assert_all_there()

    def test_no_such_stream(self):
        self.scene()
        for stream, code in (("dir:" + self.scratch + "/nowhere", 66), ("nats://x/y", 64), ("kafka://x", 64)):
            done = self.run_live(stream=stream)
            self.assertEqual(done.returncode, code, done.stderr)

    def test_a_choice_for_the_streams_events_wants_a_stream(self):
        for verb in ([], ["plan"]):
            done = replay(*verb, "--archive", self.scratch, "--store", self.store, "--function", "event-counts",
                          "--on-error-live", "park")
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn("--on-error-live needs --live", done.stderr)


class HandoverTests(LiveCase):
    def test_to_a_consumer_group(self):
        self.scene(kind="kafka")
        live = ["--live", self.stream.address, "--store", self.store, "--function", "event-counts"]
        early = replay("handoff", *live, "--to", "kafka-group:counts")
        self.assertEqual(early.returncode, 66, early.stderr)
        self.assertEqual(self.run_live().returncode, 0)
        done = replay("handoff", *live, "--to", "kafka-group:counts")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "group counts: retail/0 goes on at 300\ngroup counts: retail/1 goes on at 200\n")
        printed = replay("handoff", *live, "--to", "print")
        self.assertEqual(printed.stdout, "retail,0,300\nretail,1,200\n")
        self.assertIn("AT_TIMESTAMP", printed.stderr)
        # Whoever follows with the same store would apply what the group applies.
        done = self.run_live()
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("in the hands of another consumer", done.stderr)

    def test_a_group_that_has_read_further(self):
        self.scene(kind="kafka")
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        behind = shutil.copy(self.store, self.store + ".behind")
        self.stream.append(0, self.lines[0][:20])
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)
        command = ["handoff", "--live", self.stream.address, "--function", "event-counts", "--to", "kafka-group:counts"]
        self.assertEqual(replay(*command, "--store", self.store).returncode, 0)
        done = replay(*command, "--store", behind)
        self.assertEqual(done.returncode, 76, done.stderr)
        self.assertIn("retail/0: the group is at 320, the replay at 300", done.stderr)
        # It is nobody's yet: the replay can still be made to catch up with the group.
        self.store = behind
        self.assertEqual(self.run_live(functions=["event-counts"]).returncode, 0)

    def test_a_run_that_follows_is_ended_by_the_handover(self):
        self.scene(kind="kafka")
        run = subprocess.Popen([TOOL, "--archive", self.archive.root, "--store", self.store, "--live",
                                self.stream.address, "--function", "event-counts"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        # The store's file is there before the function is in it.
        while "event-counts" not in replay("status", "--store", self.store).stdout:
            time.sleep(0.05)
        wait = replay("wait", "--store", self.store, "--function", "event-counts", "--position", "0:299", "--timeout", "30s")
        self.assertEqual(wait.returncode, 0, wait.stderr)
        done = replay("handoff", "--live", self.stream.address, "--store", self.store, "--function", "event-counts", "--to",
                      "kafka-group:counts")
        self.assertEqual(done.returncode, 0, done.stderr)
        # Nothing comes that would have to be committed: it looks by itself.
        said = run.communicate(timeout=30)[1]
        self.assertEqual(run.returncode, 76, said)

    def test_positions_of_a_directory_are_no_offsets(self):
        self.scene()
        self.assertEqual(self.run_live().returncode, 0)
        kafka = KafkaStream(MOCK, "retail")
        self.addCleanup(kafka.close)
        kafka.create(2)
        for partition in range(2):
            kafka.append(partition, [b'{"partitionkey":"x","n":%d}' % n for n in range(400)])
        done = replay("handoff", "--live", kafka.address, "--store", self.store, "--function", "event-counts", "--to",
                      "kafka-group:counts")
        self.assertEqual(done.returncode, 80, done.stderr)
        self.assertEqual(self.run_live().returncode, 0)

    def test_a_secret_is_not_kept(self):
        self.scene(kind="kafka")
        self.run_live("-X", "sasl.password=hunter2")
        with open(self.store, "rb") as file:
            self.assertNotIn(b"hunter2", file.read())
        self.assertIn("sasl.password=@env:NAME", replay("status", "--store", self.store).stderr)

    def test_not_before_the_handoff(self):
        self.scene()
        replay("--archive", self.archive.root, "--store", self.store, "--function", "event-counts")
        done = replay("handoff", "--live", self.stream.address, "--store", self.store, "--function", "event-counts",
                      "--to", "print")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("was not handed off", done.stderr)


class RaceTests(unittest.TestCase):
    def race(self, *arguments):
        done = subprocess.run([sys.executable, os.path.join(HERE, "torture.py"), TOOL, "--kafka-mock", MOCK, *arguments],
                              capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_twenty_kills_in_all_three_phases(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "live_kills.py"), TOOL, "--kills", "20", "--seed", "1"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.splitlines()[0])

    def test_fifty_races(self):
        self.race("--runs", "35", "--seed", "1000")
        self.race("--runs", "15", "--seed", "2000", "--stream", "kafka")


if __name__ == "__main__":
    unittest.main()
