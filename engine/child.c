#include "engine/child.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, between fork and exec. */
static _Noreturn void child_become(const char *const *argv, const char *log_path, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127); /* the parent was gone before we asked */
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out =
        log_path == NULL ? -1 : open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_path != NULL) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        setpgid(0, 0); /* Ctrl-C is for the parent, which stops us in order */
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

enum status child_start(
    pid_t *child, const char *const *argv, const char *log_path, struct error *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return error_set(err, ST_FATAL, errno, "cannot start %s: %s", argv[0], strerror(errno));
    }
    if (pid == 0) child_become(argv, log_path, parent);
    *child = pid;
    return ST_OK;
}

bool child_running(pid_t child)
{
    int how;
    return waitpid(child, &how, WNOHANG) == 0;
}

int child_wait(pid_t child)
{
    int how;
    while (waitpid(child, &how, 0) < 0) {
        if (errno != EINTR) return 127;
    }
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

void child_stop(pid_t child, int64_t patience_ns)
{
    if (child <= 0 || !child_running(child)) return;
    kill(child, SIGTERM);
    int64_t until_ns = clock_ns() + patience_ns;
    while (clock_ns() < until_ns) {
        if (!child_running(child)) return;
        clock_sleep(20 * NS_PER_MS);
    }
    kill(child, SIGKILL);
    child_wait(child);
}
