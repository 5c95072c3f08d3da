#include "sinks/redis_tls.h"

#include "engine/base/memory.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { NAMES_BYTES = 160, TIME_BYTES = 32 };

struct redis_tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; /* of the ssl: received and not read, written and not sent */
    char host[256];
    bool has_ca;
    int verdict; /* X509_V_OK until the certificate was refused, then why, and of whom: */
    char subject[NAMES_BYTES], issuer[NAMES_BYTES], names[NAMES_BYTES];
    char from[TIME_BYTES], until[TIME_BYTES];
    unsigned long code; /* of OpenSSL, when it failed */
};

static bool is_given(const char *file)
{
    return file != NULL && file[0] != '\0';
}

/* The newest reason that OpenSSL has, and none left behind for the next call. */
static const char *take_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason == NULL ? "no reason given" : reason;
}

/* An encrypted key would make OpenSSL ask on the terminal. */
static int no_passphrase(char *into, int room, int writing, void *unused)
{
    (void)into;
    (void)room;
    (void)writing;
    (void)unused;
    return -1;
}

static enum status load_own(SSL_CTX *context, const struct tls_files *files, struct error *err)
{
    if (!is_given(files->certificate)) return ST_OK;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1)
        return error_set(err, ST_FATAL, 0,
            "redis: the certificate file %s cannot be read: %s; want PEM, our own certificate "
            "first",
            files->certificate, take_reason());
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1)
        return error_set(err, ST_FATAL, 0,
            "redis: the key file %s cannot be used with the certificate %s: %s; want that "
            "certificate's key as PEM, without a passphrase",
            files->key, files->certificate, take_reason());
    return ST_OK;
}

static enum status load_authorities(
    SSL_CTX *context, const struct tls_files *files, struct error *err)
{
    if (!is_given(files->ca)) {
        SSL_CTX_set_default_verify_paths(context);
        return ST_OK;
    }
    if (SSL_CTX_load_verify_file(context, files->ca) == 1) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "redis: the CA file %s cannot be read: %s; want one or more certificates as PEM", files->ca,
        take_reason());
}

static enum status context_new(SSL_CTX **context, const struct tls_files *files, struct error *err)
{
    if (is_given(files->certificate) != is_given(files->key))
        return error_set(err, ST_FATAL, 0,
            "redis: a certificate file and a key file belong together: give both or neither");
    ERR_clear_error();
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());
    if (made == NULL) return error_set(err, ST_FATAL, 0, "redis: no TLS: %s", take_reason());
    SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
    enum status status = load_authorities(made, files, err);
    if (status == ST_OK) status = load_own(made, files, err);
    if (status != ST_OK)
        SSL_CTX_free(made);
    else
        *context = made;
    return status;
}

enum status redis_tls_check(const struct tls_files *files, struct error *err)
{
    SSL_CTX *context = NULL;
    enum status status = context_new(&context, files, err);
    if (status == ST_OK) SSL_CTX_free(context);
    return status;
}

