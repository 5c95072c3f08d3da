/*
 * A library to preload under weir, in which one chosen call fails.
 *
 *     WEIR_FAIL_CALL=rd_kafka_commit_transaction@aggregate:3:unknown LD_PRELOAD=libfailing.so weir run ...
 *
 * FUNCTION[@STAGE]:N[:VARIANT], several with commas between them: the N-th call of FUNCTION fails, as
 * VARIANT says. STAGE is combine, aggregate, sink, observer (the handles that belong to no group's
 * member), reader or writer, for functions of a handle of librdkafka.
 *
 * What a variant means, where a function has it:
 *   transport, timeout, state, full, large, denied, gone, fatal, fenced   librdkafka's errors of about that name
 *   retriable, abortable   errors with that flag, of functions of transactions
 *   done-...               as above, but what was asked for is done before
 *   unknown                is done, says that it timed out; asked again, says what came of it
 *   partition              the answer is there, but for its first partition
 *   null                   no answer, where an answer is a pointer
 * The rest is named where the function is: kafka.c, system.c.
 *
 * Only calls that weir's own code makes are counted: a library's calls of itself are its own affair.
 */
#ifndef TESTS_SUPPORT_FAILING_H
#define TESTS_SUPPORT_FAILING_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CALLER __builtin_return_address(0)

/* The function behind ours. */
#define REAL(name) ((__typeof__(&name))failing_real(#name))
void *failing_real(const char *name);

/*
 * Whether this call fails.
 *
 * stage   NULL: this function has none
 * usual   the variant where none is named
 * returns the variant, or NULL: the call goes through
 */
const char *failing_strike(
    const char *function, const char *stage, const void *caller, const char *usual);

#define STRIKE(usual) failing_strike(__func__, NULL, CALLER, usual)

#endif
