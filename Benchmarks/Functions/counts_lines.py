"""`counts.py` as a program that answers lines."""
import json, sys

from counts import fold

for line in sys.stdin:
    given = json.loads(line)
    events = given["events"] if "events" in given else [given]
    sys.stdout.write(json.dumps(fold(event["event"] for event in events)) + "\n")
    sys.stdout.flush()
