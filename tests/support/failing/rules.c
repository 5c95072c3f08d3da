#include "tests/support/failing/failing.h"

#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RULES_MAX = 4, NAME_BYTES = 64 };

struct rule {
    char function[NAME_BYTES], stage[NAME_BYTES], variant[NAME_BYTES];
    unsigned n;
    atomic_uint calls;
};

static struct rule rules[RULES_MAX];
static size_t rule_count; /* set last: until then every call goes through */
static uintptr_t program_begin, program_end;

/* The first object is the program itself. */
static int program_find(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    program_begin = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;
        if (begin < program_begin) program_begin = begin;
        if (end > program_end) program_end = end;
    }
    return 1;
}

static void rule_read(struct rule *rule, const char *text)
{
    char where[2 * NAME_BYTES];
    if (sscanf(text, "%127[^:]:%u:%63[^,]", where, &rule->n, rule->variant) < 2 || rule->n == 0) {
        fprintf(stderr, "WEIR_FAIL_CALL: not FUNCTION:N[:VARIANT]: %s\n", text);
        _exit(99);
    }
    sscanf(where, "%63[^@]@%63s", rule->function, rule->stage);
}

__attribute__((constructor)) static void rules_read(void)
{
    const char *at = getenv("WEIR_FAIL_CALL");
    size_t count = 0;
    dl_iterate_phdr(program_find, NULL);
    while (at != NULL && *at != '\0' && count < RULES_MAX) {
        rule_read(&rules[count++], at);
        at = strchr(at, ',');
        if (at != NULL) at++;
    }
    rule_count = count;
}

void *failing_real(const char *name)
{
    void *real = dlsym(RTLD_NEXT, name);
    if (real != NULL) return real;
    dprintf(STDERR_FILENO, "failing: there is no %s\n", name);
    _exit(99);
}

static bool rule_concerns(const struct rule *rule, const char *function, const char *stage)
{
    if (strcmp(rule->function, function) != 0) return false;
    return rule->stage[0] == '\0' || (stage != NULL && strcmp(rule->stage, stage) == 0);
}

const char *failing_strike(
    const char *function, const char *stage, const void *caller, const char *usual)
{
    uintptr_t from = (uintptr_t)caller;
    if (rule_count == 0 || from < program_begin || from >= program_end) return NULL;
    for (size_t i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (!rule_concerns(rule, function, stage)) continue;
        if (atomic_fetch_add(&rule->calls, 1) + 1 != rule->n) continue;
        const char *variant = rule->variant[0] == '\0' ? usual : rule->variant;
        dprintf(STDERR_FILENO, "failing: %s%s%s, call %u: %s\n", function,
            stage == NULL ? "" : " of ", stage == NULL ? "" : stage, rule->n, variant);
        return variant;
    }
    return NULL;
}
