/* A link template is looked at before it is used, and renders to what needs no quoting. */
#include "engine/base/trace_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t trace_id[TRACE_ID_BYTES] = {
    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};

static void expect(const char *template, const char *link)
{
    struct buffer out = {0};
    const char *why = "";
    if (!trace_link_is_good(template, &why)) fail_msg("%s %s", template, why);
    trace_link_append(template, trace_id, &out);
    struct bytes got = buffer_bytes(&out);
    if (!bytes_are(got, link))
        fail_msg("%.*s is not %s", (int)got.size, (const char *)got.data, link);
    buffer_release(&out);
}

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"

static void an_id_goes_where_the_template_says(void **unused)
{
    (void)unused;
    expect("http://jaeger:16686/trace/{trace_id}", "http://jaeger:16686/trace/" ID);
    expect("https://x/{trace_id}?again={trace_id}#%7B", "https://x/" ID "?again=" ID "#%7B");
    expect("http://grafana:3000/explore?panes=%7B%22query%22:%22{trace_id}%22%7D",
        "http://grafana:3000/explore?panes=%7B%22query%22:%22" ID "%22%7D");
    expect("", "");
}

static void what_is_no_template_is_refused_and_said(void **unused)
{
    (void)unused;
    static const struct {
        const char *template, *why;
    } cases[] = {
        {"jaeger:16686/trace/{trace_id}", "begin with http"},
        {"javascript:alert({trace_id})", "begin with http"},
        {"http:///{trace_id}", "a host"},
        {"http://", "a host"},
        {"http://jaeger/trace/", "where the trace id goes"},
        {"http://jaeger/{traceid}/{trace_id}", "percent-encode"},
        {"http://jaeger/{trace_id", "percent-encode"},
        {"http://jaeger/a b/{trace_id}", "percent-encode"},
        {"http://jaeger/\"/{trace_id}", "percent-encode"},
        {"http://jaeger/<b>/{trace_id}", "percent-encode"},
        {"http://jaeger/\x1b[2J/{trace_id}", "percent-encode"},
        {"http://j\xc3\xa4ger/{trace_id}", "percent-encode"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = "";
        if (trace_link_is_good(cases[i].template, &why)) fail_msg("taken: %s", cases[i].template);
        if (strstr(why, cases[i].why) == NULL) fail_msg("%s: %s", cases[i].template, why);
    }
}

static void a_template_of_any_length_is_refused(void **unused)
{
    (void)unused;
    const char *why = "";
    char template[TRACE_LINK_BYTES_MAX + 2] = "http://x/{trace_id}/";
    for (size_t i = strlen(template); i < TRACE_LINK_BYTES_MAX; i++)
        template[i] = 'y';
    assert_true(trace_link_is_good(template, &why));
    template[TRACE_LINK_BYTES_MAX] = 'y';
    assert_false(trace_link_is_good(template, &why));
    assert_non_null(strstr(why, "1000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_goes_where_the_template_says),
        cmocka_unit_test(what_is_no_template_is_refused_and_said),
        cmocka_unit_test(a_template_of_any_length_is_refused),
    };
    return cmocka_run_group_tests_name("trace link", tests, NULL, NULL);
}
