/*
 * Calls of the system and of smaller libraries that can fail. A variant is the name of an errno; the
 * others are named at their function.
 */
#include "tests/support/failing/failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <microhttpd.h>
#include <yaml.h>
#include <zstd.h>

static int errno_of(const char *variant)
{
    static const struct {
        const char *variant;
        int code;
    } codes[] = {
        {"EINTR", EINTR},
        {"EAGAIN", EAGAIN},
        {"EMFILE", EMFILE},
        {"EIO", EIO},
        {"ENOMEM", ENOMEM},
        {"ENOSYS", ENOSYS},
        {"ENOSPC", ENOSPC},
        {"EPIPE", EPIPE},
        {"EACCES", EACCES},
        {"EADDRINUSE", EADDRINUSE},
        {"ENOTSOCK", ENOTSOCK},
        {"ETIMEDOUT", ETIMEDOUT},
        {"ECONNRESET", ECONNRESET},
        {"ECONNREFUSED", ECONNREFUSED},
        {"EHOSTUNREACH", EHOSTUNREACH},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].variant, variant) == 0) return codes[i].code;
    }
    return EINVAL;
}

static int refuse(const char *variant)
{
    errno = errno_of(variant);
    return -1;
}

#define FAIL_ERRNO(usual, call)              \
    do {                                     \
        const char *variant = STRIKE(usual); \
        if (variant == NULL) return call;    \
        return refuse(variant);              \
    } while (0)

#define FAIL_NULL(usual, call)               \
    do {                                     \
        const char *variant = STRIKE(usual); \
        if (variant == NULL) return call;    \
        errno = errno_of(variant);           \
        return NULL;                         \
    } while (0)

int socket(int family, int type, int protocol)
{
    FAIL_ERRNO("EMFILE", REAL(socket)(family, type, protocol));
}

int connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
    FAIL_ERRNO("ECONNREFUSED", REAL(connect)(fd, to, bytes));
}

int bind(int fd, const struct sockaddr *to, socklen_t bytes)
{
    FAIL_ERRNO("EADDRINUSE", REAL(bind)(fd, to, bytes));
}

int listen(int fd, int backlog)
{
    FAIL_ERRNO("EADDRINUSE", REAL(listen)(fd, backlog));
}

int getsockname(int fd, struct sockaddr *restrict name, socklen_t *restrict bytes)
{
    FAIL_ERRNO("ENOTSOCK", REAL(getsockname)(fd, name, bytes));
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict bytes)
{
    FAIL_ERRNO("ENOTSOCK", REAL(getsockopt)(fd, level, name, value, bytes));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
    FAIL_ERRNO("ENOTSOCK", REAL(setsockopt)(fd, level, name, value, bytes));
}

/* short: one byte goes out; done-...: all goes out, then the connection is gone */
ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    const char *variant = STRIKE("ECONNRESET");
    if (variant == NULL) return REAL(send)(fd, data, bytes, flags);
    if (strcmp(variant, "short") == 0) return REAL(send)(fd, data, 1, flags);
    if (strncmp(variant, "done-", 5) == 0) {
        REAL(send)(fd, data, bytes, flags);
        variant += 5;
    }
    return refuse(variant);
}

/* end: the other side closed; short: one byte; middle: one byte, and then the connection is gone */
ssize_t recv(int fd, void *into, size_t room, int flags)
{
    static __thread bool cut;
    const char *variant = STRIKE("ECONNRESET");
    if (variant == NULL && cut) {
        cut = false;
        return refuse("ECONNRESET");
    }
    if (variant == NULL) return REAL(recv)(fd, into, room, flags);
    if (strcmp(variant, "end") == 0) return 0;
    cut = strcmp(variant, "middle") == 0;
    if (!cut && strcmp(variant, "short") != 0) return refuse(variant);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    REAL(poll)(&polled, 1, 5000);
    return REAL(recv)(fd, into, 1, flags);
}

/* nothing: as if the time were over */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const char *variant = STRIKE("EINTR");
    if (variant == NULL) return REAL(poll)(fds, count, timeout_ms);
    return strcmp(variant, "nothing") == 0 ? 0 : refuse(variant);
}

/* again, name: a name server that does not answer, a name that there is not */
int getaddrinfo(const char *restrict node, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    const char *variant = STRIKE("again");
    if (variant == NULL) return REAL(getaddrinfo)(node, service, hints, found);
    return strcmp(variant, "again") == 0 ? EAI_AGAIN : EAI_NONAME;
}

/* short: one byte */
ssize_t getrandom(void *into, size_t bytes, unsigned flags)
{
    const char *variant = STRIKE("ENOSYS");
    if (variant == NULL) return REAL(getrandom)(into, bytes, flags);
    return strcmp(variant, "short") == 0 ? REAL(getrandom)(into, 1, flags) : refuse(variant);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
    void *(*run)(void *), void *restrict argument)
{
    const char *variant = STRIKE("EAGAIN");
    if (variant == NULL) return REAL(pthread_create)(thread, attributes, run, argument);
    return errno_of(variant);
}

int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    const char *variant = STRIKE("ETIMEDOUT");
    if (variant == NULL) return REAL(pthread_timedjoin_np)(thread, value, until);
    return errno_of(variant);
}

FILE *fopen64(const char *restrict path, const char *restrict mode)
{
    FAIL_NULL("EACCES", REAL(fopen64)(path, mode));
}

FILE *open_memstream(char **text, size_t *bytes)
{
    FAIL_NULL("ENOMEM", REAL(open_memstream)(text, bytes));
}

