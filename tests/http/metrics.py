"""/metrics: what it says is well-formed, documented in deploy/metrics.md, and true."""
import collections
import itertools
import pathlib
import re
import subprocess

import server
import tap
from server import Record, classic_parts, eventually, records

PAGE = pathlib.Path(__file__).parents[2] / "deploy/metrics.md"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([0-9.]+)")
BEGINNING = re.compile(rf"# HELP ({NAME}) (\S.*\.)\n# TYPE ({NAME}) (counter|gauge|histogram)\n")
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


class Metric:
    def __init__(self, kind, text):
        self.type = kind
        self.samples = {}  # (name, sorted labels): value, in the order they were written
        for line in text.splitlines():
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            key = (name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or ""))))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = float(value)

    def labels(self):
        return {name for _, labels in self.samples for name, _ in labels} - {"le"}

    def histograms(self):
        """Of each set of labels: the buckets as (bound, count) in order, the sum, the count."""
        found = collections.defaultdict(lambda: [[], None, None])
        for (name, labels), value in self.samples.items():
            own = tuple(label for label in labels if label[0] != "le")
            if name.endswith("_bucket"):
                found[own][0].append((float(dict(labels)["le"]), value))
            else:
                found[own][1 if name.endswith("_sum") else 2] = value
        return found


def parse(text):
    """Metrics by name. What Prometheus would refuse or merely frown at fails."""
    metrics = {}
    assert text.endswith("\n")
    pieces = BEGINNING.split(text)
    assert pieces[0] == "", pieces[0]
    for name, _, name_again, kind, samples in zip(*[iter(pieces[1:])] * 5):
        assert name == name_again and name not in metrics, name
        metrics[name] = metric = Metric(kind, samples)
        own = {name + suffix for suffix in SUFFIXES[kind]}
        assert {sample for sample, _ in metric.samples} <= own, name
        assert name.endswith("_total") == (kind == "counter"), name
    return metrics


def documented():
    """What the page says: name: (type, unit, labels)."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| *(\w*) *\| *([\w, ]*?) *\| \S.* \|$",
                      PAGE.read_text(), re.MULTILINE)
    return {name: (kind, unit, set(filter(None, labels.split(", "))))
            for name, kind, unit, labels in rows}


class Case(server.Case):
    def metrics(self):
        status, headers, body = self.fanlight.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(body.decode())

    def value(self, name, **labels):
        return self.metrics()[name].samples[name, tuple(sorted(labels.items()))]


# What has samples only where a screen is; tests/vm/preview.py sees them.
SCREENS = {"fanlight_capture_to_flip_seconds"}


class Metrics(Case):
    OPTIONS = ("--size", "640x360", "--fps", "60", "--process", "orient")

    def watched(self):
        """Metrics after streams of each kind of HTTP/1 and of a variant had pictures."""
        live = records(self.stream("/live").read)
        identity = next(live).json()["id"]
        drawn = next(record for record in live if record.type == Record.PICTURE)
        self.assertEqual(self.fanlight.report(identity, {"serial": drawn.serial})[0], 204)
        for version in ("1.0", "1.1"):
            list(itertools.islice(classic_parts(self.stream("/stream", version=version)), 10))
        next(classic_parts(self.stream("/stream?size=1/2")))
        return self.metrics()

    def test_what_is_exposed_is_documented_and_what_is_documented_is_exposed(self):
        metrics, page = self.watched(), documented()
        self.assertEqual(set(metrics), set(page))
        for name, metric in metrics.items():
            kind, unit, labels = page[name]
            self.assertEqual(metric.type, kind, name)
            if name in SCREENS:
                continue
            self.assertTrue(metric.samples, name)
            self.assertEqual(metric.labels(), labels, name)
            base = name.removesuffix("_total").rpartition("_")[2]
            self.assertEqual(base if base in ("seconds", "bytes") else "", unit, name)

    def assert_documented(self, name, label):
        """The values of a label are the first column of the table after the metric's name."""
        values = {dict(labels)[label] for _, labels in self.metrics()[name].samples}
        table = PAGE.read_text().split(f" of `{name}`")[1].split("|\n\n")[0]
        rows = re.findall(r"^\| (`.*?`) \| \S", table, re.MULTILINE)
        self.assertEqual(values, {value for row in rows for value in re.findall("`(.*?)`", row)})

    def test_every_cause_of_a_loss_and_every_limit_is_documented(self):
        self.assert_documented("fanlight_frames_dropped_total", "cause")
        self.assert_documented("fanlight_limits_reached_total", "limit")

    def test_histograms_are_cumulative_and_agree_with_their_count(self):
        histograms = [(name, *histogram) for name, metric in self.watched().items()
                      if metric.type == "histogram" for histogram in metric.histograms().values()]
        self.assertGreaterEqual(len(histograms), 9)
        bounds = [bound for bound, _ in histograms[0][1]]
        self.assertEqual(bounds, sorted(set(bounds)))
        self.assertEqual(bounds[-1], float("inf"))
        for name, buckets, total, count in histograms:
            counts = [n for _, n in buckets]
            self.assertEqual([bound for bound, _ in buckets], bounds, name)
            self.assertEqual(counts, sorted(counts), name)
            self.assertEqual(counts[-1], count, name)
            self.assertGreater(count, 0, name)
            # No value is greater than its bucket's bound; the last has none.
            if counts[-2] == count:
                steps = zip(bounds, counts, [0, *counts])
                most = sum(bound * (n - before) for bound, n, before in steps if n > before)
                self.assertLessEqual(total, most, name)

    def test_counters_only_grow(self):
        before = self.watched()
        after = self.watched()
        for name, metric in before.items():
            if metric.type == "gauge":
                continue
            for sample, value in metric.samples.items():
                self.assertGreaterEqual(after[name].samples[sample], value, sample)
        for name in ("fanlight_frames_captured_total", "fanlight_frames_encoded_total"):
            sample, = before[name].samples
            self.assertGreater(after[name].samples[sample], before[name].samples[sample])
        for name in ("frames_sent_total", "sent_bytes_total"):
            for protocol in ("http/1.0", "http/1.1"):
                sample = (f"fanlight_viewer_{name}",
                          (("camera", "camera"), ("protocol", protocol)))
                metric = f"fanlight_viewer_{name}"
                self.assertGreater(after[metric].samples[sample], before[metric].samples[sample])

    def test_viewers_are_counted_by_protocol_and_as_demand(self):
        def viewers(protocol):
            return self.value("fanlight_viewers", camera="camera", protocol=protocol)

        eventually(lambda: self.value("fanlight_camera_demand", camera="camera") == 0)
        one, two = self.stream(), self.stream()
        self.assertEqual(viewers("http/1.1"), 2)
        self.assertEqual(self.value("fanlight_camera_demand", camera="camera"), 2)
        with self.fanlight.request("/stream", version="1.0").raw:
            self.assertEqual(viewers("http/1.0"), 1)
        curl = subprocess.Popen(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null",
                                 self.fanlight.urls["http"] + "/stream"])
        eventually(lambda: viewers("h2") == 1)
        eventually(lambda: self.value("fanlight_viewer_frames_sent_total", camera="camera",
                                      protocol="h2") > 3)
        curl.terminate()
        curl.wait()
        one.raw.close()
        two.raw.close()
        eventually(lambda: self.value("fanlight_camera_demand", camera="camera") == 0)
        self.assertEqual([viewers(name) for name in ("http/1.0", "http/1.1", "h2")], [0, 0, 0])

    def test_a_snapshot_is_counted(self):
        before = self.value("fanlight_snapshots_sent_total", camera="camera")
        self.assertEqual(self.fanlight.get("/snapshot?max_age_ms=0")[0], 200)
        self.assertEqual(self.value("fanlight_snapshots_sent_total", camera="camera"), before + 1)

    def test_the_process_is_told_as_the_system_tells_it(self):
        eventually(lambda: self.value("process_open_fds") == self.fanlight.open_files() + 1)
        self.assertEqual(self.value("process_start_time_seconds"),
                         self.value("process_start_time_seconds"))
        resident = self.fanlight.memory_kb() * 1024
        self.assertLess(self.value("process_resident_memory_bytes"), 2 * resident)
        self.assertGreater(self.value("process_resident_memory_bytes"), resident / 2)

    def test_head_has_no_body(self):
        answer = self.fanlight.request("/metrics", "Connection: close", method="HEAD")
        with answer.raw:
            self.assertEqual((answer.status, answer.raw.read()), (200, b""))
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))


