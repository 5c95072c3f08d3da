"""What can go wrong, one function each: `strike(round)` starts the workers and disturbs them."""

import signal
import time

import store
from cluster import wait_until

KINDS = {}  # name -> Kind


class Kind:
    """A kind of fault that one lane has for itself, or, if it harms the brokers, all lanes at once.

    strike  of one lane: strike(round), which starts the workers; of all: strike(cluster, rounds, rng)
    begin   of all: begin(round), in each lane before the fault
    meanwhile  of all: meanwhile(round), in each lane beside the fault
    slow    takes long, so it is begun early
    """

    def __init__(self, name, strike, live=False, slow=False, begin=None, meanwhile=None):
        self.name, self.strike, self.live, self.slow = name, strike, live, slow or live
        self.begin, self.meanwhile = begin, meanwhile

    @property
    def shared(self):
        return self.begin is not None


def kind(name, **properties):
    def register(strike):
        KINDS[name] = Kind(name, strike, **properties)
        return strike
    return register


def at_work(round_):
    round_.start()
    round_.wait_for_rows()


# --- a worker killed at a named step ---------------------------------------------------------------

STEPS = {
    "epoch": ["combine.begun", "combine.sent", "combine.offsets", "combine.committed",
              "aggregate.begun", "aggregate.sent", "aggregate.offsets", "aggregate.committed"],
    "snapshot": ["snapshot.chunk", "snapshot.manifest", "snapshot.trimmed"],
    "recovery": ["snapshot.read", "aggregate.re-run"],
    "sink": ["sink.decoded", "sink.applied", "sink.committed"],
}


def kill_at(step):
    def strike(round_):
        most = {"snapshot": 2, "sink": 6}.get(step.split(".")[0], 10)
        hit = round_.rng.randint(1, most)
        round_.start([{"WEIR_FAILPOINT": f"{step}:{hit}:kill"}, {}])
        worker = round_.workers[0]
        while worker.starts == 1 and not worker.finished:
            time.sleep(0.02)
        if worker.starts > 1:
            round_.struck()
    return strike


def kill_at_recovery(step):
    """The one that takes over is killed while it does."""
    def strike(round_):
        hit = round_.rng.randint(1, 3)
        round_.start([{}])
        round_.wait_for_rows(round_.rng.randint(1, 400))
        round_.workers[0].signal(signal.SIGKILL)
        round_.struck()
        round_.add_worker({"WEIR_FAILPOINT": f"{step}:{hit}:kill"})
    return strike


for steps in (STEPS["epoch"], STEPS["snapshot"], STEPS["sink"]):
    for one in steps:
        KINDS[f"kill at {one}"] = Kind(f"kill at {one}", kill_at(one))
for one in STEPS["recovery"]:
    KINDS[f"kill at {one}"] = Kind(f"kill at {one}", kill_at_recovery(one))


def refuse(stage):
    """Transactions that are aborted: what they held is done again."""
    def strike(round_):
        points = ",".join(f"{stage}.offsets:{hit}:fail" for hit in
                          sorted(round_.rng.sample(range(1, 16), 4)))
        round_.start([{"WEIR_FAILPOINT": points}, {}])
        worker = round_.workers[0]
        wait_until(lambda: b"failpoint" in worker.log.read_bytes() or worker.finished, 90, stage)
        round_.struck()
    return strike


for one in ("combine", "aggregate"):
    KINDS[f"{one}'s transaction aborted"] = Kind(f"{one}'s transaction aborted", refuse(one))


@kind("kill at random")
def kill_at_random(round_):
    round_.start()
    for _ in range(round_.rng.randint(1, 3)):
        round_.wait_for_rows(round_.rng.randint(1, 1500))
        time.sleep(round_.rng.random())
        working = round_.working()
        if working:
            round_.rng.choice(working).signal(signal.SIGKILL)
            round_.struck()


