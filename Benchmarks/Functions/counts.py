"""The function that is measured: how many events of each type there were on each day, of every event."""
import base64, json
from collections import Counter


def fold(events):
    days = Counter((event["type"], event["time"][:10]) for event in events)
    rows = [{"type": kind, "day": day, "events": count} for (kind, day), count in days.items()]
    return {"merges": [{"table": "event_counts", "row": row} for row in rows]}


def handler(event, context):
    return fold(json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"])
