"""Bugs that other tools had (docs/bug-catalogue.md), where no other test looks for them here. Each is named after its entry."""
import gzip, json, os, random, shlex, shutil, sqlite3, subprocess, sys, tempfile, unittest

from case import Case
import test_found
from streams import DirectoryStream
from support import TOOL, generate, replay
from test_found import numbered, sold

PLAIN = "topics/t/partition=0/t+0+%d.json"


def retail(number, **more):
    """One event of one key, whose place in its key is its sku."""
    return json.dumps({"id": f"e-{number}", "type": "retail.product.viewed", "time": "2026-01-01T00:00:00Z",
                       "partitionkey": "k", "data": {"sku": f"s{number}"}, **more})


class Bytes(Case):
    def test_a4_a_last_file_that_is_cut_between_two_members_is_not_said_to_be_proved(self):
        """No format and no chain sees it while nothing follows; the next file does, and the events are not lost."""
        parts = ["".join(sold(f"s{n}") for n in range(start, start + 25)) for start in range(0, 125, 25)]
        members = [gzip.compress(part.encode()) for part in parts]
        self.put(PLAIN % 0 + ".gz", members[0] + members[1])
        last = self.put(PLAIN % 50 + ".gz", members[2])  # of two members, the second is lost
        checked = replay("check", "--archive", self.archive)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("nothing says where the last segment of 1 partition ends", checked.stderr)
        self.run_tool()
        self.put(PLAIN % 100 + ".gz", members[4])
        for positions in ((), ("--positions", "dense")):
            done = self.run_tool(*positions, code=65)
            self.assertIn("t+0+100.json.gz", done.stderr)
        with open(last, "wb") as file:
            file.write(members[2] + members[3])
        self.assertIn("t+0+50.json.gz", self.run_tool(code=65).stderr)  # another file than the one that was read
        self.run_tool("--full-refresh")
        self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(125, 1)])

    def test_a6_a_flipped_bit_in_a_frame_without_checksum_is_doubted(self):
        text = "".join(sold(f"s{n}") for n in range(20)).encode()
        for flags, code, verdict in (([], 0, "pass"), (["--no-check"], 65, "unprovable")):
            frame = subprocess.run(["zstd", "-q", "-c", *flags], input=text, capture_output=True, check=True).stdout
            self.put(PLAIN % 0 + ".zst", frame)
            done = replay("check", "--archive", self.archive, "--require-integrity")
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertTrue(done.stdout.startswith(verdict), done.stdout)
        self.assertIn("without a checksum", self.run_tool().stderr)

    def test_a12_more_files_than_a_page_of_keys_in_the_order_of_their_numbers(self):
        for number in range(1205):
            self.put(PLAIN % number, retail(number) + "\n")
        done = self.run_tool(function="recently-viewed")
        self.assertIn("1,205 events read", done.stderr)
        self.assertEqual(self.rows("SELECT sku FROM recently_viewed ORDER BY rank"),
                         [(f"s{n}",) for n in range(1204, 1194, -1)])

    def test_a18_what_an_archive_without_numbers_has_twice_is_applied_twice_and_said_to_be_unprovable(self):
        self.put("a.json", sold("red") + sold("red"))
        self.run_tool()
        self.assertEqual(self.rows(), [("red", 2)])
        checked = replay("check", "--archive", self.archive, "--require-integrity")
        self.assertEqual(checked.returncode, 65, checked.stderr)
        self.assertIn("no positions", checked.stdout)


