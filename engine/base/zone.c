#include "engine/base/zone.h"

#include "engine/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ZONE_NAME_MAX = 64,
    ZONE_FILE_BYTES_MAX = 64 << 10, /* the largest there is has some 4 kB */
    TRANSITIONS_MAX = 4096,
    TYPES_MAX = 256,
    HEADER_BYTES = 44,
    OFFSET_S_MAX = 26 * 3600, /* of local time from UTC */
    RULE_HOURS_MAX = 167,     /* of a change, from midnight of its day */
    FOOTER_MAX = 128,
    DAY_S = 24 * 3600,
};

/* Years have four digits. */
#define YEAR_2_S    INT64_C(-62104060800)
#define YEAR_9999_S INT64_C(253370764800)

static const char directory[] = "/usr/share/zoneinfo";

/* The day of a year on which an offset changes, and the second of that day by the clock before. */
struct change {
    char
        kind; /* 'J': day 1-365, leap days not counted; 'n': day 0-365; 'M': month, week, weekday */
    int day, month, week;
    int32_t second;
};

/* What holds after the last transition. */
struct rule {
    bool is_known;
    bool has_summer;
    int32_t winter_s, summer_s; /* offsets */
    struct change begins, ends; /* of summer time */
};

struct zone {
    char name[ZONE_NAME_MAX + 1];
    struct rule rule;
    int32_t first_s; /* offset before the first transition */
    uint32_t transitions;
    struct transition_at {
        int64_t utc_s;
        int32_t offset_s; /* from here on */
    } at[];
};

/* The footer: "CET-1CEST,M3.5.0,M10.5.0/3". Each takes what it reads off the front of `*text`. */

static bool take_char(const char **text, char wanted)
{
    if (**text != wanted) return false;
    (*text)++;
    return true;
}

static bool take_number(const char **text, int most, int *number)
{
    const char *from = *text;
    *number = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        *number = 10 * *number + (**text - '0');
        if (*number > most) return false;
    }
    return *text != from;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A name is letters, or anything between < and >. */
