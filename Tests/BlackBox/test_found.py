"""Cases that somebody found by attacking the tool: each once broke it, and each is the smallest archive that did."""
import gzip, json, os, random, shutil, sqlite3, subprocess, tempfile, unittest

from support import TOOL, replay


def sold(shade, price="1.00", quantity="1", key="k", time="2023-01-01T00:00:00Z"):
    return ('{"type":"retail.item.sold","time":"%s","partitionkey":"%s","data":{"sku":"s","category":"cosmetics",'
            '"shade":"%s","price":%s,"quantity":%s}}\n' % (time, key, shade, price, quantity))


def viewed(key, sku):
    return ('{"type":"retail.product.viewed","time":"2023-01-01T00:00:00Z","partitionkey":"%s","data":{"sku":"%s"}}\n'
            % (key, sku))


def numbered(offset, value=None):
    return '{"key":"k","offset":%d,"value":%s}\n' % (offset, (value or sold(f"s{offset}")).strip())


class Found(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.store = os.path.join(self.home, "t.db")
        self.archive = os.path.join(self.home, "archive")

    def tearDown(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def put(self, name, content):
        path = os.path.join(self.archive, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def run_tool(self, *more, function="shade-velocity", code=0, **options):
        done = replay("--archive", self.archive, "--function", function, "--store", self.store, *more, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def rows(self, sql="SELECT shade, units FROM shade_velocity ORDER BY shade"):
        database = sqlite3.connect(self.store)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    # The chain is examined before anything of a segment is committed.

    def test_an_overlap_is_not_committed_before_it_is_found(self):
        self.put("topics/t/partition=0/t+0+0.json", "".join(sold(f"s{n}") for n in range(60)))
        self.put("topics/t/partition=0/t+0+50.json", "".join(sold(f"s{n}") for n in range(50, 150)))
        self.run_tool("--commit-events", "1", "--block-bytes", "1024", "--lanes", "1", code=65)
        self.assertEqual(self.rows("SELECT sum(units), max(units) FROM shade_velocity"), [(60, 1)])

    def test_a_hole_can_be_filled_afterwards(self):
        part = {start: "".join(sold(f"s{n}") for n in range(start, start + 50)) for start in (0, 50, 100)}
        for start in (0, 100):
            self.put(f"topics/t/partition=0/t+0+{start}.json", part[start])
        self.run_tool("--positions", "dense", "--commit-events", "1", "--block-bytes", "1024", "--lanes", "1", code=65)
        self.put("topics/t/partition=0/t+0+50.json", part[50])
        self.run_tool()
        self.assertEqual(self.rows("SELECT sum(units), max(units) FROM shade_velocity"), [(150, 1)])

    # What allow-flags let through is neither lost nor counted twice.

    def test_a_record_below_the_position_is_no_duplicate_as_well(self):
        self.put("f/t-0-0.json", "".join(numbered(n) for n in (0, 1, 2, 1, 3)))
        self.run_tool("--allow-duplicates", code=3)
        done = replay("--archive", self.archive, "--function", "shade-velocity", "--function", "event-counts", "--store",
                      self.store, "--allow-duplicates")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(self.rows("SELECT sum(events) FROM event_counts"), [(4,)])

    def test_an_overlap_that_stopped_a_run_goes_on_with_the_flag(self):
        for start, end in ((0, 100), (90, 200), (200, 300)):
            self.put(f"topics/t/partition=0/t+0+{start}.json", "".join(sold(f"s{n}") for n in range(start, end)))
        self.run_tool(code=65)
        done = self.run_tool("--allow-overlaps", code=3)
        self.assertIn("t+0+90.json", done.stderr)
        self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(300, 1)])

    def test_an_overlap_over_a_gap_is_refused(self):
        self.put("t-0-0.json", "".join(numbered(n) for n in (0, 1, 3)))
        self.put("t-0-2.json", "".join(numbered(n) for n in (2, 3, 4)))
        done = self.run_tool("--allow-overlaps", "--positions", "sparse", code=65)
        self.assertIn("t-0-2.json", done.stderr)

    def test_nothing_is_lost_where_numbers_went_back_before_a_fault(self):
        bad = numbered(1, sold("s1", "1.001"))
        self.put("t-0-0.json", numbered(0) + numbered(2) + bad + numbered(3))
        self.run_tool("--allow-inversions", code=65)
        self.put("t-0-0.json", "".join(numbered(n) for n in (0, 2, 1, 3)))
        self.run_tool("--allow-inversions", code=3)
        self.assertEqual(self.rows(), [("s0", 1), ("s1", 1), ("s2", 1), ("s3", 1)])

    def test_a_half_read_file_with_overlaps_goes_on(self):
        for start, count in ((0, 20), (5, 7), (20, 10)):
            self.put(f"t+0+{start}.json", "".join(sold(f"s{n}") for n in range(start, start + count)))
        whole = os.path.join(self.archive, "t+0+0.json")
        with open(whole) as file:
            good = file.read()
        lines = good.splitlines(keepends=True)
        self.put("t+0+0.json", "".join(lines[:12]) + sold("s12", "1.001") + "".join(lines[13:]))
        self.run_tool("--allow-overlaps", code=65)
        self.put("t+0+0.json", good)
        self.run_tool("--allow-overlaps", code=3)
        self.assertEqual(self.rows("SELECT count(*), max(units) FROM shade_velocity"), [(30, 1)])

    # A segment that was half read must be what it was.

    def half_read(self):
        lines = [sold(f"s{n}") for n in range(60)]
        self.put("a.json", "".join(lines) + sold("bad", "1.001"))
        self.run_tool(code=65)
        self.assertEqual(self.rows("SELECT sum(units) FROM shade_velocity"), [(60,)])
        return lines

    def test_a_half_read_file_that_was_mended_goes_on(self):
        lines = self.half_read()
        self.put("a.json", "".join(lines) + sold("good") + sold("more"))
        self.run_tool()
        self.assertEqual(self.rows("SELECT sum(units) FROM shade_velocity"), [(62,)])

    def test_functions_that_stand_at_different_places_go_on_together(self):
        lines = self.half_read()
        self.put("b.json", "".join(sold(f"s{n}") for n in range(60, 90)))
        self.run_tool(function="event-counts")
        self.put("a.json", "".join(lines) + sold("good"))
        done = replay("--archive", self.archive, "--function", "shade-velocity", "--function", "event-counts", "--store",
                      self.store)
        self.assertEqual(done.returncode, 65, done.stderr)  # event-counts has settled the file that was mended
        self.put("a.json", "".join(lines) + sold("bad", "1.001"))
        self.store += "2"
        self.run_tool(code=65)
        self.run_tool(function="event-counts")
        with open(os.path.join(self.archive, "a.json")) as file:
            self.assertEqual(len(file.readlines()), 61)
        done = replay("--archive", self.archive, "--function", "shade-velocity", "--function", "event-counts", "--store",
                      self.store)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("record 61", done.stderr)

    def test_a_half_read_file_that_was_shortened_is_refused(self):
        lines = self.half_read()
        self.put("a.json", "".join(lines[:30]))
        self.put("b.json", "".join(lines[30:]))
        self.assertIn("a.json", self.run_tool(code=65).stderr)
        self.assertEqual(self.rows("SELECT sum(units) FROM shade_velocity"), [(60,)])

    def test_a_half_read_file_with_another_beginning_is_refused(self):
        self.half_read()
        self.put("a.json", "".join(sold(f"t{n}") for n in range(60)) + sold("good"))
        self.assertIn("a.json", self.run_tool(code=65).stderr)

    def test_a_half_read_file_that_is_gone_is_refused(self):
        lines = self.half_read()
        os.remove(os.path.join(self.archive, "a.json"))
        self.put("b.json", "".join(lines))
        self.assertIn("a.json", self.run_tool(code=65).stderr)

    def test_one_function_half_way_does_not_stop_another_that_is_through(self):
        bad = viewed("k", "s").replace('"sku"', '"skx"')
        lines = [sold(f"s{n}") for n in range(50)] + [bad] + [sold(f"t{n}") for n in range(49)] + [sold("u", '"x"')]
        self.put("a.json", "".join(lines))
        self.run_tool(code=65)
        done = replay("--archive", self.archive, "--function", "shade-velocity", "--function", "recently-viewed",
                      "--store", self.store)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("recently-viewed", done.stderr)
        self.assertIn("record 51", done.stderr)

    # What a flag let through is not forgotten between runs.

    def test_an_overlap_over_a_gap_is_refused_again(self):
        for last, numbers in ((29, [*range(10), *range(20, 30)]), (39, [*range(10, 20), *range(30, 40)])):
            self.put(f"t/0/{last:012}.json", "".join(numbered(n) for n in numbers))
        for _ in range(2):
            done = self.run_tool("--layout", "lenses", "--allow-overlaps", "--positions", "sparse", code=65)
            self.assertIn("cannot be told", done.stderr)

    def test_a_run_that_goes_on_after_a_kill_names_what_was_let_through(self):
        for start, count in ((0, 40), (50, 40)):
            self.put(f"t+0+{start}.json", "".join(sold(f"s{n}") for n in range(start, start + count)))
        self.run_tool("--allow-holes", code=3)
        self.put("t+0+90.json", "".join(sold(f"s{n}") for n in range(90, 100)))
        done = self.run_tool("--allow-holes", code=3)
        self.assertIn("hole in t+0+50.json", done.stderr)

    def test_files_that_are_late_for_one_function_only_are_refused_in_any_order(self):
        for name in ("a-1.json", "a-3.json"):
            self.put(name, sold(name))
        self.run_tool()
        self.put("a-2.json", sold("a-2"))
        self.run_tool(function="event-counts")
        for names in (("shade-velocity", "event-counts"), ("event-counts", "shade-velocity")):
            functions = [part for name in names for part in ("--function", name)]
            done = replay("--archive", self.archive, *functions, "--store", self.store, "--allow-late")
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("late for one function", done.stderr)

    def test_an_archive_of_nothing_fixes_no_reading(self):
        self.put("t-0-0.x", "")
        self.run_tool()
        self.put("t-0-1.x", numbered(1, sold("a")))
        self.run_tool("--positions", "sparse")
        self.assertEqual(self.rows(), [("a", 1)])

    def test_keys_beside_that_came_or_went_are_noticed(self):
        self.put("t+0+0.json", viewed("in", "s1"))
        self.put("t+0+0.keys.json", '"beside"\n')
        self.run_tool(function="recently-viewed")
        os.remove(os.path.join(self.archive, "t+0+0.keys.json"))
        self.assertIn("t+0+0.json", self.run_tool(function="recently-viewed", code=65).stderr)

    def test_keys_of_a_damaged_member_are_not_committed_before_a_fault(self):
        lines = [viewed(f"in{n}", f"s{n}") for n in range(20000)]
        lines[500] = "{bad\n"
        keys = gzip.compress("".join(f'"wrong{n}"\n' for n in range(20000)).encode())
        self.put("t+0+0.json", "".join(lines))
        self.put("t+0+0.keys.json.gz", keys[:-6] + bytes([keys[-6] ^ 1]) + keys[-5:])
        self.run_tool("--block-bytes", "4096", function="recently-viewed", code=65)
        self.assertEqual(self.rows("SELECT count(*) FROM recently_viewed"), [(0,)])

    # Bytes decide what is the same, not how they look.

    def test_keys_that_differ_in_normal_form_are_two_keys(self):
        self.put("1.json", viewed("caf\u00e9", "A1") + viewed("cafe\u0301", "B1"))
        self.run_tool(function="recently-viewed")
        self.put("2.json", viewed("caf\u00e9", "A2") + viewed("cafe\u0301", "B2"))
        self.run_tool(function="recently-viewed")
        self.assertEqual(sorted(self.rows("SELECT hex(customer), sku FROM recently_viewed")),
                         sorted([(k.encode().hex().upper(), s) for k, n in (("caf\u00e9", "A"), ("cafe\u0301", "B"))
                                 for s in (n + "1", n + "2")]))

    def test_file_names_that_differ_in_normal_form_are_refused(self):
        self.put("caf\u00e9.json", sold("a"))
        self.put("cafe\u0301.json", sold("b"))
        self.assertIn("normal form", self.run_tool(code=65).stderr)

    # Valid archives that were refused.

    def test_a_gzip_header_with_a_long_name(self):
        self.put("a.json", sold("red"))
        name = "orders-2023-01-01-00-00-00-partition-0-offset-00000000000000000000.json"
        path = os.path.join(self.archive, name)
        os.rename(os.path.join(self.archive, "a.json"), path)
        subprocess.run(["gzip", path], check=True)
        self.run_tool()
        self.assertEqual(self.rows(), [("red", 1)])

    def test_first_records_that_say_little(self):
        for first in ("null\n", '{"n":18446744073709551616}\n', '{"n":1e400}\n', '{"n":%s1%s}\n' % ("[" * 2000, "]" * 2000)):
            with self.subTest(first[:30]):
                self.setUp()
                self.put("a.json", first + sold("red"))
                self.run_tool()
                self.assertEqual(self.rows(), [("red", 1)])
                self.tearDown()

    def test_a_first_file_that_is_an_empty_array(self):
        self.put("a.json", "[]")
        self.put("b.json", "[" + sold("red") + "]")
        self.run_tool()
        self.assertEqual(self.rows(), [("red", 1)])

    def test_concatenated_json_that_ends_in_null(self):
        self.put("a.json", sold("red").strip() + sold("red").strip() + "null")
        self.run_tool()
        self.assertEqual(self.rows(), [("red", 2)])

    def test_a_damaged_first_record_is_damage_and_not_an_unknown_format(self):
        self.put("a.json", sold("red").replace('"type"', '"type') + sold("red"))
        done = self.run_tool(code=65)
        self.assertIn("record 1", done.stderr)
        self.assertIn("a.json", done.stderr)

    def test_one_event_in_exponents_is_exact(self):
        self.put("a.json", sold("red", "1e2", "2.0") + sold("red", "1.5E-1", "20e-1") + sold("red", "-0.0", "1"))
        self.run_tool()
        self.assertEqual(self.rows("SELECT units, revenue_cents FROM shade_velocity"), [(5, 20030)])

    # Numbers and times at the end of what can be written.

    def test_a_product_beyond_127_bits_is_an_error_with_its_place(self):
        self.put("a.json", sold("a") + sold("b", "1" + "0" * 29, "1" + "0" * 10))
        done = self.run_tool(code=65)
        self.assertIn("record 2", done.stderr)
        self.assertEqual(self.rows(), [("a", 1)])

    def test_a_time_that_no_year_of_four_digits_holds_is_an_error_with_its_place(self):
        for time in ("0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"):
            with self.subTest(time):
                self.setUp()
                self.put("a.json", sold("a") + sold("b", time=time))
                self.assertIn("record 2", self.run_tool(code=65).stderr)
                self.tearDown()

    def test_the_greatest_numbers_end_no_process(self):
        self.put("t-0-18446744073709551614.json", numbered(18446744073709551614, sold("a")))
        self.run_tool("--positions", "sparse")
        done = replay("--archive", self.archive, "--function", "shade-velocity", "--function", "event-counts", "--store",
                      self.store, "--positions", "sparse")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(replay("cat", "--archive", self.archive, "--from",
                             "18446744073709551615:18446744073709551615").returncode, (0, 64))

    def test_a_name_with_a_number_that_no_stream_reaches_is_refused(self):
        self.put(f"t+0+{2 ** 192 - 1}.json", sold("a"))
        self.assertIn(self.run_tool("--layout", "confluent", code=65).returncode, (65,))

    def test_options_out_of_range_are_usage_errors(self):
        self.put("a.json", sold("a"))
        for option in (("--commit-interval", "nan"), ("--commit-interval", "inf"), ("--commit-interval", "1e300"),
                       ("--lock-timeout", "9223372036854775807"), ("--block-bytes", "9223372036854775807"),
                       ("--lanes", "257"), ("--max-state-bytes", "0")):
            with self.subTest(option):
                self.run_tool(*option, code=64)

    # One limit, one place, whatever the block size.

    def test_the_longest_record_does_not_depend_on_blocks(self):
        self.put("a.json", sold("a") + sold("x" * 3000) + sold("b"))
        for block in ("1024", "262144"):
            with self.subTest(block):
                done = self.run_tool("--max-record-bytes", "1000", "--block-bytes", block, code=65)
                self.assertIn("record 2", done.stderr)

    def test_records_over_several_lines_are_told_as_such(self):
        pretty = json.dumps(json.loads(sold("b")), indent=1)
        for end in ("", "\n"):
            for block in ("1024", "262144"):
                with self.subTest((end, block)):
                    self.setUp()
                    self.put("a.json", sold("a") + "\n".join([pretty] * 7) + end)
                    done = self.run_tool("--format", "json-lines", "--block-bytes", block, code=65)
                    self.assertIn("record 2", done.stderr)
                    self.assertIn("several", done.stderr)
                    self.tearDown()

    def test_brackets_of_the_wrong_kind_swallow_no_records(self):
        good = sold("red").strip()
        content = good * 5 + '{"type":"other"]' + good * 20 + "[}" + good * 5
        for block in ("1024", "65536"):
            with self.subTest(block):
                self.setUp()
                self.put("a.json", content)
                self.assertIn("record 6", self.run_tool("--block-bytes", block, code=65).stderr)
                self.tearDown()

    def test_white_space_is_no_part_of_a_record(self):
        self.put("a.json", sold("red").strip() + " " * 5000 + "\n" + sold("blue"))
        for block in ("1024", "65536"):
            self.run_tool("--max-record-bytes", "1000", "--block-bytes", block, "--full-refresh")
            self.assertEqual(self.rows(), [("blue", 1), ("red", 1)])

    def test_shuffled_numbers_take_no_quadratic_time(self):
        numbers = list(range(100000))
        random.Random(1).shuffle(numbers)
        self.put("t-0-0.json", "".join('{"key":"k","offset":%d,"value":{"type":"x"}}\n' % n for n in numbers))
        self.run_tool("--allow-inversions", code=3, timeout=10)

    def test_a_sparse_segment_commits_in_the_middle(self):
        self.put("t-0-0.json", "".join(numbered(2 * n, sold(f"s{n % 7}")) for n in range(5000)))
        report = os.path.join(self.home, "report.json")
        self.run_tool("--positions", "sparse", "--commit-events", "500", "--block-bytes", "4096", "--report", report)
        with open(report) as file:
            self.assertGreater(json.load(file)["commits"], 5)

    def test_a_number_is_a_number_by_json(self):
        self.put("t-0-0.json", '{"key":"k","offset":007,"value":%s}\n' % sold("a").strip())
        self.assertIn("record 1", self.run_tool(code=65).stderr)
        self.setUp()
        self.put("a.json", sold("red", "1.5e0000001") + sold("red", "0E+99999999999999999999"))
        self.run_tool()
        self.assertEqual(self.rows("SELECT revenue_cents FROM shade_velocity"), [(1500,)])

    def test_words_of_the_command_line_and_the_environment(self):
        self.put("a.json", sold("a"))
        self.assertEqual(replay("help", "cat", env={"REPLAY_LANES": "2"}).returncode, 0)
        self.assertEqual(replay("help", "bogus").returncode, 64)
        self.run_tool(env={"REPLAY_LANES": ""})
        self.run_tool("--store", "other.db", code=64)
        self.assertEqual(replay("cat", "--archive", self.archive, env={"REPLAY_ONLY_KEY": "-k"}).returncode, 0)
        done = self.run_tool("--full-refresh", "--verbose", env={"REPLAY_QUIET": "1"})
        self.assertIn("layout", done.stderr)

    def test_a_bracket_closes_its_own_kind(self):
        for extra in ("[1,2}", "{1]", "[1,2}]", "[{]}", "[" * 70 + "}" + "]" * 69):
            with self.subTest(extra):
                self.setUp()
                self.put("a.json", sold("a") + sold("b").replace('{"type"', '{"extra":%s,"type"' % extra))
                self.assertIn("record 2", self.run_tool(code=65).stderr)
                self.tearDown()
        self.put("a.json", sold("a") + sold("b").replace('{"type"', '{"extra":%s,"type"' % ("[{\"a\":" * 90 + "1" + "}]" * 90)))
        self.run_tool()

    # Files that are named.

    def test_a_report_goes_into_what_is_no_regular_file(self):
        self.put("a.json", sold("a"))
        target = os.path.join(self.home, "pipe")
        link = os.path.join(self.home, "link.json")
        os.symlink(os.path.join(self.home, "real.json"), link)
        self.run_tool("--report", link)
        self.assertTrue(os.path.islink(link))
        self.assertIn("summary", json.dumps(json.load(open(link)).get("outcome", "")) + "summary")
        os.mkfifo(target)
        reader = subprocess.Popen(["cat", target], stdout=subprocess.PIPE, text=True)
        self.run_tool("--full-refresh", "--report", target)
        self.assertEqual(json.loads(reader.communicate(timeout=10)[0])["outcome"], "finished")

    def test_a_full_standard_output_is_an_error(self):
        self.put("a.json", sold("a"))
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "--archive", self.archive, "--function", "shade-velocity", "--store", self.store,
                                   "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 73, done.stderr)

    def test_one_file_by_two_names_is_refused(self):
        self.put("x/a.json", sold("a"))
        done = replay("--files-from", "-", "--function", "shade-velocity", "--store", self.store,
                      stdin=f"{self.archive}/x/a.json\n{self.archive}/./x/a.json\n")
        self.assertEqual(done.returncode, 64, done.stderr)

    def test_a_pattern_ends_in_bounded_time(self):
        self.put("a" * 200, sold("a"))
        done = self.run_tool("--segment-pattern", "{*}a" * 6 + "{*}b.json", code=65, timeout=10)
        self.assertIn("do not fit", done.stderr)

    def test_a_store_that_vanishes_is_noticed(self):
        self.put("a.json", "".join(sold(f"s{n}") for n in range(200000)))
        process = subprocess.Popen([TOOL, "--archive", self.archive, "--function", "shade-velocity", "--store", self.store,
                                    "--commit-events", "1", "--block-bytes", "1024", "--lanes", "1"],
                                   stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.store + "-wal"):
            pass
        os.remove(self.store)
        _, words = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 69, words)


if __name__ == "__main__":
    unittest.main()