class Records(Case):
    def test_b1_a_long_line_is_a_record_like_others_and_one_above_the_limit_ends_nothing_silently(self):
        sizes = [(64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1 << 20, 10 << 20]
        frame = len(sold("red").strip()) + len(',"more":""')
        lines = [sold("red").strip()[:-1] + ',"more":"' + "x" * (size - frame) + '"}\n' for size in sizes]
        self.assertEqual([len(line) for line in lines], [size + 1 for size in sizes])
        for compress in (lambda data: data, gzip.compress):
            self.put("a.json", compress("".join([*lines, sold("blue")]).encode()))
            self.run_tool("--full-refresh")
            self.assertEqual(self.rows(), [("blue", 1), ("red", len(sizes))])
        self.put("a.json", sold("blue") + lines[-1] * 2 + sold("red"))
        done = self.run_tool("--full-refresh", "--max-record-bytes", 1 << 20, code=65)
        for words in ("record 2", "--max-record-bytes", "1 event of this run"):
            self.assertIn(words, done.stderr)
        self.assertEqual(self.rows(), [("blue", 1)])

    def test_b4_a_payload_reaches_a_function_byte_by_byte(self):
        payloads = ['{"partitionkey":"k", "n":1.0,"m":1e2,"big":9007199254740993,"deep":0.1234567890123456789}',
                    '{"partitionkey":"k","t":"\\u00e9\\/ é \\ud83d\\ude00","z":-0.0,"a":1,"a":2 , "e":[ ]}']
        self.put(PLAIN % 0, "\n".join(payloads))
        given = self.path("given")
        self.run_tool("--contract", "writes-itself", "--workers", 1, function=f"exec:{sys.executable} -c {shlex.quote(LINES % given)}")
        with open(given) as file:
            self.assertEqual([line.split('"event":', 1)[1].rstrip("\n")[:-1] for line in file], payloads)

    def test_b5_of_a_key_that_is_there_twice_the_archive_and_the_stream_take_the_same(self):
        """So does the list of what is kept, and the event that a program is given holds both."""
        lines = [retail(n)[:-1] + f',"partitionkey":"second-{n % 2}"' + "}" for n in range(60)]
        lines += [retail(n)[:-1] + ',"data":{"sku":"second"}}' for n in range(60, 80)]
        self.put(PLAIN % 0, "".join(line + "\n" for line in lines))
        self.run_tool(function="recently-viewed")
        whole = self.rows("SELECT * FROM recently_viewed")
        self.assertEqual({row[0] for row in whole}, {"k"}, "the first counts")
        self.assertNotIn("second", {row[2] for row in whole})
        self.store = self.path("live.db")
        self.put(PLAIN % 0, "".join(line + "\n" for line in lines[:40]))
        stream = DirectoryStream(self.path("t"), random.Random(1))
        stream.create(1)
        stream.append(0, [line.encode() for line in lines])
        self.run_tool("--live", stream.address, "--until-caught-up", function="recently-viewed")
        self.assertEqual(self.rows("SELECT * FROM recently_viewed"), whole)

    def test_b7_a_nul_in_a_key_stops_the_run_at_its_event_and_nothing_is_lost(self):
        self.put(PLAIN % 0, retail(0) + "\n" + retail(1, partitionkey="a\0b") + "\n" + retail(2) + "\n")
        done = self.run_tool(function="recently-viewed", code=65)
        for words in ("record 2", "NUL", "1 event of this run is committed"):
            self.assertIn(words, done.stderr)
        self.assertEqual(self.rows("SELECT sku FROM recently_viewed"), [("s0",)])


LINES = """
import sys
with open(%r, "a") as log:
    for line in sys.stdin:
        log.write(line)
        log.flush()
        print("{}", flush=True)
"""


class Checkpoint(Case):
    def test_d4_after_a_write_that_failed_once_the_run_ends_and_the_same_command_goes_on(self):
        """The n-th write of a small run fails once: either it is done again, or the run says so; no commit is left out."""
        self.put(PLAIN % 0, "".join(sold(f"s{n % 7}") for n in range(300)))
        self.run_tool()
        wanted = self.rows()
        ended = 0
        for call in ("pwrite64", "fsync,fdatasync"):
            for number in (1, 2, 3, 5, 8, 13, 21):
                self.store = self.path(f"{call}-{number}.db")
                flags = ["--commit-events", "20", "--block-bytes", "1024", "--lanes", "1", "--commit-interval", "0.001"]
                done = subprocess.run(
                    ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                     f"inject={call}:error=EIO:when={number}", TOOL, "--archive", self.archive, "--function",
                     "shade-velocity", "--store", self.store, *flags], capture_output=True, text=True, timeout=60)
                with self.subTest(call=call, number=number):
                    self.assertIn(done.returncode, (0, 69, 73, 75), done.stderr)
                    if done.returncode == 75:  # The sync of a commit: the README's table has it so.
                        self.assertIn("the store did not say whether the last commit was written", done.stderr)
                    ended += done.returncode != 0
                    self.run_tool(*flags)
                    self.assertEqual(self.rows(), wanted)
        self.assertGreater(ended, 3, "the faults came too late")

    def test_d7_equal_events_all_count_also_over_commits_and_kills(self):
        self.put(PLAIN % 0, sold("red") * 1000)
        for point in range(1, 40, 4):
            with self.subTest(point=point):
                self.store = self.path(f"{point}.db")
                flags = ["--commit-events", "10", "--block-bytes", "1024", "--lanes", "1", "--commit-interval", "0.001"]
                subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
                                f"inject=pwrite64:signal=KILL:when={point}", TOOL, "--archive", self.archive, "--function",
                                "shade-velocity", "--store", self.store, *flags], capture_output=True, timeout=60)
                self.run_tool(*flags)
                self.assertEqual(self.rows(), [("red", 1000)])

    def test_d11_gaps_of_any_size_where_gaps_are_allowed_and_no_other_event_is_left_out(self):
        numbers, next_number = [], 1_000_000
        for gap in (0, 1, 100, 101, 1_000_000, 0, 1):
            next_number += gap
            numbers += range(next_number, next_number + 5)
            next_number += 5
        for cut in (3, 5, 12, 20, 34):  # the gap within a file, and between two
            with self.subTest(cut=cut):
                shutil.rmtree(self.archive, ignore_errors=True)
                for part in (numbers[:cut], numbers[cut:]):
                    self.put(f"t-0-{part[0]}.json", "".join(numbered(n) for n in part))
                self.run_tool("--positions", "sparse", "--full-refresh")
                self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(len(numbers), 1)])
                done = self.run_tool("--positions", "dense", "--full-refresh", code=65)
                self.assertIn("position", done.stderr)

    def test_e7_a_checkpoint_that_somebody_changed_is_an_error_and_no_loop(self):
        self.put(PLAIN % 0, "".join(sold(f"s{n}") for n in range(60)))
        bad = self.put(PLAIN % 60, sold("s60") + sold("bad", "1.001"))
        self.run_tool(code=65)
        good = self.path("good.db")
        with sqlite3.connect(self.store) as source, sqlite3.connect(good) as target:
            source.backup(target)
        source.close()
        target.close()
        with open(bad, "w") as file:
            file.write(sold("s60") + sold("s61"))
        before = self.rows()
        for table, change in (
                ("positions", "next = 'garbage'"), ("positions", "next = ''"), ("positions", "side = 'mars'"),
                ("positions", "next = replace(next, '0', 'f')"), ("positions", "gap_end = 'x'"),
                ("functions", "phase = 'later'"), ("functions", "phase = ''"), ("functions", "format = 99"),
                ("functions", "shape = 'x'"), ("functions", "version = 2"), ("functions", "events = -1"),
                ("functions", "epochs = -5"), ("functions", "first = 'x'"), ("functions", "reading = 'x'"),
                ("segments", '"end" = \'x\''), ("segments", "digest = 'x'"), ("segments", "size = -1"),
                ("segments", "digest = '0000000000000000', version = ''"), ("segments", "name = '../../etc/passwd'"),
                ("half_read", "name = '/etc/passwd'"), ("half_read", "digest = '0000000000000000'"),
                ("half_read", "prefix = 1"), ("positions", None), ("segments", None)):
            with self.subTest(table=table, change=change):
                for end in ("", "-wal", "-shm"):
                    if os.path.exists(self.store + end):
                        os.remove(self.store + end)
                shutil.copy(good, self.store)
                self.change(f"UPDATE _replay_{table} SET {change}" if change else f"DELETE FROM _replay_{table}")
                done = replay("--archive", self.archive, "--function", "shade-velocity", "--store", self.store, timeout=20)
                self.assertIn(done.returncode, (65, 78), done.stderr)
                self.assertIn("next:", done.stderr)
                self.assertEqual(self.rows(), before)
                self.assertIn(replay("status", "--store", self.store, timeout=20).returncode, (0, 78))