@kind("dead producer holds the partials")
def dead_producer(round_):
    """Killed with its transaction open, and never back: only the transaction's timeout frees the log."""
    round_.start([{"WEIR_FAILPOINT": f"combine.offsets:{round_.rng.randint(2, 16)}:kill"}])
    worker = round_.workers[0]
    worker.leaving = True  # it is not started again
    while worker.process.poll() is None:
        time.sleep(0.02)
    round_.struck()
    round_.add_worker()


# --- zombies and rebalances -------------------------------------------------------------------------

@kind("zombie")
def zombie(round_):
    round_.start()
    round_.wait_for_rows(round_.rng.randint(1, 800))
    worker = round_.rng.choice(round_.working() or round_.workers)
    worker.signal(signal.SIGSTOP)
    round_.struck()
    time.sleep(13)  # its session of 10 s is over, the other has its partitions
    worker.signal(signal.SIGCONT)


@kind("zombie inside a transaction")
def zombie_inside(round_):
    step = round_.rng.choice(["combine.sent", "combine.offsets", "aggregate.sent", "aggregate.offsets",
                              "sink.decoded"])
    round_.start([{"WEIR_FAILPOINT": f"{step}:{round_.rng.randint(2, 8)}:stop"}, {}])
    worker = round_.workers[0]
    wait_until(lambda: b"failpoint" in worker.log.read_bytes() or worker.finished, 60, step)
    round_.struck()
    time.sleep(13)
    worker.signal(signal.SIGCONT)


@kind("rebalance storm")
def rebalance_storm(round_):
    stages = ("combine", "aggregate", "sink")
    round_.threads = {stage: round_.rng.randint(1, 2) for stage in stages}
    round_.start([{}])
    for _ in range(5):
        time.sleep(0.5 + 1.5 * round_.rng.random())
        if not round_.working():
            return
        round_.struck()
        round_.threads = {stage: round_.rng.randint(1, 3) for stage in stages}
        round_.add_worker()
        leaver = round_.rng.choice(round_.working()[:-1] or round_.working())
        if len(round_.working()) > 1:
            leaver.leave()


# --- brokers, which all lanes share ---------------------------------------------------------------------

def struck(rounds):
    for round_ in rounds:
        round_.struck()


def without(cluster, rounds, broker, seconds):
    """A broker killed, and back after a while."""
    broker.kill()
    struck(rounds)
    time.sleep(seconds)
    cluster.restart(broker)


@kind("a broker dies", begin=at_work)
def broker_dies(cluster, rounds, rng):
    without(cluster, rounds, rng.choice(cluster.brokers), 1 + 4 * rng.random())


@kind("a group's coordinator dies", begin=at_work)
def group_coordinator_dies(cluster, rounds, rng):
    stage = rng.choice(["combine", "aggregate", "sink"])
    without(cluster, rounds, cluster.coordinator(f"{rounds[0].name}-{stage}", False), 3)


@kind("a transaction's coordinator dies", begin=at_work)
def transaction_coordinator_dies(cluster, rounds, rng):
    stage = rng.choice(["combine", "aggregate"])
    without(cluster, rounds, cluster.coordinator(f"{rounds[0].name}-{stage}-w1-0", True), 3)


@kind("a broker is cut off", begin=at_work)
def broker_cut_off(cluster, rounds, rng):
    """It neither answers nor closes its connections."""
    broker = rng.choice(cluster.brokers)
    cluster.cut_off(broker)
    struck(rounds)
    time.sleep(12 + 4 * rng.random())
    cluster.join(broker)
    time.sleep(5)


# --- Redis -------------------------------------------------------------------------------------------

def pause_then(round_, least=600):
    round_.start()
    round_.wait_for_rows(round_.rng.randint(1, least))


@kind("Redis emptied")
def redis_emptied(round_):
    pause_then(round_)
    for _ in range(round_.rng.randint(1, 3)):
        round_.redis.call("FLUSHALL")
        round_.lost()
        round_.struck()
        time.sleep(2 * round_.rng.random())


