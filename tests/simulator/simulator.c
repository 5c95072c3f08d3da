/*
 * weir_simulator: aggregate under every schedule that a seed can think of.
 *
 *     weir_simulator --seed 7 --rounds 20
 *     weir_simulator --seconds 60
 *
 * Each round is a world of its own: a plan, spans, faults and a schedule, all from one seed. What
 * owners commit must be, to the byte, what an owner would commit that is never interrupted.
 */
#include "tests/simulator/world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: weir_simulator [--seed N] [--rounds N | --seconds N] [--epochs N] [--without "
    "FAULT,...]\n"
    "  --seed N      of the first round; the next one has N + 1 (default: 1)\n"
    "  --rounds N    (default: 20)\n"
    "  --seconds N   as many rounds as fit\n"
    "  --epochs N    at most so many epochs of combine a round\n"
    "  --without     crash, zombie, abort, unknown, observer, rebalance, loss, repeat, damage\n"
    "  --verbose     what the owners log\n"
    "ends with 1 on the first difference, naming the command that shows it again\n";

struct run {
    struct round_options round;
    uint64_t rounds;
    double seconds;
    struct totals_of_round totals;
};

static double began_s;

static double seconds_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_since(void)
{
    return seconds_of(CLOCK_MONOTONIC) - began_s;
}

static void command_print(const struct round_options *round)
{
    printf("again: weir_simulator --seed %" PRIu64 " --rounds 1", round->seed);
    if (round->epochs != 0) printf(" --epochs %" PRIu64, round->epochs);
    const char *before = " --without ";
    for (int f = 0; f < FAULTS; f++) {
        if (!round->without[f]) continue;
        printf("%s%s", before, fault_name[f]);
        before = ",";
    }
    printf("\n");
}

/* An assert in what is simulated is a difference, too. */
static void on_abort(int signal_number)
{
    printf("seed %" PRIu64 ", %.1f s: the owner or the reference died of signal %d\n",
        world.options.seed, seconds_since(), signal_number);
    command_print(&world.options);
    fflush(stdout);
    _exit(1);
}

/* In a process of its own, as a round may end in an assert. */
static bool differs(const struct round_options *round)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
            _exit(0);
        round_run(round);
        _exit(world.failed);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

/* Leave out what is not needed for a difference: kinds of faults, then half of the epochs, and half again. */
static void shrink(struct round_options *round, uint64_t epochs)
{
    for (int f = 0; f < FAULTS; f++) {
        round->without[f] = true;
        round->without[f] = differs(round);
    }
    for (uint64_t fewer = epochs / 2; fewer > 0; fewer /= 2) {
        struct round_options less = *round;
        less.epochs = fewer;
        if (!differs(&less)) break;
        *round = less;
    }
}

static void totals_add_round(struct totals_of_round *to, const struct totals_of_round *from)
{
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *add = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
        sum[i] += add[i];
}

static void totals_print(const struct totals_of_round *t, uint64_t rounds)
{
    double cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    printf("%" PRIu64 " rounds, no difference: %" PRIu64
           " steps (%.1f million a minute of CPU), %" PRIu64 " partials applied by owners (%" PRIu64
           " of them again), %" PRIu64 " records and %" PRIu64 " states compared\n",
        rounds, t->steps, (double)t->steps / cpu_s * 60 / 1e6, t->partials, t->re_runs, t->rows,
        t->states);
    printf("crashes %" PRIu64 ", zombies %" PRIu64 ", rebalances %" PRIu64 ", commits %" PRIu64
           ", refused %" PRIu64 ", deletions %" PRIu64 ", source offsets lost %" PRIu64
           ", twice %" PRIu64 "\n",
        t->crashes, t->zombies, t->rebalances, t->commits, t->aborts, t->trims, t->offsets_lost,
        t->offsets_twice);
}

static int rounds_run(struct run *run)
{
    began_s = seconds_of(CLOCK_MONOTONIC);
    uint64_t done = 0;
    while (run->seconds > 0 ? seconds_since() < run->seconds : done < run->rounds) {
        round_run(&run->round);
        totals_add_round(&run->totals, &world.totals);
        if (world.failed) {
            printf("seed %" PRIu64 ", round %" PRIu64 ", %.1f s: a difference\n%s\n",
                run->round.seed, done + 1, seconds_since(), world.reason);
            command_print(&run->round);
            signal(SIGABRT, SIG_DFL);
            shrink(&run->round, world.epochs);
            printf("least ");
            command_print(&run->round);
            return 1;
        }
        done++;
        run->round.seed++;
    }
    totals_print(&run->totals, done);
    return 0;
}

static bool without_read(struct round_options *round, char *list)
{
    char *rest = list, *word;
    while ((word = strsep(&rest, ",")) != NULL) {
        int f = 0;
        while (f < FAULTS && strcmp(fault_name[f], word) != 0)
            f++;
        if (f == FAULTS) return false;
        round->without[f] = true;
    }
    return true;
}

static bool argument_read(struct run *run, const char *name, char *value)
{
    struct round_options *round = &run->round;
    if (strcmp(name, "--seed") == 0) {
        round->seed = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--rounds") == 0) {
        run->rounds = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--seconds") == 0) {
        run->seconds = strtod(value, NULL);
    } else if (strcmp(name, "--epochs") == 0) {
        round->epochs = strtoull(value, NULL, 10);
    } else {
        return strcmp(name, "--without") == 0 && without_read(round, value);
    }
    return true;
}

static bool command_line_read(struct run *run, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            run->round.verbose = true;
            continue;
        }
        if (i + 1 == argc || !argument_read(run, argv[i], argv[i + 1])) return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct run run = {.round = {.seed = 1}, .rounds = 20};
    if (!command_line_read(&run, argc, argv)) {
        fputs(help, stderr);
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    return rounds_run(&run);
}
