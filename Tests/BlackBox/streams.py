"""Streams that the black-box tests write to: a directory of appended files, and Kafka's mock cluster."""
import json, os, random, subprocess, tempfile, threading


class DirectoryStream:
    """Written as any program might: half lines, new files now and then, old ones deleted."""

    def __init__(self, root, chance=None):
        self.root, self.chance = root, random.Random((chance or random).random())
        self.address = "dir:" + root
        self.ends, self.files = [], []

    def create(self, partitions):
        for partition in range(len(self.ends), len(self.ends) + partitions):
            os.makedirs(os.path.join(self.root, f"partition={partition}"))
            self.ends.append(0)
            self.files.append([])

    def path(self, partition, start):
        return os.path.join(self.root, f"partition={partition}", f"{start:020}.jsonl")

    def append(self, partition, lines):
        for line in lines:
            if not self.files[partition] or self.chance.random() < 0.01:
                self.files[partition].append(self.ends[partition])
            with open(self.path(partition, self.files[partition][-1]), "ab", buffering=0) as file:
                if self.chance.random() < 0.05:  # a torn line, for a moment
                    cut = self.chance.randint(0, len(line))
                    file.write(line[:cut])
                    file.write(line[cut:] + b"\n")
                else:
                    file.write(line + b"\n")
            self.ends[partition] += 1

    def expire(self, before):
        """Deletes the files that hold only what is before these positions."""
        for partition, position in enumerate(before):
            own = self.files[partition]
            while len(own) > 1 and own[1] <= position:
                os.remove(self.path(partition, own.pop(0)))

    def close(self):
        pass


class KafkaStream:
    """A topic of librdkafka's mock cluster, which serves real connections."""

    def __init__(self, mock, topic):
        self.topic = topic
        self.process = subprocess.Popen([mock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.address = f"kafka://{self.process.stdout.readline().strip()}/{topic}"
        self.ends = []

    def ask(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        if not answer.startswith("ok"):
            raise RuntimeError(f"{line[:60]}: {answer}")
        return answer

    def create(self, partitions):
        self.ask(f"create {self.topic} {len(self.ends) + partitions}")
        self.ends += [0] * partitions

    def append(self, partition, lines):
        """Few events with a key of their own, many without: then it is the payload's."""
        if len(lines) > 10:
            with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
                file.write(b"".join(line + b"\n" for line in lines))
                file.flush()
                self.ask(f"file {self.topic} {partition} {file.name}")
            self.ends[partition] += len(lines)
            return
        for line in lines:
            key = json.loads(line)["partitionkey"]
            self.ask(f"keyed {self.topic} {partition} {key} {line.decode()}")
            self.ends[partition] += 1

    def expire(self, before):
        pass  # the mock cluster's retention is fixed

    def close(self):
        with self.process:
            self.process.stdin.close()
            self.process.wait(10)