static void show_time(const ASN1_TIME *time, char shown[TIME_BYTES])
{
    struct tm parts;
    shown[0] = '\0';
    if (ASN1_TIME_to_tm(time, &parts) == 1)
        strftime(shown, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* What the certificate is for: `redis.example, 10.0.0.1`. */
static void show_names(const X509 *certificate, char shown[NAMES_BYTES])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t size = 0;
    shown[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && size < NAMES_BYTES - 1; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[INET6_ADDRSTRLEN] = "";
        const ASN1_OCTET_STRING *data = name->d.ip;
        int room = (int)(NAMES_BYTES - size);
        int printed = 0;
        if (name->type == GEN_DNS)
            printed = snprintf(shown + size, (size_t)room, "%s%.*s", size == 0 ? "" : ", ",
                name->d.dNSName->length, (const char *)name->d.dNSName->data);
        else if (name->type == GEN_IPADD && inet_ntop(data->length == 4 ? AF_INET : AF_INET6,
                                                data->data, text, sizeof(text)) != NULL)
            printed = snprintf(shown + size, (size_t)room, "%s%s", size == 0 ? "" : ", ", text);
        size += printed < 0 ? 0 : (size_t)printed;
    }
    GENERAL_NAMES_free(names);
    if (shown[0] == '\0') snprintf(shown, NAMES_BYTES, "no name at all");
    for (char *c = shown; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
}

static void show_name(const X509_NAME *name, char shown[NAMES_BYTES])
{
    if (X509_NAME_oneline(name, shown, NAMES_BYTES) == NULL) shown[0] = '\0';
}

/* Keep what is wrong with the certificate that is being refused; the refusal itself is OpenSSL's. */
static int look_at(int is_fine, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct redis_tls *tls = SSL_get_app_data(ssl);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (is_fine || tls->verdict != X509_V_OK) return is_fine;
    tls->verdict = X509_STORE_CTX_get_error(store);
    if (certificate == NULL) return 0;
    show_name(X509_get_subject_name(certificate), tls->subject);
    show_name(X509_get_issuer_name(certificate), tls->issuer);
    show_names(certificate, tls->names);
    show_time(X509_get0_notBefore(certificate), tls->from);
    show_time(X509_get0_notAfter(certificate), tls->until);
    return 0;
}

/* An address must be in the certificate as an address, a name as a name. */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum status redis_tls_new(
    struct redis_tls **tls, const struct tls_files *files, const char *host, struct error *err)
{
    SSL_CTX *context = NULL;
    if (context_new(&context, files, err) != ST_OK) return err->status = ST_RETRY;
    struct redis_tls *made = memory_zeroed(1, sizeof(*made));
    made->context = context;
    made->has_ca = is_given(files->ca);
    snprintf(made->host, sizeof(made->host), "%s", host);
    made->ssl = SSL_new(context);
    made->in = BIO_new(BIO_s_mem());
    made->out = BIO_new(BIO_s_mem());
    if (made->ssl == NULL || made->in == NULL || made->out == NULL ||
        !expect_host(made->ssl, host)) {
        BIO_free(made->in);
        BIO_free(made->out);
        redis_tls_free(made);
        return error_set(err, ST_RETRY, 0, "redis: no TLS to %s: %s", host, take_reason());
    }
    SSL_set_bio(made->ssl, made->in, made->out); /* they are the ssl's now */
    SSL_set_app_data(made->ssl, made);
    SSL_set_verify(made->ssl, SSL_VERIFY_PEER, look_at);
    SSL_set_connect_state(made->ssl);
    *tls = made;
    return ST_OK;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (tls == NULL) return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}

static enum tls_step step(struct redis_tls *tls, int result)
{
    if (result > 0) return TLS_DONE;
    int why = SSL_get_error(tls->ssl, result);
    if (why == SSL_ERROR_WANT_READ) return TLS_WANTS_MORE;
    if (why == SSL_ERROR_ZERO_RETURN) return TLS_CLOSED;
    tls->code = ERR_peek_last_error();
    ERR_clear_error();
    return TLS_FAILED;
}

enum tls_step redis_tls_greet(struct redis_tls *tls)
{
    ERR_clear_error();
    return step(tls, SSL_do_handshake(tls->ssl));
}

enum tls_step redis_tls_encrypt(struct redis_tls *tls, struct bytes plain)
{
    size_t written;
    ERR_clear_error();
    if (plain.size == 0) return TLS_DONE;
    return step(tls, SSL_write_ex(tls->ssl, plain.data, plain.size, &written));
}

enum tls_step redis_tls_decrypt(struct redis_tls *tls, void *into, size_t room, size_t *got)
{
    ERR_clear_error();
    return step(tls, SSL_read_ex(tls->ssl, into, room, got));
}

struct bytes redis_tls_outgoing(struct redis_tls *tls)
{
    char *data = NULL;
    long size = BIO_get_mem_data(tls->out, &data);
    return (struct bytes){(const uint8_t *)data, size < 0 ? 0 : (size_t)size};
}

void redis_tls_sent(struct redis_tls *tls)
{
    (void)BIO_reset(tls->out);
}

void redis_tls_received(struct redis_tls *tls, const void *data, size_t size)
{
    assert(size <= INT_MAX);
    int written = BIO_write(tls->in, data, (int)size);
    assert(written == (int)size); /* it grows, or the process has no memory left */
    (void)written;
}

static enum status certificate_refused(
    const struct redis_tls *tls, const char *shown, struct error *err)
{
    switch (tls->verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return error_set(err, ST_RETRY, tls->verdict,
            "redis: %s is not trusted: the certificate of %s expired at %s: renew it; weir takes "
            "the "
            "new one by itself",
            shown, tls->subject, tls->until);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return error_set(err, ST_RETRY, tls->verdict,
            "redis: %s is not trusted: the certificate of %s is valid from %s on: look at the "
            "clocks of both machines",
            shown, tls->subject, tls->from);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return error_set(err, ST_RETRY, tls->verdict,
            "redis: %s is not trusted: its certificate is for %s, not for %s: use one of its names "
            "in the URL, or have the certificate made for this one",
            shown, tls->names, tls->host);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return error_set(err, ST_RETRY, tls->verdict,
            "redis: %s is not trusted: its certificate is signed by %s, which is not %s: give that "
            "CA's certificate as the CA file (redis.ca_file, --ca-file)",
            shown, tls->issuer, tls->has_ca ? "in the CA file" : "an authority of this system");
    default:
        return error_set(err, ST_RETRY, tls->verdict,
            "redis: %s is not trusted: the certificate of %s: %s", shown, tls->subject,
            X509_verify_cert_error_string(tls->verdict));
    }
}

enum status redis_tls_failure(const struct redis_tls *tls, const char *shown, struct error *err)
{
    if (tls->verdict != X509_V_OK) return certificate_refused(tls, shown, err);
    const char *reason = ERR_reason_error_string(tls->code);
    switch (ERR_GET_REASON(tls->code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return error_set(err, ST_RETRY, 0,
            "redis: %s does not speak TLS: give its tls-port, or write redis:// (sentinel://) to "
            "go "
            "without",
            shown);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return error_set(err, ST_RETRY, 0,
            "redis: %s wants a certificate of ours (%s): give redis.certificate_file and "
            "redis.key_file (--certificate-file, --key-file)",
            shown, reason);
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return error_set(err, ST_RETRY, 0,
            "redis: %s does not accept our certificate (%s): renew it, or have it signed by whom "
            "its tls-ca-cert-file names",
            shown, reason);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return error_set(err, ST_RETRY, 0,
            "redis: %s speaks no TLS as new as 1.2, which weir needs: see its tls-protocols",
            shown);
    default:
        return error_set(err, ST_RETRY, 0, "redis: no TLS with %s: %s", shown,
            reason == NULL ? "it closed the connection" : reason);
    }
}