class Rebuild(Case):
    def phases(self, count, function, *more):
        """The phase in which each event was given, by its number."""
        done = replay("--archive", self.archive, "--function", function, "--contract", "writes-itself", "--store", self.store,
                      "--live", f"dir:{self.path('t')}", "--until-caught-up", "--workers", 1, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("given")) as file:
            given = [json.loads(line) for line in file]
        self.assertEqual({line["event"]["id"] for line in given}, {f"e-{n}" for n in range(count)})
        return {(int(line["event"]["id"][2:]), line["phase"]) for line in given}

    def test_e1_an_event_is_a_replays_up_to_the_last_archived_one_and_never_again(self):
        lines = [retail(n) for n in range(50)]
        self.put(PLAIN % 0, "".join(line + "\n" for line in lines[:30]))
        stream = DirectoryStream(self.path("t"), random.Random(1))
        stream.create(1)
        stream.append(0, [line.encode() for line in lines[:40]])
        function = f"exec:{sys.executable} -c {shlex.quote(LINES % self.path('given'))}"
        wanted = {(n, "replay" if n < 30 else "live") for n in range(40)}
        self.assertEqual(self.phases(40, function), wanted)
        # The archive took more in meanwhile; what the stream has is live all the same, after each restart.
        self.put(PLAIN % 30, "".join(line + "\n" for line in lines[30:45]))
        stream.append(0, [line.encode() for line in lines[40:]])
        for _ in range(2):
            self.assertEqual(self.phases(50, function), wanted | {(n, "live") for n in range(40, 50)})

    def test_e4_what_was_deleted_stays_deleted_until_it_is_made_again(self):
        """Rows by key that events make, delete and make again; as a dictionary says, for any batch size and any commits."""
        chance = random.Random(5)
        lines, wanted = [], {}
        for number in range(600):
            key, kind = f"k{chance.randrange(20)}", chance.choice(["made", "made", "gone"])
            lines.append(json.dumps({"id": f"e-{number}", "partitionkey": key, "type": kind, "n": number}) + "\n")
            wanted.pop(key, None)
            if kind == "made":
                wanted[key] = number
        self.put(PLAIN % 0, "".join(lines[:300]))
        self.put(PLAIN % 300, "".join(lines[300:]))
        tables = self.put("tables.json", json.dumps(
            {"function": "things", "contract": "changes",
             "tables": {"things": {"key": {"k": "text"}, "columns": {"n": "integer"}}}}), below=self.home)
        program = ("import json, sys\nfor line in sys.stdin:\n    e = json.loads(line)['event']\n"
                   "    kind = 'upserts' if e['type'] == 'made' else 'deletes'\n"
                   "    row = {'k': e['partitionkey'], **({'n': e['n']} if kind == 'upserts' else {})}\n"
                   "    print(json.dumps({kind: [{'table': 'things', 'row': row}]}), flush=True)")
        for batch, events, workers in ((1, 10000, 1), (2, 7, 2), (50, 10000, 3), (1000, 100, 1)):
            with self.subTest(batch=batch, events=events):
                self.run_tool("--tables", tables, "--batch-size", batch, "--commit-events", events, "--workers", workers,
                              "--full-refresh", function=f"exec:{sys.executable} -c {shlex.quote(program)}")
                self.assertEqual(dict(self.rows("SELECT k, n FROM things")), wanted, "seed 5")

    def test_e6_a_second_refresh_is_the_first_and_leaves_nothing_behind(self):
        generate(self.archive, "--events", 3000, "--codec", "gzip", "--segments", 4)
        seen = []
        for _ in range(3):
            self.run_tool("--full-refresh", "--commit-events", 200, function="recently-viewed")
            names = [name for name, in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
            seen.append([self.rows("SELECT * FROM recently_viewed"), self.rows("SELECT * FROM _replay_positions"),
                         [(name, self.rows(f'SELECT count(*) FROM "{name}"')) for name in names]])
        self.assertEqual(len(seen[0][1]), 4, "a position for each partition, and no more")
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[1], seen[2])


