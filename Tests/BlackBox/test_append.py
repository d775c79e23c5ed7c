"""replay append from outside: receipts, partitions, errors, and several appenders at once."""
import json, os, resource, shutil, subprocess, tempfile, threading, unittest

from support import TOOL, replay


class Append(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.dir = os.path.join(self.home, "events")

    def tearDown(self):
        shutil.rmtree(self.home)

    def append(self, text, *arguments):
        return replay("append", "dir:" + self.dir, *arguments, stdin=text)

    def files(self, partition):
        folder = os.path.join(self.dir, "partition=" + partition)
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))

    def lines(self, partition):
        """Every line of the partition by its position; fails where files do not meet."""
        found = []
        for name in self.files(partition):
            self.assertEqual(int(name.split(".")[0]), len(found), name)
            with open(os.path.join(self.dir, "partition=" + partition, name)) as file:
                found += file.read().splitlines()
        return found

    def test_receipts_in_input_order_and_positions_that_go_on(self):
        first = self.append('{"a":1}\n {"b":[2]} \nnull\n')
        self.assertEqual((first.returncode, first.stdout, first.stderr), (0, "0:0\n0:1\n0:2\n", ""))
        second = self.append('{"four":4}')  # the last line needs no line feed
        self.assertEqual((second.returncode, second.stdout), (0, "0:3\n"))
        self.assertEqual(self.lines("0"), ['{"a":1}', ' {"b":[2]} ', "null", '{"four":4}'])
        self.assertEqual(self.files("0"), ["0" * 20 + ".jsonl"])
        other = self.append("{}\n", "--partition", "eu-west", "--no-sync")
        self.assertEqual(other.stdout, "eu-west:0\n")

    def test_nothing_is_appended_from_nothing(self):
        done = self.append("")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_receipt_comes_as_soon_as_its_line(self):
        with subprocess.Popen([TOOL, "append", "dir:" + self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
            for number in range(3):
                tool.stdin.write(b'{"n":%d}\n' % number)
                tool.stdin.flush()
                self.assertEqual(tool.stdout.readline(), b"0:%d\n" % number)
            tool.stdin.close()
            self.assertEqual(tool.stdout.read(), b"")
        self.assertEqual(tool.returncode, 0)

    def test_partitions_by_key(self):
        events = [{"data": {"customer": "c-%d" % (number % 50), "n": number}} for number in range(3000)]
        done = self.append("".join(json.dumps(event) + "\n" for event in events),
                           "--key", "data.customer", "--partitions", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        receipts = [line.split(":") for line in done.stdout.split()]
        self.assertEqual(len(receipts), len(events))
        stored = {str(partition): self.lines(str(partition)) for partition in range(4)}
        homes = {}
        for event, (partition, position) in zip(events, receipts):
            self.assertEqual(json.loads(stored[partition][int(position)]), event)
            homes.setdefault(event["data"]["customer"], set()).add(partition)
        self.assertTrue(all(len(home) == 1 for home in homes.values()))
        self.assertEqual({next(iter(home)) for home in homes.values()}, {"0", "1", "2", "3"})
        for event, (partition, _) in zip(events, receipts):
            self.assertEqual(partition, str(key_hash(event["data"]["customer"].encode()) % 4))
        # The stream keeps its number of partitions.
        for number in (3, 5):
            refused = self.append("{}", "--key", "data.customer", "--partitions", number)
            self.assertEqual(refused.returncode, 64, refused.stderr)
            self.assertIn("divided in another way", refused.stderr)

    def test_an_escaped_key_and_a_number_are_keys(self):
        done = self.append('{"k":"\\u0061"}\n{"k":"a"}\n{"k":12}\n', "--key", "k", "--partitions", 64)
        self.assertEqual(done.returncode, 0, done.stderr)
        partitions = [line.split(":")[0] for line in done.stdout.split()]
        self.assertEqual(partitions[0], partitions[1])
        self.assertEqual(partitions[2], str(key_hash(b"12") % 64))

    def test_a_bad_line_is_named_and_those_before_it_have_receipts(self):
        for bad, word in (("{nope}", "byte 1"), ("", "byte 0"), ('{"a":1}{"b":2}', "byte 7"), ('"open', "byte 5")):
            with self.subTest(bad=bad):
                shutil.rmtree(self.dir, ignore_errors=True)
                done = self.append('{"a":1}\n{"a":2}\n%s\n{"a":4}\n' % bad)
                self.assertEqual((done.returncode, done.stdout), (65, "0:0\n0:1\n"))
                self.assertIn("line 3 of standard input", done.stderr)
                self.assertIn(word, done.stderr)
                self.assertIn("lines 1 to 2 were acknowledged", done.stderr)
                self.assertEqual(len(self.lines("0")), 2)
        for bad in ('{"k":null}', '{"k":{}}', "{}", "null"):
            done = self.append('{"k":"a"}\n%s\n' % bad, "--key", "k", "--partitions", 1)
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("line 2 of standard input has no key", done.stderr)

    def test_what_followers_refuse_is_refused_at_once(self):
        for bad in ("[1]", "12", '"text"', "true"):
            with self.subTest(bad=bad):
                shutil.rmtree(self.dir, ignore_errors=True)
                done = self.append('{"a":1}\nnull\n%s\n{"a":4}\n' % bad)
                self.assertEqual((done.returncode, done.stdout), (65, "0:0\n0:1\n"))
                self.assertIn("line 3 of standard input is no event", done.stderr)
                self.assertIn("lines 1 to 2 were acknowledged", done.stderr)
                self.assertEqual(self.lines("0"), ['{"a":1}', "null"])
                self.follow()

    def follow(self):
        """Whatever was appended is followed without a word against it."""
        archive, store = os.path.join(self.home, "archive"), os.path.join(self.home, "t.db")
        for path in (archive, store):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.dir, archive)
        with open(os.path.join(archive, "partition=0", self.files("0")[0]), "w") as file:
            file.write('{"a":1}\n')
        if os.path.exists(store):
            os.remove(store)
        done = replay("--archive", archive, "--segment-pattern", "partition={partition}/{start}.jsonl", "--store", store,
                      "--function", "shade-velocity", "--live", "dir:" + self.dir, "--until-caught-up")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_line_that_is_too_long_for_followers(self):
        long = '{"pad":"%s"}' % ("x" * (16 << 20))
        done = self.append('{"a":1}\n%s\n' % long)
        self.assertEqual((done.returncode, done.stdout), (65, "0:0\n"))
        self.assertIn("line 2 of standard input is longer than followers take", done.stderr)
        self.assertIn("found:    %d" % len(long), done.stderr)
        done = self.append(long, "--max-record-bytes", 32 << 20)
        self.assertEqual((done.returncode, done.stdout), (0, "0:1\n"), done.stderr)

    def test_odd_ids_of_partitions(self):
        for odd, word in (("007", "leading zeros"), ("a b", "white space"), ("a\nb", "white space"), ("a\x01", "control"),
                          ("eu:1", "colon before a number"), ("x" * 250, "has room for 245"), ("a/b", "slash")):
            with self.subTest(odd=odd):
                done = self.append("{}", "--partition=" + odd)
                self.assertEqual((done.returncode, done.stdout), (64, ""), done.stderr)
                self.assertIn(word, done.stderr)
                self.assertIn("effect: nothing was appended", done.stderr)
                self.assertEqual([name for name in os.listdir(self.dir) if name.startswith("partition=")], [])
        for good in ("0", "70", "eu-west", "a:b", "a.b", "-1", "x" * 245):
            self.assertEqual(self.append("{}", "--partition=" + good).returncode, 0, good)

    def test_bytes_that_are_no_utf_8(self):
        done = subprocess.run([TOOL, "append", "dir:" + self.dir], input=b'{"a":"\xff"}\n', capture_output=True)
        self.assertEqual(done.returncode, 65)
        self.assertIn(b"UTF-8, at byte 6", done.stderr)

    def test_rotation(self):
        done = self.append("".join('{"n":%d}\n' % number for number in range(100, 200)), "--rotate-bytes", 100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.files("0")), 10)
        self.assertEqual(self.lines("0"), ['{"n":%d}' % number for number in range(100, 200)])

    def test_what_a_crash_left_is_cut_off(self):
        self.append('{"n":0}\n')
        with open(os.path.join(self.dir, "partition=0", self.files("0")[0]), "a") as file:
            file.write('{"torn')
        done = self.append('{"n":1}\n')
        self.assertEqual((done.returncode, done.stdout), (0, "0:1\n"))
        self.assertEqual(self.lines("0"), ['{"n":0}', '{"n":1}'])

    def test_two_appenders_at_once(self):
        receipts = [None, None]

        def run(writer):
            text = "".join('{"w":%d,"n":%d}\n' % (writer, number) for number in range(20000))
            receipts[writer] = self.append(text, "--rotate-bytes", 20000)

        threads = [threading.Thread(target=run, args=(writer,)) for writer in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = self.lines("0")
        self.assertEqual(len(lines), 40000)
        for writer, done in enumerate(receipts):
            self.assertEqual(done.returncode, 0, done.stderr)
            positions = [int(line.split(":")[1]) for line in done.stdout.split()]
            self.assertEqual(positions, sorted(positions))
            self.assertEqual([lines[position] for position in positions],
                             ['{"w":%d,"n":%d}' % (writer, number) for number in range(20000)])

    def test_killed_and_begun_anew_every_receipt_holds(self):
        held = []
        for run in range(5):
            tool = subprocess.Popen([TOOL, "append", "dir:" + self.dir, "--rotate-bytes", "3000"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            feeder = threading.Thread(target=feed, args=(tool.stdin, run * 1_000_000))
            feeder.start()
            receipts = [tool.stdout.readline() for _ in range(1500)]
            tool.kill()
            receipts += tool.stdout.read().splitlines(keepends=True)
            tool.stdout.close()
            feeder.join()
            tool.wait()
            held += [(int(receipt.split(b":")[1]), run * 1_000_000 + number)
                     for number, receipt in enumerate(receipts) if receipt.endswith(b"\n")]
        self.assertGreaterEqual(len(held), 7500)
        self.append('{"n":-1}\n')
        lines = self.lines("0")
        for position, number in held:
            self.assertEqual(lines[position], '{"n":%d}' % number)
        for line in lines:
            json.loads(line)

    def test_where_a_file_cannot_grow_receipts_hold_and_no_half_line_stays(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        text = "".join('{"n":%d,"pad":"%s"}\n' % (number, "x" * 80) for number in range(3000))
        done = subprocess.run([TOOL, "append", "dir:" + self.dir], input=text, text=True, capture_output=True,
                              preexec_fn=limit)
        self.assertEqual(done.returncode, 73, done.stderr)
        lines = self.lines("0")
        for place, receipt in enumerate(done.stdout.split()):
            self.assertEqual(receipt, "0:%d" % place)
            self.assertEqual(json.loads(lines[place])["n"], place)
        for line in lines:
            json.loads(line)
        more = self.append("{}")
        self.assertEqual(more.stdout, "0:%d\n" % len(lines))

    def test_what_was_appended_is_an_archive(self):
        self.append("".join('{"k":"%d"}\n' % number for number in range(500)), "--key", "k", "--partitions", 3,
                    "--rotate-bytes", 1000)
        seen = replay("cat", "--archive", self.dir, "--segment-pattern", "partition={partition}/{start}.jsonl")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertEqual(sorted(int(json.loads(line)["k"]) for line in seen.stdout.split()), list(range(500)))

    def test_usage(self):
        for arguments in (["append", self.dir], ["append"], ["append", "kafka:x"], ["append", "dir:"],
                          ["append", "dir:" + self.dir, "--key", "k"],
                          ["append", "dir:" + self.dir, "--partitions", "4"],
                          ["append", "dir:" + self.dir, "--key", "k", "--partitions", "0"],
                          ["append", "dir:" + self.dir, "--partition", "a/b"],
                          ["append", "dir:" + self.dir, "--key", "k", "--partitions", "4", "--partition", "1"]):
            self.assertEqual(replay(*arguments, stdin="{}").returncode, 64, arguments)
        self.assertIn("did you mean dir:", replay("append", self.dir, stdin="").stderr)

    def test_where_nothing_can_be_made(self):
        self.assertEqual(replay("append", "dir:" + os.path.join(self.home, "none", "deep"), stdin="").returncode, 66)
        path = os.path.join(self.home, "file")
        open(path, "w").close()
        self.assertEqual(replay("append", "dir:" + path, stdin="").returncode, 65)


def feed(pipe, start):
    """Writes until nobody reads."""
    try:
        for number in range(start, start + 1_000_000):
            pipe.write(b'{"n":%d}\n' % number)
    except BrokenPipeError:
        pass
    try:
        pipe.close()
    except BrokenPipeError:
        pass


def key_hash(text):
    """The project's KeyHash, written anew from its definition."""
    mask = (1 << 64) - 1
    m = (0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3)

    def fold(a, b):
        product = a * b
        return (product >> 64) ^ (product & mask)

    state = len(text) * m[0] & mask
    for place in range(0, len(text), 8):
        state = fold(state ^ int.from_bytes(text[place:place + 8], "little"), m[1])
    return fold(state ^ m[2], m[3])