/* The file's own mark of an error can only be set by an error, so the descriptor is made a bad one. */
size_t fread(void *restrict into, size_t bytes, size_t count, FILE *restrict file)
{
    if (STRIKE("EIO") == NULL) return REAL(fread)(into, bytes, count, file);
    int none = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (none >= 0) {
        dup2(none, fileno(file));
        close(none);
    }
    return REAL(fread)(into, bytes, count, file);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    FAIL_ERRNO("EACCES", REAL(open64)(path, flags, mode));
}

int fstat64(int fd, struct stat64 *stat)
{
    FAIL_ERRNO("EIO", REAL(fstat64)(fd, stat));
}

int fseek(FILE *file, long offset, int whence)
{
    FAIL_ERRNO("EIO", REAL(fseek)(file, offset, whence));
}

DIR *opendir(const char *path)
{
    FAIL_NULL("EMFILE", REAL(opendir)(path));
}

/* short: one byte */
ssize_t write(int fd, const void *data, size_t bytes)
{
    const char *variant = STRIKE("ENOSPC");
    if (variant == NULL) return REAL(write)(fd, data, bytes);
    return strcmp(variant, "short") == 0 ? REAL(write)(fd, data, 1) : refuse(variant);
}

pid_t fork(void)
{
    FAIL_ERRNO("EAGAIN", REAL(fork)());
}

int pipe2(int fds[2], int flags)
{
    FAIL_ERRNO("EMFILE", REAL(pipe2)(fds, flags));
}

int execvp(const char *file, char *const *argument)
{
    FAIL_ERRNO("EACCES", REAL(execvp)(file, argument));
}

char *mkdtemp(char *path)
{
    FAIL_NULL("EACCES", REAL(mkdtemp)(path));
}

/* Memory; behind these there is glibc's under other names, as finding the next by name takes memory. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

void *malloc(size_t bytes)
{
    FAIL_NULL("ENOMEM", __libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    FAIL_NULL("ENOMEM", __libc_calloc(count, bytes));
}

void *reallocarray(void *old, size_t count, size_t bytes)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all)) return NULL;
    FAIL_NULL("ENOMEM", __libc_realloc(old, all));
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (STRIKE("ENOMEM") == NULL) return REAL(mmap)(at, bytes, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

redisReader *redisReaderCreate(void)
{
    FAIL_NULL("ENOMEM", REAL(redisReaderCreate)());
}

static int reader_refuse(redisReader *reader)
{
    reader->err = REDIS_ERR_OOM;
    snprintf(reader->errstr, sizeof(reader->errstr), "Out of memory");
    return REDIS_ERR;
}

int redisReaderFeed(redisReader *reader, const char *data, size_t bytes)
{
    return STRIKE("ENOMEM") == NULL ? REAL(redisReaderFeed)(reader, data, bytes)
                                    : reader_refuse(reader);
}

int redisReaderGetReply(redisReader *reader, void **reply)
{
    return STRIKE("ENOMEM") == NULL ? REAL(redisReaderGetReply)(reader, reply)
                                    : reader_refuse(reader);
}

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
    void *accept_with, MHD_AccessHandlerCallback answer, void *answer_with, ...)
{
    va_list options;
    if (STRIKE("EAGAIN") != NULL) return NULL;
    va_start(options, answer_with);
    struct MHD_Daemon *daemon =
        MHD_start_daemon_va(flags, port, accept, accept_with, answer, answer_with, options);
    va_end(options);
    return daemon;
}

struct MHD_Response *MHD_create_response_from_buffer(
    size_t bytes, void *data, enum MHD_ResponseMemoryMode mode)
{
    FAIL_NULL("ENOMEM", REAL(MHD_create_response_from_buffer)(bytes, data, mode));
}

enum MHD_Result MHD_queue_response(
    struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    return STRIKE("ENOMEM") == NULL ? REAL(MHD_queue_response)(connection, status, response)
                                    : MHD_NO;
}

json_t *json_loadb(const char *text, size_t bytes, size_t flags, json_error_t *error)
{
    FAIL_NULL("ENOMEM", REAL(json_loadb)(text, bytes, flags, error));
}

json_t *json_object(void)
{
    FAIL_NULL("ENOMEM", REAL(json_object)());
}

CURL *curl_easy_init(void)
{
    FAIL_NULL("ENOMEM", REAL(curl_easy_init)());
}

CURLcode curl_easy_perform(CURL *curl)
{
    return STRIKE("ENOMEM") == NULL ? REAL(curl_easy_perform)(curl) : CURLE_OUT_OF_MEMORY;
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    FAIL_NULL("ENOMEM", REAL(curl_slist_append)(list, text));
}

CURLU *curl_url(void)
{
    FAIL_NULL("ENOMEM", REAL(curl_url)());
}

ZSTD_DStream *ZSTD_createDStream(void)
{
    FAIL_NULL("ENOMEM", REAL(ZSTD_createDStream)());
}

/* Generic failure is (size_t)-1 in every version of the library. */
size_t ZSTD_decompressStream(ZSTD_DStream *stream, ZSTD_outBuffer *out, ZSTD_inBuffer *in)
{
    return STRIKE("EIO") == NULL ? REAL(ZSTD_decompressStream)(stream, out, in) : (size_t)-1;
}

int yaml_parser_initialize(yaml_parser_t *parser)
{
    return STRIKE("ENOMEM") == NULL ? REAL(yaml_parser_initialize)(parser) : 0;
}

int yaml_parser_parse(yaml_parser_t *parser, yaml_event_t *event)
{
    if (STRIKE("ENOMEM") == NULL) return REAL(yaml_parser_parse)(parser, event);
    parser->error = YAML_MEMORY_ERROR;
    memset(event, 0, sizeof(*event));
    return 0;
}
