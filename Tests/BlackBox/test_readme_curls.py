"""The README's questions to a run (`curl …`): what it shows is what appears."""
import http.client, json, os, re, subprocess, unittest

from support import ROOT, TOOL
from test_live import LiveCase


class Curls(LiveCase):
    def examples(self):
        """Pairs of a path with its filter, and the lines that the README shows for it."""
        with open(os.path.join(ROOT, "README.md")) as file:
            block = next(text for text in re.findall(r"^```\w*\n(.*?)^```$", file.read(), re.S | re.M) if "$ curl" in text)
        for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = example.partition("\n")
            found = re.fullmatch(r"curl -s '?localhost:9464([^' ]+)'?(?: \| (.*))?", command)
            yield found[1], found[2], shown.splitlines()

    def ask(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def filtered(self, text, how):
        if how is None:
            return text.splitlines()
        if how.startswith("grep"):
            pattern = re.search(r"'(.*)'", how)[1]
            return [line for line in text.splitlines() if re.search(pattern, line)]
        self.assertEqual(how, "jq -c '.phase, .gap, .partitions[0]'")
        status = json.loads(text)
        return [json.dumps(part, separators=(",", ":")) for part in (status["phase"], status["gap"], status["partitions"][0])]

    def test_what_is_shown_appears(self):
        self.scene(counts=(30, 30), archived=(20, 20))
        run = subprocess.Popen(
            [TOOL, "--archive", self.archive.root, "--function", "event-counts", "--store", self.store, "--live",
             self.stream.address, "--listen", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)
        try:
            for line in run.stdout:
                event = json.loads(line)
                if event["message_type"] == "listening":
                    self.address = event["address"]
                if event["message_type"] == "live" and event["caught_up"]:
                    break
            examples = list(self.examples())
            self.assertEqual(len(examples), 6)
            for path, how, shown in examples:
                self.assertEqual(self.filtered(self.ask(path), how), shown, path)
        finally:
            run.terminate()
            run.communicate()


if __name__ == "__main__":
    unittest.main()
