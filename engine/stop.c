#include "engine/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool asked; /* lock-free, so a signal handler may set it */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&asked, true);
}

/* Without SA_RESTART, so that whoever sleeps or waits wakes up and looks. */
void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool stop_asked(void)
{
    return atomic_load(&asked);
}

void stop_ask(void)
{
    atomic_store(&asked, true);
}