static bool take_name(const char **text)
{
    const char *from = *text;
    if (take_char(text, '<')) {
        while (**text != '\0' && **text != '>')
            (*text)++;
        return take_char(text, '>');
    }
    while (is_letter(**text))
        (*text)++;
    return *text - from >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool take_time(const char **text, int hours_max, int32_t *seconds)
{
    int part[3] = {0};
    int sign = take_char(text, '-') ? -1 : 1;
    if (sign == 1) take_char(text, '+');
    if (!take_number(text, hours_max, &part[0])) return false;
    for (int i = 1; i < 3 && take_char(text, ':'); i++)
        if (!take_number(text, 59, &part[i])) return false;
    *seconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool take_day(const char **text, struct change *change)
{
    if (take_char(text, 'M')) {
        change->kind = 'M';
        return take_number(text, 12, &change->month) && change->month >= 1 &&
               take_char(text, '.') && take_number(text, 5, &change->week) && change->week >= 1 &&
               take_char(text, '.') && take_number(text, 6, &change->day);
    }
    change->kind = take_char(text, 'J') ? 'J' : 'n';
    return take_number(text, 365, &change->day) && (change->kind == 'n' || change->day >= 1);
}

static bool take_change(const char **text, struct change *change)
{
    change->second = 2 * 3600;
    if (!take_char(text, ',') || !take_day(text, change)) return false;
    return !take_char(text, '/') || take_time(text, RULE_HOURS_MAX, &change->second);
}

/* Offsets are written west of UTC. */
static bool rule_read(const char *text, struct rule *rule)
{
    *rule = (struct rule){.is_known = true};
    if (!take_name(&text) || !take_time(&text, 24, &rule->winter_s)) return false;
    rule->winter_s = -rule->winter_s;
    if (*text == '\0') return true;

    rule->has_summer = true;
    rule->summer_s = rule->winter_s + 3600;
    if (!take_name(&text)) return false;
    if (*text != ',') {
        if (!take_time(&text, 24, &rule->summer_s)) return false;
        rule->summer_s = -rule->summer_s;
    }
    return take_change(&text, &rule->begins) && take_change(&text, &rule->ends) && *text == '\0';
}

/* Days from the epoch to 1 January of a year from 1 on; there are 477 leap days before 1970. */
static int64_t days_before_year(int64_t year)
{
    int64_t last = year - 1;
    return 365 * (year - 1970) + last / 4 - last / 100 + last / 400 - 477;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_before_month(int64_t year, int month)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return before[month - 1] + (month > 2 && is_leap(year));
}

/* The day of a year, from 0, on which `change` falls. */
static int64_t change_day(const struct change *change, int64_t year)
{
    if (change->kind == 'n') return change->day;
    if (change->kind == 'J') return change->day - 1 + (change->day >= 60 && is_leap(year));

    int64_t first = days_before_month(year, change->month);
    int64_t length = days_before_month(year, change->month % 12 + 1) - first;
    if (change->month == 12) length = 31;
    int64_t weekday =
        ((days_before_year(year) + first + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
    int64_t day = (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
    if (day >= length) day -= 7; /* week 5 is the last one */
    return first + day;
}

static int64_t change_utc_s(const struct change *change, int64_t year, int32_t before_s)
{
    return (days_before_year(year) + change_day(change, year)) * DAY_S + change->second - before_s;
}

static int64_t year_of(int64_t local_s)
{
    int64_t year = 1970 + local_s / (365 * (int64_t)DAY_S + DAY_S / 4);
    while (days_before_year(year) * DAY_S > local_s)
        year--;
    while (days_before_year(year + 1) * DAY_S <= local_s)
        year++;
    return year;
}

static int64_t bounded_s(int64_t utc_s)
{
    if (utc_s < YEAR_2_S) return YEAR_2_S;
    return utc_s > YEAR_9999_S ? YEAR_9999_S : utc_s;
}

/* Summer time may begin and end in one year, or, in the south, span the turn of it. */
static int32_t rule_offset_s(const struct rule *rule, int64_t utc_s)
{
    if (!rule->has_summer) return rule->winter_s;
    utc_s = bounded_s(utc_s);
    int64_t year = year_of(utc_s + rule->winter_s);
    int64_t begins = change_utc_s(&rule->begins, year, rule->winter_s);
    int64_t ends = change_utc_s(&rule->ends, year, rule->summer_s);
    bool summer = begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
    return summer ? rule->summer_s : rule->winter_s;
}

/* The file. */

struct counts {
    uint32_t utc_flags, standard_flags, leaps, transitions, types, name_bytes;
};

struct reading {
    const char *name;
    const uint8_t *at, *end;
    struct error *err;
};

static enum status wrong(const struct reading *r, const char *what)
{
    return error_set(r->err, ST_FATAL, 0,
        "time zone %.64s: %s. Is %s/%.64s a time zone file? Install tzdata, or name another zone.",
        r->name, what, directory, r->name);
}

static int64_t big_endian(const uint8_t *at, int bytes)
{
    uint64_t value = at[0] >= 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

static size_t left(const struct reading *r)
{
    return (size_t)(r->end - r->at);
}

static enum status header_read(struct reading *r, struct counts *counts)
{
    if (left(r) < HEADER_BYTES || memcmp(r->at, "TZif", 4) != 0)
        return wrong(r, "it does not begin as one");
    if (r->at[4] < '2') return wrong(r, "it is of version 1, want 2 or later");
    uint32_t *const field[] = {&counts->utc_flags, &counts->standard_flags, &counts->leaps,
        &counts->transitions, &counts->types, &counts->name_bytes};
    for (int i = 0; i < 6; i++)
        *field[i] = (uint32_t)big_endian(r->at + 20 + 4 * i, 4);
    r->at += HEADER_BYTES;
    bool bounded = counts->transitions <= TRANSITIONS_MAX && counts->types <= TYPES_MAX &&
                   counts->utc_flags <= TYPES_MAX && counts->standard_flags <= TYPES_MAX &&
                   counts->leaps <= TRANSITIONS_MAX && counts->name_bytes <= TRANSITIONS_MAX;
    return bounded ? ST_OK : wrong(r, "it counts more than there can be");
}

static size_t block_bytes(const struct counts *counts, size_t time_bytes)
{
    return counts->transitions * (time_bytes + 1) + (size_t)counts->types * 6 + counts->name_bytes +
           counts->leaps * (time_bytes + 4) + counts->standard_flags + counts->utc_flags;
}

static enum status offset_read(
    const struct reading *r, const uint8_t *types, uint32_t type, int32_t *offset_s)
{
    *offset_s = (int32_t)big_endian(types + 6 * (size_t)type, 4);
    if (*offset_s < -OFFSET_S_MAX || *offset_s > OFFSET_S_MAX)
        return wrong(r, "it has a local time more than a day from UTC");
    return ST_OK;
}

static enum status transitions_read(
    const struct reading *r, const struct counts *counts, struct zone *zone)
{
    const uint8_t *index = r->at + 8 * (size_t)counts->transitions;
    const uint8_t *types = index + counts->transitions;
    enum status status = offset_read(r, types, 0, &zone->first_s);
    for (uint32_t i = 0; status == ST_OK && i < counts->transitions; i++) {
        zone->at[i].utc_s = big_endian(r->at + 8 * (size_t)i, 8);
        if (i > 0 && zone->at[i].utc_s <= zone->at[i - 1].utc_s)
            return wrong(r, "its transitions are not in order");
        if (index[i] >= counts->types) return wrong(r, "a transition has a type that is not there");
        status = offset_read(r, types, index[i], &zone->at[i].offset_s);
    }
    zone->transitions = counts->transitions;
    return status;
}

/* A newline, the rule, a newline; an empty rule says that nobody knows. */
static enum status footer_read(struct reading *r, struct zone *zone)
{
    char text[FOOTER_MAX];
    const uint8_t *end = left(r) < 2 ? NULL : memchr(r->at + 1, '\n', left(r) - 1);
    if (end == NULL || r->at[0] != '\n') return wrong(r, "its footer is missing");
    size_t size = (size_t)(end - r->at) - 1;
    if (size == 0) return ST_OK;
    if (size >= sizeof(text)) return wrong(r, "its footer is too long");
    memcpy(text, r->at + 1, size);
    text[size] = '\0';
    return rule_read(text, &zone->rule) ? ST_OK : wrong(r, "the rule in its footer is malformed");
}

/* The first block has 32-bit times for readers of old; the second one is what counts. */
static enum status zone_fill(struct reading *r, struct zone **zone)
{
    struct counts counts;
    enum status status = header_read(r, &counts);
    if (status != ST_OK) return status;
    if (left(r) < block_bytes(&counts, 4)) return wrong(r, "it is cut short");
    r->at += block_bytes(&counts, 4);
    status = header_read(r, &counts);
    if (status != ST_OK) return status;
    if (left(r) < block_bytes(&counts, 8)) return wrong(r, "it is cut short");
    if (counts.types == 0) return wrong(r, "it has no local time");

    *zone = memory_zeroed(1, sizeof(**zone) + counts.transitions * sizeof((*zone)->at[0]));
    status = transitions_read(r, &counts, *zone);
    r->at += block_bytes(&counts, 8);
    return status == ST_OK ? footer_read(r, *zone) : status;
}

enum status zone_read(struct bytes file, const char *name, struct zone **zone, struct error *err)
{
    struct reading r = {.name = name, .at = file.data, .end = file.data + file.size, .err = err};
    struct zone *loaded = NULL;
    enum status status = zone_fill(&r, &loaded);
    if (status != ST_OK) {
        free(loaded);
        return status;
    }
    snprintf(loaded->name, sizeof(loaded->name), "%s", name);
    *zone = loaded;
    return ST_OK;
}

bool zone_is_name(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t size = strlen(name);
    return size > 0 && size <= ZONE_NAME_MAX && name[0] != '/' && strspn(name, letters) == size;
}

static enum status file_read(
    const char *name, uint8_t *content, size_t room, size_t *size, struct error *err)
{
    char path[sizeof(directory) + ZONE_NAME_MAX + 1];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return error_set(err, ST_FATAL, errno,
            "time zone: %s cannot be read: %s. Is there such a zone, and tzdata installed? UTC "
            "needs "
            "neither.",
            path, strerror(errno));
    }
    *size = fread(content, 1, room, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (!failed && *size < room) return ST_OK;
    return error_set(
        err, ST_FATAL, 0, "time zone: %s cannot be read, or is too large for one", path);
}

enum status zone_load(const char *name, struct zone **zone, struct error *err)
{
    if (strcmp(name, "UTC") == 0) {
        *zone = memory_zeroed(1, sizeof(**zone));
        snprintf((*zone)->name, sizeof((*zone)->name), "%s", name);
        return ST_OK;
    }
    if (!zone_is_name(name)) {
        return error_set(err, ST_FATAL, 0,
            "time zone: \"%.64s\" is not the name of one, such as Europe/Berlin or UTC", name);
    }
    uint8_t *content = memory_take(ZONE_FILE_BYTES_MAX);
    size_t size = 0;
    enum status status = file_read(name, content, ZONE_FILE_BYTES_MAX, &size, err);
    if (status == ST_OK) status = zone_read((struct bytes){content, size}, name, zone, err);
    free(content);
    return status;
}

const char *zone_name(const struct zone *zone)
{
    return zone == NULL ? "UTC" : zone->name;
}

void zone_free(struct zone *zone)
{
    free(zone);
}

/* The last transition that is not after `utc_s`; -1: none. */
static int64_t transition_before(const struct zone *zone, int64_t utc_s)
{
    uint32_t low = 0, high = zone->transitions;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->at[middle].utc_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return (int64_t)low - 1;
}

int32_t zone_offset_s(const struct zone *zone, int64_t utc_s)
{
    if (zone == NULL) return 0;
    int64_t at = transition_before(zone, utc_s);
    if (at == (int64_t)zone->transitions - 1 && zone->rule.is_known)
        return rule_offset_s(&zone->rule, utc_s);
    return at < 0 ? zone->first_s : zone->at[at].offset_s;
}