class SlowViewer(Case):
    OPTIONS = ("--size", "1280x720", "--fps", "60", "--quality", "95", "--stall-timeout", "600")

    def test_frames_that_a_slow_viewer_skips_are_counted(self):
        def skipped():
            return self.value("fanlight_viewer_frames_skipped_total", camera="camera",
                              protocol="http/1.0")

        before = skipped()
        connection = self.fanlight.connect(receive_bytes=4096)
        answer = self.fanlight.request("/stream", version="1.0", connection=connection)
        connection.close()
        self.addCleanup(answer.raw.close)
        slow, fast = classic_parts(answer), classic_parts(self.stream())
        next(slow)
        list(itertools.islice(fast, 60))  # the slow one reads nothing meanwhile
        eventually(lambda: next(slow) and skipped() >= before + 30)


class BusyEncoder(Case):
    OPTIONS = ("--size", "3840x2160", "--fps", "240", "--quality", "100")

    def busy(self):
        return self.value("fanlight_frames_dropped_total", camera="camera", cause="encoder_busy")

    def test_frames_that_the_encoder_was_too_slow_for_are_counted_but_not_those_unwanted(self):
        eventually(lambda: self.fanlight.camera()["captured"] > 10)
        self.assertEqual(self.busy(), 0)
        with self.fanlight.request("/stream").raw:
            eventually(lambda: self.busy() > 3)


class SeveralCameras(Case):
    OPTIONS = ("--size", "160x120", "--camera", "front", "--source", "pattern", "--camera", "back",
               "--source", "/dev/does-not-exist")

    def test_each_metric_stands_once_and_has_all_cameras(self):
        eventually(lambda: self.fanlight.camera(0)["online"])
        metrics = self.metrics()
        up = metrics["fanlight_camera_up"].samples
        self.assertEqual({dict(labels)["camera"]: value for (_, labels), value in up.items()},
                         {"front": 1, "back": 0})
        # What never delivered has no newest frame.
        ages = metrics["fanlight_frame_age_seconds"].samples
        self.assertNotIn((("camera", "back"),), {labels for _, labels in ages})


tap.main()
