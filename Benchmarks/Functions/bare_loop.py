"""The ceiling: `handler(json.loads(batch))` over ready-made batch texts, in one process and nothing else. Prints seconds."""
import json, sys, time

from counts import handler

with open(sys.argv[1]) as file:
    batches = file.read().splitlines()
began = time.perf_counter()
for batch in batches:
    json.dumps(handler(json.loads(batch), None))
print(time.perf_counter() - began)
