/*
 * The files of a TLS connection, PEM all of them. They are read anew for each connection, so a renewed
 * certificate is taken up without a restart.
 */
#ifndef SINKS_TLS_FILES_H
#define SINKS_TLS_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct tls_files {
    const char *ca;          /* who may sign the server's certificate; NULL or "": the system's */
    const char *certificate; /* our own, and what it is signed by; NULL or "": none */
    const char *key;         /* of our own, not encrypted */
};

static inline bool tls_files_given(const struct tls_files *files)
{
    return (files->ca != NULL && files->ca[0] != '\0') ||
           (files->certificate != NULL && files->certificate[0] != '\0') ||
           (files->key != NULL && files->key[0] != '\0');
}

#endif
