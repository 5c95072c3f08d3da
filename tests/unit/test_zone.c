/*
 * Time zones: offsets are those of the C library over every zone of the database, of hand-made files
 * where a rule is all there is, and what is malformed is refused without reading beyond it.
 *
 * Mutations that fail here: week 5 taken as the last without looking, summer ends by winter's clock,
 * the south's summer not spanning the turn of the year, the sign of offsets, leap days in J rules.
 */
#include "engine/base/buffer.h"
#include "engine/base/zone.h"
#include "tests/support/random.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const char database[] = "/usr/share/zoneinfo";

static bool has_database(void)
{
    DIR *folder = opendir("/usr/share/zoneinfo/Europe");
    if (folder != NULL) closedir(folder);
    return folder != NULL;
}

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    struct error err = {0};
    if (zone_load(name, &zone, &err) != ST_OK) fail_msg("%s", err.text);
    return zone;
}

/* Known from `date -d @T`: both sides of changes, and rules of years to come. */
static void offsets_that_are_known(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        int64_t utc_s;
        int32_t offset_s;
    } known[] = {
        {"Europe/Berlin", 1711846799, 3600}, /* 2024-03-31 00:59:59 UTC */
        {"Europe/Berlin", 1711846800, 7200},
        {"Europe/Berlin", 1729990799, 7200}, /* 2024-10-27 00:59:59 UTC */
        {"Europe/Berlin", 1729990800, 3600},
        {"Europe/Berlin", 2542244400, 7200}, /* 2050-07-24 */
        {"America/New_York", 1710053999, -18000},
        {"America/New_York", 1710054000, -14400},
        {"Australia/Sydney", 1704067200, 39600}, /* 2024-01-01: summer */
        {"Australia/Sydney", 1719792000, 36000},
        {"Asia/Kolkata", 1719792000, 19800},
        {"Asia/Tokyo", 1719792000, 32400},
    };
    if (!has_database()) skip();
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct zone *zone = load(known[i].name);
        assert_int_equal(zone_offset_s(zone, known[i].utc_s), known[i].offset_s);
        zone_free(zone);
    }
}

static void check_against_library(const char *name)
{
    struct random random = random_from(1);
    struct zone *zone = load(name);
    setenv("TZ", name, 1);
    tzset();
    for (int i = 0; i < 3000; i++) {
        /* 1900 to 2120; the second half beside the turn of an hour, where changes are */
        int64_t utc_s = -2208988800 + (int64_t)random_below(&random, 6942672000);
        if (i % 2 == 1) utc_s -= utc_s % 3600 + (int64_t)random_below(&random, 2);
        time_t when = (time_t)utc_s;
        struct tm tm;
        assert_non_null(localtime_r(&when, &tm));
        if (zone_offset_s(zone, utc_s) != tm.tm_gmtoff)
            fail_msg("%s at %lld: %d, want %ld", name, (long long)utc_s, zone_offset_s(zone, utc_s),
                tm.tm_gmtoff);
    }
    zone_free(zone);
}

static void check_folder(const char *folder)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", database, folder);
    DIR *open = opendir(path);
    assert_non_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        char name[300];
        snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_REG || entry->d_type == DT_LNK) check_against_library(name);
    }
    closedir(open);
}

static void offsets_are_those_of_the_library(void **unused)
{
    (void)unused;
    static const char *const folders[] = {"Africa", "America", "Antarctica", "Asia", "Atlantic",
        "Australia", "Europe", "Indian", "Pacific", "Etc"};
    if (!has_database()) skip();
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        check_folder(folders[i]);
    unsetenv("TZ");
    tzset();
}

/* A file with one local time, no transitions, and a rule: what zic writes of `slim` at its slimmest. */
static void put_block(struct buffer *out, int32_t offset_s)
{
    static const uint8_t counts[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4};
    uint8_t unused[15] = {0}, type[6] = {(uint8_t)(offset_s >> 24), (uint8_t)(offset_s >> 16),
                                  (uint8_t)(offset_s >> 8), (uint8_t)offset_s};
    buffer_append(out, "TZif2", 5);
    buffer_append(out, unused, sizeof(unused));
    buffer_append(out, counts, sizeof(counts));
    buffer_append(out, type, sizeof(type));
    buffer_append(out, "LMT", 4);
}

static enum status read_rule(const char *rule, struct zone **zone, struct error *err)
{
    struct buffer file = {0};
    put_block(&file, 0);
    put_block(&file, 0);
    buffer_print(&file, "\n%s\n", rule);
    enum status status = zone_read(buffer_bytes(&file), "made", zone, err);
    buffer_release(&file);
    return status;
}

static int32_t offset_by(const char *rule, int64_t utc_s)
{
    struct zone *zone = NULL;
    struct error err = {0};
    if (read_rule(rule, &zone, &err) != ST_OK) fail_msg("%s", err.text);
    int32_t offset_s = zone_offset_s(zone, utc_s);
    zone_free(zone);
    return offset_s;
}

