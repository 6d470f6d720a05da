"""Measure serve.py under load, beside the classifier's own speed in bulk.

    python benchmarks/serving.py
    python benchmarks/serving.py FOLDER --model pretrained/devanagari/model --seconds 60

FOLDER holds one folder per class; without it, characters are drawn. Clients, all in one process,
each keep a connection, send a picture, read the answer, and send the next at once: 1, then 16, then
200 of them. Every answer must have the label that the classifier gives without a server, or be a
refusal (429, 503), after which the client waits as long as it was told. Bulk is the classifier in a
process of its own, files to labels, before and after each load, while nobody asks the server.
CPU is the processor's time for one picture, of the server and in bulk; it tells something on a busy
machine too.
"""

import argparse
import asyncio
import collections
import concurrent.futures
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time

import measuring
from classification import classifier

CLIENTS = (1, 16, 200)
PICTURES = 1000
CLOSE = 1e-3  # probabilities this near to each other may change places


def parse_args():
    measuring.on_the_processor()
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", nargs="?", metavar="FOLDER", help="class folders")
    options.add_argument(
        "--model",
        default=os.path.join(measuring.ROOT, "pretrained", "devanagari", "model"),
        metavar="PREFIX",
        help="which model (default: pretrained/devanagari/model)",
    )
    options.add_argument("--seconds", type=float, default=60, help="of each load (default: 60)")
    options.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="of each load")
    options.add_argument("--ratios", metavar="FILE", help="write what was found to this JSON file")
    return options.parse_args()


def expected_labels(model, paths):
    """Return for each picture the set of labels that are right."""
    from glyphs.inference import Classifier

    right = []
    for prediction in Classifier(model).classify(paths, top=2):
        best = prediction.candidates
        near = [c.label for c in best if best[0].probability - c.probability < CLOSE]
        right.append(set(near))
    return right


def in_bulk(model, paths):
    """Classify picture files; return pictures a second, and the processor's seconds for one."""
    ours = classifier("glyphs", model)
    started, cpu = time.perf_counter(), time.process_time()
    list(ours.classify(paths))
    seconds = time.perf_counter() - started
    return len(paths) / seconds, (time.process_time() - cpu) / len(paths)


class Server:
    """serve.py in a process of its own."""

    def __init__(self, model):
        command = [sys.executable, os.path.join(measuring.ROOT, "serve.py"), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--model", model], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline().split()[0].rpartition(":")[2])

    def megabytes(self):
        """Return the memory that the process holds."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_seconds(self):
        """Return the processor's time that the process has used."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if code := self.process.wait():
            sys.exit(f"serve.py ended with {code}")


def load(port, count, seconds, pictures, right):
    """Return what `count` clients met: a Counter of outcomes, and the seconds of each answer."""

    async def client(number, outcomes, latencies, deadline):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number * 37
        while time.perf_counter() < deadline:
            turn = (turn + 1) % len(pictures)
            started = time.perf_counter()
            writer.write(
                b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                % (len(pictures[turn]), pictures[turn])
            )
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if status == 200:
                latencies.append(time.perf_counter() - started)
                label = json.loads(body)[0]["candidates"][0]["label"]
                outcomes["right" if label in right[turn] else "wrong"] += 1
            elif status in (429, 503):
                outcomes["refused"] += 1
                await asyncio.sleep(1)
            else:
                outcomes[f"status {status}"] += 1
        writer.close()

    async def all_clients():
        outcomes, latencies = collections.Counter(), []
        deadline = time.perf_counter() + seconds
        ended = await asyncio.gather(
            *(client(number, outcomes, latencies, deadline) for number in range(count)),
            return_exceptions=True,
        )
        outcomes["lost"] = sum(isinstance(each, BaseException) for each in ended)
        return outcomes, latencies

    return asyncio.run(all_clients())


def main():
    args = parse_args()
    found = {}
    with measuring.characters(args.folder) as folder:
        paths = measuring.index_of(folder).samples.paths
        paths = paths[:: -(-len(paths) // PICTURES)]
        right = expected_labels(args.model, paths)
        pictures = []
        for path in paths:
            with open(path, "rb") as file:
                pictures.append(file.read())
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, context) as bulk:

            def measure_bulk():
                return bulk.submit(in_bulk, args.model, paths).result()

            measure_bulk()  # loads and warms
            server = Server(args.model)
            load(server.port, 4, 3, pictures, right)
            print(
                "clients  requests/s  of bulk  p50 ms  p99 ms  CPU ms  in bulk  right  refused  "
                "wrong  lost  MB"
            )
            for count in args.clients:
                before, memory, cpu = measure_bulk(), server.megabytes(), server.cpu_seconds()
                outcomes, latencies = load(server.port, count, args.seconds, pictures, right)
                rate = len(latencies) / args.seconds
                cpu = (server.cpu_seconds() - cpu) / len(latencies)
                speed, cpu_in_bulk = map(statistics.mean, zip(before, measure_bulk(), strict=True))
                cuts = statistics.quantiles(latencies, n=100)
                wrong = sum(outcomes.values()) - sum(
                    outcomes[key] for key in ("right", "refused", "lost")
                )
                print(
                    f"{count:7}{rate:12.0f}{rate / speed:9.2f}{1e3 * cuts[49]:8.1f}"
                    f"{1e3 * cuts[98]:8.1f}{1e3 * cpu:8.2f}{1e3 * cpu_in_bulk:9.2f}"
                    f"{outcomes['right']:7}{outcomes['refused']:9}"
                    f"{wrong:7}{outcomes['lost']:6}  {memory:.0f} to {server.megabytes():.0f}",
                    flush=True,
                )
                found[str(count)] = {"rate": rate, "of_bulk": rate / speed, "p50": cuts[49]}
                if wrong or outcomes["lost"]:
                    sys.exit(f"answers were wrong or lost: {dict(outcomes)}")
            server.end()
    measuring.write(args.ratios, found)


if __name__ == "__main__":
    main()
