"""A handler that writes by itself: what it is given, in order, to a file of its process; now and then it is slow, fails,
fails in part, or is killed. Arguments: the folder, the seed, how many in a million do each."""
import base64, os, random, signal, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runtime_client import Runtime
import json

folder, seed, often = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(f"{seed} {os.getpid()} {time.time_ns()}")
runtime = Runtime()
with open(os.path.join(folder, f"{os.getpid()}-{time.time_ns()}"), "w", buffering=1 << 16) as log:
    while True:
        request_id, headers, event = runtime.next()
        custom = json.loads(headers["Lambda-Runtime-Client-Context"])["custom"]
        attempt = custom["replay_run"] + "." + custom["replay_attempt"]
        calm = os.path.exists(folder + ".calm")
        fate, records = (dice.random() * 1_000_000 / often if often and not calm else 9), event["Records"]
        cut = dice.randrange(len(records)) if fate < 4 else len(records)
        for record in records[:cut + 1]:
            kinesis = record["kinesis"]
            log.write(f"{attempt} {record['eventID']} {kinesis['partitionKey']}\n")
        # What is answered is done: a kill of the run takes this process with it.
        log.flush()
        if fate < 1:
            os.kill(os.getpid(), signal.SIGKILL)
        elif fate < 2:
            runtime.fail(request_id, "by chance")
        elif fate < 4:
            failed = records[cut]["kinesis"]["sequenceNumber"]
            runtime.answer(request_id, {"batchItemFailures": [{"itemIdentifier": failed}]})
        else:
            if fate < 6:
                time.sleep(dice.random() * 0.05)
            runtime.answer(request_id, None)