static void a_rule_alone_is_enough(void **unused)
{
    (void)unused;
    const int64_t y2024 = 1704067200, day = 86400;
    assert_int_equal(offset_by("EST5", y2024), -18000);
    assert_int_equal(offset_by("<+0530>-5:30", y2024), 19800);
    assert_int_equal(offset_by("<-00>0", y2024), 0);
    assert_int_equal(offset_by("", y2024), 0);
    /* Day 60 of a leap year is 1 March by J, 29 February (the 61st from 0: 1 March) by number. */
    assert_int_equal(offset_by("AAA0BBB,J60/0,J300/0", y2024 + 60 * day), 3600);
    assert_int_equal(offset_by("AAA0BBB,J60/0,J300/0", y2024 + 60 * day - 1), 0);
    assert_int_equal(offset_by("AAA0BBB,59/0,300/0", y2024 + 59 * day), 3600);
    assert_int_equal(offset_by("AAA0BBB,59/0,300/0", y2024 + 59 * day - 1), 0);
    /* Summer all year round. */
    for (int i = 0; i < 366 * 24; i++)
        assert_int_equal(offset_by("EST5EDT,0/0,J365/25", y2024 + i * 3600), -14400);
    /* Hours before midnight, as in Godthab: the Saturday before the last Sunday, 22 h. */
    assert_int_equal(offset_by("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846800), -3600);
    assert_int_equal(offset_by("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846799), -7200);
    /* A summer by half an hour that the winter's clock does not end. */
    assert_int_equal(offset_by("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1712415599), 39600);
    assert_int_equal(offset_by("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1712415600), 37800);
}

static void every_month_has_a_last_week(void **unused)
{
    (void)unused;
    /* Last Saturday of February 2024 is the 24th, of December the 28th. */
    assert_int_equal(offset_by("AAA0BBB,M2.5.6/0,M12.5.6/0", 1708732800), 3600);
    assert_int_equal(offset_by("AAA0BBB,M2.5.6/0,M12.5.6/0", 1708732799), 0);
    assert_int_equal(offset_by("AAA0BBB,M2.5.6/0,M12.5.6/0", 1735340400), 0);
    assert_int_equal(offset_by("AAA0BBB,M2.5.6/0,M12.5.6/0", 1735340399), 3600);
    /* The fifth Thursday there is: 29 February 2024. */
    assert_int_equal(offset_by("AAA0BBB,M2.5.4/0,M12.5.6/0", 1709164800), 3600);
    assert_int_equal(offset_by("AAA0BBB,M2.5.4/0,M12.5.6/0", 1709164799), 0);
}

static void any_moment_has_an_offset(void **unused)
{
    (void)unused;
    static const int64_t moments[] = {INT64_MIN, INT64_MIN / 2, -1, 0, INT64_MAX / 2, INT64_MAX};
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        int32_t offset_s = offset_by("CET-1CEST,M3.5.0,M10.5.0/3", moments[i]);
        assert_true(offset_s == 3600 || offset_s == 7200);
        assert_int_equal(zone_offset_s(NULL, moments[i]), 0);
    }
    struct zone *utc = load("UTC");
    assert_int_equal(zone_offset_s(utc, 1711846800), 0);
    zone_free(utc);
}

static void malformed_rules_are_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"A0", "EST", "EST25", "EST5EDT", "EST5EDT,M3.2.0",
        "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J300", "EST5EDT,J366,J300",
        "EST5EDT,366,300", "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x", "<EST5",
        "EST5:60", "EST99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct zone *zone = NULL;
        struct error err = {0};
        assert_int_equal(read_rule(bad[i], &zone, &err), ST_FATAL);
        assert_null(zone);
        assert_non_null(strstr(err.text, "rule in its footer"));
    }
}

static size_t read_file(const char *name, uint8_t *content, size_t room)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", database, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(content, 1, room, file);
    fclose(file);
    return size;
}

/* Cut short anywhere, in memory of just that size; with any byte changed it may be read, or not. */
static void damaged_files_are_refused_or_harmless(void **unused)
{
    (void)unused;
    static uint8_t content[65536];
    if (!has_database()) skip();
    size_t size = read_file("Europe/Berlin", content, sizeof(content));
    struct random random = random_from(2);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        struct zone *zone = NULL;
        struct error err = {0};
        assert_non_null(copy);
        memcpy(copy, content, cut);
        assert_int_equal(zone_read((struct bytes){copy, cut}, "cut", &zone, &err), ST_FATAL);
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        struct zone *zone = NULL;
        struct error err = {0};
        size_t at = (size_t)random_below(&random, i % 2 == 0 ? size : 44);
        uint8_t was = content[at];
        content[at] = (uint8_t)random_next(&random);
        if (zone_read((struct bytes){content, size}, "changed", &zone, &err) == ST_OK) {
            int32_t offset_s = zone_offset_s(zone, (int64_t)random_next(&random) >> 28);
            assert_true(offset_s >= -27 * 3600 && offset_s <= 27 * 3600);
            zone_free(zone);
        }
        content[at] = was;
    }
}

static void errors_name_the_zone(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *says;
    } bad[] = {{"", "is not the name of one"}, {"../../../etc/passwd", "is not the name of one"},
        {"/etc/passwd", "is not the name of one"}, {"Europe/Atlantis", "Is there such a zone"},
        {"A name with spaces", "is not the name of one"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct zone *zone = NULL;
        struct error err = {0};
        assert_int_equal(zone_load(bad[i].name, &zone, &err), ST_FATAL);
        assert_non_null(strstr(err.text, bad[i].says));
    }
    struct zone *zone = NULL;
    struct error err = {0};
    assert_int_equal(zone_read(bytes_of("TZif"), "short", &zone, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "time zone short"));
    if (has_database()) assert_int_equal(zone_load("zone.tab", &zone, &err), ST_FATAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_that_are_known),
        cmocka_unit_test(offsets_are_those_of_the_library),
        cmocka_unit_test(a_rule_alone_is_enough),
        cmocka_unit_test(every_month_has_a_last_week),
        cmocka_unit_test(any_moment_has_an_offset),
        cmocka_unit_test(malformed_rules_are_refused),
        cmocka_unit_test(damaged_files_are_refused_or_harmless),
        cmocka_unit_test(errors_name_the_zone),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
