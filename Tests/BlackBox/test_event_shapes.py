"""The events that a Lambda handler is given, field by field, against what this file makes of the archive's lines."""
import base64, datetime, gzip, hashlib, json, os, shlex, shutil, tempfile, unittest, uuid

from support import HERE, replay

WORKERS = os.path.join(HERE, "workers")
LINES = [
    {"specversion": "1.0", "id": "e-1", "type": "a", "source": "s", "time": "2026-01-31T08:12:33.123Z",
     "partitionkey": "k-é", "data": {"text": "naïve \"quoted\" \\ / \t", "n": 1.50}},
    {"specversion": "1.0", "id": "e-2", "type": "a", "source": "s", "time": "2026-01-31T08:12:34Z", "partitionkey": "k2",
     "data": {}},
    {"specversion": "1.0", "id": "e-3", "type": "b", "source": "s", "partitionkey": "k2", "data": []},
]


def dense(value):
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


class Shapes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.archive = os.path.join(self.folder, "events")

    def write(self, lines, name="topics/retail/partition=7/retail+7+0000000040.json.gz"):
        path = os.path.join(self.archive, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def given(self, shape, *more, answers="{}"):
        """What the handler was given: a list of (event, client context)."""
        out = os.path.join(self.folder, f"given-{shape}")
        code = ("import json, sys\n"
                f"sys.path.insert(0, {WORKERS!r})\n"
                "from runtime_client import Runtime\n"
                "runtime = Runtime()\n"
                "while True:\n"
                "    request_id, headers, event = runtime.next()\n"
                f"    with open({out!r}, 'a') as log:\n"
                "        context = json.loads(headers['Lambda-Runtime-Client-Context'])['custom']\n"
                "        log.write(json.dumps([event, context]) + '\\n')\n"
                f"    runtime.answer(request_id, {answers})\n")
        done = replay("--archive", self.archive, "--function", f"lambda:exec:python3 -c {shlex.quote(code)}",
                      "--contract", "writes-itself", "--event-shape", shape, "--workers", 1,
                      "--store", os.path.join(self.folder, f"{shape}.db"), *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(out) as log:
            return [json.loads(line) for line in log]

    def arrival(self, line):
        if "time" not in line:
            return 0.0
        return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()

    def test_kinesis(self):
        texts = [dense(line) for line in LINES]
        self.write(texts)
        (event, context), = self.given("kinesis")
        expected = [{
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": line["partitionkey"], "sequenceNumber": str(40 + place),
                "data": base64.b64encode(text.encode()).decode(), "approximateArrivalTimestamp": self.arrival(line)},
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": f"shardId-000000000007:{40 + place}",
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::000000000000:role/replay",
            "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/retail",
        } for place, (line, text) in enumerate(zip(LINES, texts))]
        self.assertEqual(event, {"Records": expected})
        self.assertEqual(context, {"replay_phase": "replay", "replay_run": "1", "replay_attempt": "1"})

    def test_kafka(self):
        texts = [dense(line) for line in LINES]
        self.write(texts)
        arn = "arn:aws:kafka:eu-west-1:1:cluster/mine/x"
        (event, _), = self.given("kafka", "--event-source-arn", arn)
        encode = lambda text: base64.b64encode(text.encode()).decode()
        expected = [{
            "topic": "retail", "partition": 7, "offset": 40 + place, "timestamp": int(self.arrival(line) * 1000),
            "timestampType": "CREATE_TIME", "key": encode(line["partitionkey"]), "value": encode(text), "headers": [],
        } for place, (line, text) in enumerate(zip(LINES, texts))]
        self.assertEqual(event, {"eventSource": "aws:kafka", "eventSourceArn": arn, "bootstrapServers": "",
                                 "records": {"retail-7": expected}})

    def test_sqs(self):
        texts = [dense(line) for line in LINES]
        self.write(texts)
        (event, _), = self.given("sqs")
        ids = [record["messageId"] for record in event["Records"]]
        self.assertEqual(len(set(ids)), 3)
        for place, (record, line, text) in enumerate(zip(event["Records"], LINES, texts)):
            uuid.UUID(record["messageId"])
            sent = str(int(self.arrival(line) * 1000))
            self.assertEqual(record, {
                "messageId": ids[place], "receiptHandle": f"retail/7:{40 + place}", "body": text,
                "attributes": {
                    "ApproximateReceiveCount": "1", "SentTimestamp": sent, "SequenceNumber": str(40 + place),
                    "MessageGroupId": line["partitionkey"], "SenderId": "replay", "MessageDeduplicationId": ids[place],
                    "ApproximateFirstReceiveTimestamp": sent},
                "messageAttributes": {}, "md5OfBody": hashlib.md5(text.encode()).hexdigest(), "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:retail.fifo", "awsRegion": "us-east-1"})

    def test_dynamodb(self):
        change = {"ApproximateCreationDateTime": 1700000000, "Keys": {"id": {"S": "1"}}, "NewImage": {"n": {"N": "1.50"}}}
        own = dict(change, SequenceNumber="777", SizeBytes=9, StreamViewType="NEW_IMAGE")
        lines = [{"eventName": "INSERT", "partitionkey": "1", "dynamodb": change},
                 {"eventName": "MODIFY", "partitionkey": "1", "dynamodb": own}]
        self.write([dense(line) for line in lines])
        (event, _), = self.given("dynamodb")
        table = "arn:aws:dynamodb:us-east-1:000000000000:table/retail/stream/1970-01-01T00:00:00.000"
        added = dict(change, SequenceNumber="40", SizeBytes=len(dense(change)), StreamViewType="NEW_AND_OLD_IMAGES")
        expected = [{
            "eventID": f"shardId-000000000007:{40 + place}", "eventName": line["eventName"], "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "dynamodb": inner, "eventSourceARN": table,
        } for place, (line, inner) in enumerate(zip(lines, (added, own)))]
        self.assertEqual(event, {"Records": expected})

    def test_one_batch_is_one_partitions_and_of_no_more_than_was_asked(self):
        for partition in range(3):
            texts = [dense(dict(LINES[0], partitionkey=f"{partition}-{n}", id=str(n))) for n in range(25)]
            self.write(texts, f"topics/retail/partition={partition}/retail+{partition}+0000000000.json.gz")
        events = [event for event, _ in self.given("kinesis", "--batch-size", 10)]
        shards = [{record["eventID"].split(":")[0] for record in event["Records"]} for event in events]
        self.assertTrue(all(len(shard) == 1 for shard in shards))
        self.assertEqual(sorted(len(event["Records"]) for event in events), [5, 5, 5, 10, 10, 10, 10, 10, 10])

    def test_batches_by_bytes_and_by_key(self):
        texts = [dense(dict(LINES[0], partitionkey=f"{n % 2}", id=str(n))) for n in range(10)]
        self.write(texts)
        events = [event for event, _ in self.given("kinesis", "--per-key-batches")]
        self.assertEqual([len(event["Records"]) for event in events], [2] * 5)
        shutil.rmtree(os.path.join(self.folder), ignore_errors=True)
        os.makedirs(self.folder)
        self.write(texts)
        record = len(json.dumps(events[0]["Records"][0]))
        events = [event for event, _ in self.given("kinesis", "--batch-bytes", record * 3)]
        self.assertTrue(all(len(event["Records"]) <= 3 for event in events))
        self.assertEqual(sum(len(event["Records"]) for event in events), 10)

    def test_where_an_archive_has_no_numbers_a_sequence_number_rises_all_the_same(self):
        self.write([dense(line) for line in LINES], "first.json.gz")
        self.write([dense(line) for line in LINES], "second.json.gz")
        events = [event for event, _ in self.given("kinesis", "--layout", "plain")]
        numbers = [int(record["kinesis"]["sequenceNumber"]) for event in events for record in event["Records"]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers), 6)

    def test_an_envelope_is_taken_off(self):
        payloads = [dense(line) for line in LINES]
        lines = [json.dumps({"key": "k", "offset": 3 + n, "timestamp": 1, "value": json.loads(text)}, ensure_ascii=False)
                 for n, text in enumerate(payloads)]
        self.write(lines, "retail-0-0000000003.gz")
        (event, _), = self.given("kinesis", "--layout", "aiven")
        found = [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
        self.assertEqual(found, LINES)
        self.assertEqual([record["kinesis"]["sequenceNumber"] for record in event["Records"]], ["3", "4", "5"])


if __name__ == "__main__":
    unittest.main()
