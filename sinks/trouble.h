/*
 * Why a store does not take rows: a metric's label, and how one trouble is told from the next.
 */
#ifndef SINKS_TROUBLE_H
#define SINKS_TROUBLE_H

enum trouble {
    TROUBLE_AWAY,      /* it cannot be reached, or the connection was lost */
    TROUBLE_SLOW,      /* no answer in time */
    TROUBLE_FULL,      /* no memory left for rows */
    TROUBLE_READ_ONLY, /* a replica */
    TROUBLE_BUSY,      /* loading, a script that runs, no disk: it says so itself */
    TROUBLE_FAIL_OVER, /* its Sentinels know no primary for now */
    TROUBLE_TLS,       /* a certificate, or a server without TLS */
    TROUBLE_REFUSED,   /* login, permission, not a server that weir can use */
};

const char *trouble_name(enum trouble trouble);

#endif
