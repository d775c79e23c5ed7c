"""As `order_lambda.py`, a program that answers lines."""
import json, os, random, signal, sys, time

folder, seed, often = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(f"{seed} {os.getpid()} {time.time_ns()}")
if os.path.exists(folder + ".calm"):
    often = 0
with open(os.path.join(folder, f"{os.getpid()}-{time.time_ns()}"), "w", buffering=1 << 16) as log:
    for line in sys.stdin:
        event = json.loads(line)
        log.write(f"{event['run']}.{event['attempt']} {event['partition']}:{event['position']} {event['key']}\n")
        # What is answered is done: a kill of the run takes this process with it.
        log.flush()
        fate = dice.random() * 1_000_000 / often if often else 9
        if fate < 1:
            os.kill(os.getpid(), signal.SIGKILL)
        elif fate < 2:
            sys.stderr.write("by chance\n")
            sys.stderr.flush()
            continue
        elif fate < 3:
            time.sleep(dice.random() * 0.05)
        sys.stdout.write("{}\n")
        sys.stdout.flush()
