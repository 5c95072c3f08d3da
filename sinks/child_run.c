#include "sinks/child_run.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,   /* how soon its end is noticed */
    TERM_MS = 1000, /* from SIGTERM to SIGKILL */
    PIECE = 4096,
    REPORT_FD = 3, /* in the child: where exec's failure is told */
};

struct child {
    pid_t pid;   /* and its process group */
    int in, out; /* our ends; -1: closed */
    int report;
    size_t given; /* of `in` */
    size_t said;
};

static void close_one(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* In the child, between fork and exec: only what POSIX allows there. */
static _Noreturn void become(const struct child_run *run, int in, int out, int report)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (report != REPORT_FD) dup3(report, REPORT_FD, O_CLOEXEC);
    close_range(REPORT_FD + 1, ~0U, 0);
    execvpe(run->argv[0], (char *const *)(uintptr_t)run->argv,
        (char *const *)(uintptr_t)run->environment);
    int code = errno;
    if (write(REPORT_FD, &code, sizeof(code)) != sizeof(code)) _exit(126);
    _exit(127);
}

/* Both ends of three pipes; none where one could not be made. */
struct pipes {
    int in[2], out[2], report[2];
};

static void pipes_close(struct pipes *p)
{
    int *const fds[] = {&p->in[0], &p->in[1], &p->out[0], &p->out[1], &p->report[0], &p->report[1]};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close_one(fds[i]);
}

static bool pipes_open(struct pipes *p)
{
    *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 &&
        pipe2(p->report, O_CLOEXEC) == 0)
        return true;
    int code = errno;
    pipes_close(p);
    errno = code;
    return false;
}

static bool child_begin(const struct child_run *run, struct child *child)
{
    struct pipes pipes;
    if (!pipes_open(&pipes)) return false;
    pid_t pid = fork();
    if (pid == 0) become(run, pipes.in[0], pipes.out[1], pipes.report[1]);
    int code = errno;
    if (pid < 0) {
        pipes_close(&pipes);
        errno = code;
        return false;
    }
    setpgid(pid, pid); /* whoever of us is first */
    close(pipes.in[0]);
    close(pipes.out[1]);
    close(pipes.report[1]);
    fcntl(pipes.in[1], F_SETFL, O_NONBLOCK);
    fcntl(pipes.out[0], F_SETFL, O_NONBLOCK);
    *child = (struct child){
        .pid = pid, .in = pipes.in[1], .out = pipes.out[0], .report = pipes.report[0]};
    return true;
}

/* Until exec has closed it, or says why it failed. */
static int exec_failure(struct child *child)
{
    int code = 0;
    ssize_t got;
    do {
        got = read(child->report, &code, sizeof(code));
    } while (got < 0 && errno == EINTR);
    close_one(&child->report);
    return got == sizeof(code) ? code : 0;
}

static void give(struct child *child, struct bytes in)
{
    ssize_t put = write(child->in, in.data + child->given, in.size - child->given);
    if (put > 0) child->given += (size_t)put;
    bool over = put < 0 && errno != EAGAIN && errno != EINTR; /* it does not want it */
    if (over || child->given == in.size) close_one(&child->in);
}

/* What is beyond the beginning is read and forgotten, so that it is not held up. */
static void hear(struct child *child, struct child_result *result)
{
    char piece[PIECE];
    ssize_t got = read(child->out, piece, sizeof(piece));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) close_one(&child->out);
    for (ssize_t i = 0; i < got && child->said < CHILD_SAID_BYTES - 1; i++) {
        unsigned char c = (unsigned char)piece[i];
        result->said[child->said++] = c < ' ' || c >= 0x7f ? ' ' : (char)c;
    }
}

static void attend(struct child *child, struct bytes in, struct child_result *result)
{
    struct pollfd polled[2] = {
        {.fd = child->in, .events = POLLOUT}, {.fd = child->out, .events = POLLIN}};
    if (poll(polled, 2, LOOK_MS) <= 0) return;
    if (polled[0].revents != 0) give(child, in);
    if (polled[1].revents != 0) hear(child, result);
}

/* Where nobody knows how, it has failed: with exit code 127, as what cannot be run. */
static bool has_ended(const struct child *child, int *how)
{
    pid_t got = waitpid(child->pid, how, WNOHANG);
    if (got < 0 && errno == EINTR) return false;
    if (got < 0) *how = 127 << 8;
    return got != 0;
}

/* In time by itself, or by SIGTERM and SIGKILL. */
static bool wait_for(
    const struct child_run *run, struct child *child, struct child_result *result, int *how)
{
    int64_t until_ns = clock_ns() + run->timeout_ns;
    bool hurried = false;
    while (!has_ended(child, how)) {
        int64_t now_ns = clock_ns();
        if (now_ns >= until_ns) return false;
        if (!hurried && run->stopping != NULL && run->stopping()) {
            int64_t left_ns = CHILD_STOP_MS * NS_PER_MS;
            hurried = true;
            if (now_ns + left_ns < until_ns) until_ns = now_ns + left_ns;
        }
        attend(child, run->in, result);
    }
    return true;
}

static void end(struct child *child, int *how)
{
    int64_t until_ns = clock_ns() + TERM_MS * NS_PER_MS;
    kill(-child->pid, SIGTERM);
    while (clock_ns() < until_ns) {
        if (has_ended(child, how)) return;
        clock_sleep(LOOK_MS * NS_PER_MS);
    }
    kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, how, 0) < 0 && errno == EINTR)
        continue;
}

static void tell(struct child_result *result, bool in_time, int how)
{
    result->end = CHILD_TIMED_OUT;
    if (!in_time) return;
    result->end = WIFEXITED(how) ? CHILD_EXITED : CHILD_KILLED;
    result->code = WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how);
}

void child_run(const struct child_run *run, struct child_result *result)
{
    struct child child;
    int how = 0;
    *result = (struct child_result){.end = CHILD_NOT_STARTED};
    if (!child_begin(run, &child)) {
        result->code = errno;
        return;
    }
    result->code = exec_failure(&child);
    bool started = result->code == 0;
    bool in_time = started && wait_for(run, &child, result, &how);
    if (!in_time) end(&child, &how);
    if (started && child.out >= 0) hear(&child, result); /* its last words */
    kill(-child.pid, SIGKILL);                           /* whom it left behind */
    close_one(&child.in);
    close_one(&child.out);
    if (started) tell(result, in_time, how);
}
