#include "tests/support/run_command.h"

#include <stdio.h>
#include <unistd.h>

static void read_back(FILE *file, char *into, size_t room)
{
    rewind(file);
    size_t size = fread(into, 1, room - 1, file);
    into[size] = '\0';
    fclose(file);
}

const struct said *run_command(const struct command *command, const char *const *words)
{
    static struct said said;
    char *argv[32] = {(char *)command->name};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    FILE *out = tmpfile(), *complaint = tmpfile();
    fflush(NULL);
    int kept_out = dup(1), kept_complaint = dup(2);
    dup2(fileno(out), 1);
    dup2(fileno(complaint), 2);
    said.exit_code = command->run(argc, argv);
    fflush(NULL);
    dup2(kept_out, 1);
    dup2(kept_complaint, 2);
    close(kept_out);
    close(kept_complaint);
    read_back(out, said.out, sizeof(said.out));
    read_back(complaint, said.complaint, sizeof(said.complaint));
    return &said;
}
