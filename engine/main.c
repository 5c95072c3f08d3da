#include "engine/base/secret.h"
#include "engine/cmd/cmd.h"

#include <signal.h>

int main(int argc, char **argv)
{
    secret_hide_arguments(argc, argv);
    /* A peer that went away is an error of that write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    /* Whoever started us may have ignored it; how a child ended could not be asked then. */
    signal(SIGCHLD, SIG_DFL);
    return command_main(commands, argc, argv);
}