@kind("Redis killed, its data lost")
def redis_killed(round_):
    pause_then(round_)
    round_.redis.kill()
    round_.lost()
    round_.struck()
    time.sleep(3 * round_.rng.random())
    round_.redis.start()


@kind("Redis killed, back with older data")
def redis_older(round_):
    """Back from a dump that is older than what it had said yes to."""
    pause_then(round_, 300)
    round_.redis.call("SAVE")
    time.sleep(0.5 + round_.rng.random())
    round_.redis.kill()
    round_.lost()
    round_.struck()
    round_.redis.start()
    (round_.redis.dir / "dump.rdb").unlink(missing_ok=True)


@kind("Redis full")
def redis_full(round_):
    pause_then(round_)
    round_.redis.call("CONFIG", "SET", "maxmemory", "1")
    round_.struck()
    time.sleep(1 + 3 * round_.rng.random())
    round_.redis.call("CONFIG", "SET", "maxmemory", "0")


@kind("Redis slow")
def redis_slow(round_):
    pause_then(round_)
    for _ in range(3):
        round_.redis.signal(signal.SIGSTOP)
        time.sleep(0.5 + 2.5 * round_.rng.random())  # around the timeout of 2 s
        round_.redis.signal(signal.SIGCONT)
        round_.struck()
        time.sleep(0.5)


@kind("Redis read-only")
def redis_read_only(round_):
    pause_then(round_)
    round_.redis.call("REPLICAOF", "127.0.0.1", "1")  # of nobody: it keeps its data
    round_.struck()
    time.sleep(1 + 3 * round_.rng.random())
    round_.redis.call("REPLICAOF", "NO", "ONE")


@kind("Redis away for a minute", slow=True)
def redis_away(round_):
    pause_then(round_)
    round_.redis.kill()
    round_.struck()
    time.sleep(60)
    round_.redis.start()


@kind("Redis evicts keys")
def redis_evicts(round_):
    """Too little memory under an LRU policy; then there is enough, and what was lost must come back."""
    pause_then(round_, 300)
    used = int(round_.redis.call("MEMORY", "STATS")[1])
    round_.redis.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    round_.redis.call("CONFIG", "SET", "maxmemory", str(int(used * 0.9)))
    round_.struck()
    time.sleep(2 + 3 * round_.rng.random())
    round_.redis.call("CONFIG", "SET", "maxmemory", "0")
    round_.redis.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


@kind("Redis fails over to a replica that is behind")
def redis_fails_over(round_):
    pair = store.SentinelPair(round_.dir / "pair")
    round_.closers.append(pair.stop)
    pair.start()
    round_.redis, round_.url = pair, pair.url
    pause_then(round_)
    for _ in range(2):
        mend = pair.fail_over(behind_s=1 + 2 * round_.rng.random())
        round_.lost()
        round_.struck()
        mend()


# --- clocks, in live mode ----------------------------------------------------------------------------

LIVE_S = 20


@kind("a worker's clock is a minute fast", live=True)
def fast_worker(round_):
    round_.feed("6", "--duration", f"{LIVE_S}s", "--rate", "2")
    round_.start([{"WEIR_CLOCK_AHEAD_MS": "60000"}, {}])
    round_.struck()


@kind("a producer is an hour ahead", live=True)
def fast_producer(round_):
    round_.feed("6", "--duration", f"{LIVE_S}s", "--rate", "2")
    time.sleep(1)
    round_.feed("6", "--duration", "5s",
                environment={"WEIR_CLOCK_AHEAD_MS": "3600000"})
    round_.until_ms = 0  # its spans are counted when they came, whenever that was
    round_.start()
    round_.struck()


