#include "engine/base/secret.h"
#include "engine/cmd/cmd.h"

#include <signal.h>

int main(int argc, char **argv)
{
    secret_hide_arguments(argc, argv);
    /* A peer that went away is an error of that write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    return command_main(commands, argc, argv);
}
