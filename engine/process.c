#include "engine/process.h"

#include "engine/base/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Read a small file of /proc as text; false when it cannot be read. */
static bool file_read(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t got = fread(text, 1, bytes - 1, file);
    text[got] = '\0';
    fclose(file);
    return got > 0;
}

static void memory_print(struct buffer *out)
{
    char text[256];
    uint64_t pages;
    if (!file_read("/proc/self/statm", text, sizeof(text))) return;
    if (sscanf(text, "%*u %" SCNu64, &pages) != 1) return;
    buffer_print(out,
        "# HELP process_resident_memory_bytes Memory in use, as the system counts it.\n"
        "# TYPE process_resident_memory_bytes gauge\n"
        "process_resident_memory_bytes %" PRIu64 "\n",
        pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void cpu_print(struct buffer *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    buffer_print(out,
        "# HELP process_cpu_seconds_total Processor time used, user and system.\n"
        "# TYPE process_cpu_seconds_total counter\n"
        "process_cpu_seconds_total %.6f\n",
        seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
}

static void files_print(struct buffer *out)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return;
    uint64_t entries = 0;
    while (readdir(folder) != NULL)
        entries++;
    closedir(folder);
    buffer_print(out,
        "# HELP process_open_fds Open files and sockets.\n"
        "# TYPE process_open_fds gauge\n"
        "process_open_fds %" PRIu64 "\n",
        entries < 3 ? 0 : entries - 3); /* `.`, `..` and the folder itself */
}

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static double start_seconds; /* since the Unix epoch; 0: not told */

/* Field 22 of stat is the start in ticks since boot; the name in field 2 may hold anything. */
static void start_find(void)
{
    char stat[1024], uptime[128];
    uint64_t ticks;
    double up_seconds;
    if (!file_read("/proc/self/stat", stat, sizeof(stat))) return;
    if (!file_read("/proc/uptime", uptime, sizeof(uptime))) return;
    const char *after_name = strrchr(stat, ')');
    if (after_name == NULL) return;
    const char *skip_to_22 = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                             "%*d %*d %*d %" SCNu64;
    if (sscanf(after_name, skip_to_22, &ticks) != 1) return;
    if (sscanf(uptime, "%lf", &up_seconds) != 1) return;

    double boot_seconds = (double)clock_wall_ns() / (double)NS_PER_S - up_seconds;
    start_seconds = boot_seconds + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void start_print(struct buffer *out)
{
    pthread_once(&start_once, start_find);
    if (start_seconds == 0) return;
    buffer_print(out,
        "# HELP process_start_time_seconds When the process started, since the Unix epoch.\n"
        "# TYPE process_start_time_seconds gauge\n"
        "process_start_time_seconds %.2f\n",
        start_seconds);
}

void process_print(struct buffer *out)
{
    cpu_print(out);
    files_print(out);
    memory_print(out);
    start_print(out);
}
