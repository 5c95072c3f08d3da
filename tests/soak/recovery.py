#!/usr/bin/python3
"""From a fault to fresh rows: median and worst, at default settings.

    tests/soak/recovery.py BUILD [--series 10000] [--times 10] [--fault NAME ...]

Two workers read live spans of that many series; a fault strikes again and again. A partition of rows is
fresh again when its place in Redis moves on. What is printed for a fault is how long, from the fault on,
the partition stood still that stood still longest.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import store
from cluster import Cluster
from pipeline import LiveRound, Tools

WATCH_S = 25  # after a fault, for the partition that stands still longest
SETTLE_S = 10  # between two faults, so that one does not count for the next


class Live(LiveRound):
    """As configured by nobody: every key at its default but the names."""

    def settings(self):
        return ["start=latest"]


class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = Path(tempfile.mkdtemp(prefix="weir-recovery."))
        self.cluster = Cluster(self.dir / "kafka", options.jars)
        self.tools = Tools(options.build, self.dir / "rounds", self.cluster.bootstrap)
        self.pair = store.SentinelPair(self.dir / "redis")
        self.round = None

    def start(self):
        self.cluster.start()
        self.pair.start()
        self.round = Live(self.tools, self.cluster, self.pair.primary, random.Random(1), "recovery", "spans")
        self.round.redis = self.pair
        self.round.url = self.pair.url
        self.round.feed("6", "--names", str(self.options.series), "--rate", str(self.options.rate))
        self.round.start()
        time.sleep(self.options.warm_s)

    def stands_still(self, strike):
        """Strike, and tell how long the slowest partition stood still."""
        at = time.monotonic()
        back = strike()
        end = at + 60
        while time.monotonic() < end:
            fresh = [any(t > at + 0.2 for t in times) for times in list(self.round.changes.values())]
            time.sleep(0.1)
            if all(fresh) and time.monotonic() > at + WATCH_S:
                break
        if back is not None:
            back()
        gaps = [later - max(sooner, at)
                for times in list(self.round.changes.values())
                for sooner, later in zip(times, times[1:]) if later > at and sooner < at + WATCH_S]
        return max(gaps, default=float("nan"))

    # --- faults ---------------------------------------------------------------------------------

    def nothing(self):
        return None

    def kill_worker(self):
        worker = self.round.workers[0]
        worker.signal(signal.SIGKILL)  # and it is started again by its manager, at once

    def kill_leader(self):
        broker = self.cluster.brokers[random.randrange(3)]
        broker.kill()
        return lambda: self.cluster.restart(broker)

    def redis_failover(self):
        return self.pair.fail_over()

    def measure(self, name, strike, times):
        seconds = []
        for _ in range(times):
            seconds.append(self.stands_still(strike))
            print(f"{name}: {seconds[-1]:.1f} s", flush=True)
            time.sleep(SETTLE_S)
        return f"| {name} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"

    def close(self):
        if self.round is not None:
            self.round.close()
        self.pair.stop()
        self.cluster.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


FAULTS = {
    "nothing (the longest pause between rows)": Bench.nothing,
    "kill -9 of one of two workers": Bench.kill_worker,
    "death of a broker": Bench.kill_leader,
    "Redis fail-over by Sentinel": Bench.redis_failover,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--series", type=int, default=10000)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--warm-s", type=float, default=60)
    parser.add_argument("--fault", action="append", choices=list(FAULTS), metavar="NAME")
    parser.add_argument("--jars", default=os.environ.get("WEIR_KAFKA_JARS", "build/kafka"))
    options = parser.parse_args()
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lines = ["| fault | median s | worst s |", "| --- | ---: | ---: |"]
    try:
        bench.start()
        for name, strike in FAULTS.items():
            if options.fault is None or name in options.fault:
                times = 3 if strike is Bench.nothing else options.times
                lines.append(bench.measure(name, lambda s=strike: s(bench), times))
    finally:
        bench.close()
    print("\n".join(lines))


if __name__ == "__main__":
    main()