class Handoff(Case):
    def test_f3_a_thousand_events_of_one_time_across_the_handoff_are_applied_once(self):
        lines = [sold(f"s{n}", time="2026-01-01T00:00:00.000Z").strip().encode() for n in range(1000)]
        for archived in (1, 499, 999, 1000):
            for name, compress in ((PLAIN % 0, bytes), ("2026/01/01/00/t-1-2026-01-01-00-00-00-"
                                                       "00000000-0000-4000-8000-000000000001.gz", gzip.compress)):
                with self.subTest(archived=archived, name=name):
                    shutil.rmtree(self.home)
                    self.put(name, compress(b"\n".join(lines[:archived]) + b"\n"))
                    stream = DirectoryStream(self.path("t"), random.Random(archived))
                    stream.create(1)
                    stream.append(0, lines)
                    self.run_tool("--live", stream.address, "--until-caught-up")
                    self.assertEqual(self.rows("SELECT count(*), min(units), max(units) FROM shade_velocity"), [(1000, 1, 1)])

    def test_f15_a_wall_clock_that_is_years_off_changes_no_row(self):
        """Where files are said to be of another year and the store's last commit lies ahead."""
        lines = [sold(f"s{n}").strip().encode() for n in range(300)]
        segment = self.put(PLAIN % 0, b"\n".join(lines[:200]) + b"\n")
        stream = DirectoryStream(self.path("t"), random.Random(3))
        stream.create(1)
        stream.append(0, lines[:250])
        for number, at in enumerate((0, 4_000_000_000)):
            os.utime(segment, (at, at))
            for name in os.listdir(self.path("t", "partition=0")):
                os.utime(self.path("t", "partition=0", name), (at, at))
            self.store = self.path(f"{number}.db")
            self.run_tool()
            self.change("UPDATE _replay_functions SET updated_at = '2999-01-01T00:00:00.000000Z'")
            self.run_tool("--live", stream.address, "--until-caught-up")
            self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(250, 1)])


if __name__ == "__main__":
    unittest.main()