@kind("idle and empty partitions", live=True)
def idle_partitions(round_):
    """Five of eight partitions have spans, then nothing for a while, then some more."""
    tools, source = round_.tools, f"{round_.name}-source"
    tools.made(tools.generate(source, "6", "--no-live", "--since", "90s", "--seed",
                              str(round_.rng.randrange(1 << 30))), 60)
    now_ms = int(time.time() * 1000)
    tools.create(round_.topic, "8")
    tools.need("copy", "--topic", source, "--into", round_.topic, "--partitions", "5", "--from", "0",
               "--to", str(now_ms - 40000))
    round_.start()
    round_.struck()
    time.sleep(12)
    tools.need("copy", "--topic", source, "--into", round_.topic, "--partitions", "3", "--from",
               str(now_ms - 40000), "--to", str(now_ms + 60000))
    tools.need("delete", "--topic", source)


def an_hour_of_history(round_):
    tools = round_.tools
    tools.made(tools.generate(round_.topic, "6", "--no-live", "--since", "70m", "--rate", "0.1", "--seed",
                              str(round_.rng.randrange(1 << 30))), 60)


@kind("a partition lags by an hour", live=True, begin=an_hour_of_history)
def lagging_partition(cluster, rounds, rng):
    """At the start one broker does not give out its partitions."""
    broker = rng.choice(cluster.brokers)
    cluster.cut_off(broker)
    struck(rounds)
    for round_ in rounds:
        round_.start()
    time.sleep(6)
    cluster.join(broker)
    time.sleep(5)


def at_the_end(round_):
    round_.feed("6", "--duration", "40s")
    at_work(round_)


@kind("a leader lost after the end was reached", live=True, begin=at_the_end)
def leader_lost_at_end(cluster, rounds, rng):
    without(cluster, rounds, rng.choice(cluster.brokers), 5)


@kind("partitions are added", live=True)
def partitions_added(round_):
    round_.feed("3", "--duration", f"{LIVE_S}s")
    round_.start()
    round_.wait_for_rows()
    round_.struck()
    round_.tools.need("grow", "--topic", round_.topic, "--partitions", "6")
    round_.feed("6", "--duration", f"{LIVE_S}s")


# --- several at once ---------------------------------------------------------------------------------

def one_killed(round_):
    round_.rng.choice(round_.working()).signal(signal.SIGKILL)


def one_stopped(round_):
    worker = round_.rng.choice(round_.working())
    worker.signal(signal.SIGSTOP)
    time.sleep(11.5)
    worker.signal(signal.SIGCONT)


def one_more(round_):
    round_.add_worker()


def one_leaves(round_):
    if len(round_.working()) > 1:
        round_.rng.choice(round_.working()).leave()


def store_emptied(round_):
    round_.redis.call("FLUSHALL")
    round_.lost()


def store_killed(round_):
    round_.redis.kill()
    round_.lost()
    time.sleep(round_.rng.random())
    round_.redis.start()


def mixture(round_, steps):
    for _ in range(steps):
        round_.wait_for_rows(round_.rng.randint(1, 1200))
        if not round_.working():
            return
        round_.struck()
        round_.rng.choice([one_killed, one_stopped, one_more, one_leaves, store_emptied,
                           store_killed])(round_)
        time.sleep(round_.rng.random())


def at_work_with_a_failpoint(round_):
    step = round_.rng.choice(STEPS["epoch"] + STEPS["snapshot"] + STEPS["sink"])
    round_.start([{"WEIR_FAILPOINT": f"{step}:{round_.rng.randint(1, 8)}:kill"}, {}, {}])


@kind("mixed")
def mixed(round_):
    at_work_with_a_failpoint(round_)
    mixture(round_, 4)


@kind("mixed, and a broker dies", begin=at_work_with_a_failpoint,
      meanwhile=lambda round_: mixture(round_, 3))
def mixed_and_broker_dies(cluster, rounds, rng):
    time.sleep(2 + 2 * rng.random())
    without(cluster, rounds, rng.choice(cluster.brokers), 1 + 3 * rng.random())
