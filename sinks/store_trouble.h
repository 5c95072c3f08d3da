/*
 * Why a store does not take rows: a metric's label, and how one trouble is told from the next.
 */
#ifndef SINKS_STORE_TROUBLE_H
#define SINKS_STORE_TROUBLE_H

enum store_trouble {
    STORE_AWAY,      /* it cannot be reached, or the connection was lost */
    STORE_SLOW,      /* no answer in time */
    STORE_FULL,      /* no memory left for rows */
    STORE_READ_ONLY, /* a replica */
    STORE_BUSY,      /* loading, a script that runs, no disk: it says so itself */
    STORE_FAIL_OVER, /* its Sentinels know no primary for now */
    STORE_TLS,       /* a certificate, or a server without TLS */
    STORE_REFUSED,   /* login, permission, not a server that weir can use */
};

const char *store_trouble_name(enum store_trouble trouble);

#endif
