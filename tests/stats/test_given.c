// Ranges that users write: what the text may look like, and that each mistake is told with its line.
#include "stats/stats.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static oq_mem mem;
static char folder[512], path[600];

static void begin(void) {
    mem = (oq_mem){0};
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/ranges.txt", folder);
}

static void end(void) {
    test_remove_folder(folder);
    ck_assert_uint_eq(mem.used, 0);
}

static void write_bytes(const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static oq_stats *read_text(const char *text) {
    oq_error err = {0};
    oq_stats *stats;
    write_bytes(text, strlen(text));
    CK_OK(oq_stats_load_any(&mem, path, &stats, &err), &err);
    return stats;
}

static void check_range(const oq_stats *stats, const char *name, double low, double high) {
    const oq_grid grid = oq_grid_make(8, false, false);
    oq_error err = {0};
    oq_range range;
    const oq_tensor_stats *t = oq_stats_find(stats, name);
    ck_assert_msg(t != NULL, "no range of '%s'", name);
    for (int method = OQ_RANGE_AUTO; method <= OQ_RANGE_MSE; method++) {
        CK_OK(oq_range_of(t, (oq_range_method)method, 99, &grid, false, &range, &err), &err);
        ck_assert(range.min == (double)(float)low && range.max == (double)(float)high);
    }
}

START_TEST(ranges_are_taken_as_they_are_written) {
    oq_stats *stats =
        read_text("# comment\n\n  x -1.5 2e1 # comment\r\n\t\"two words\" 0 1\n\"#\\\"\\\\\" -0 0\n"
                  "layer/a:0#1\t-.25\t+0.1");
    ck_assert(stats->given && !stats->synthetic);
    ck_assert_uint_eq(stats->count, 4);
    check_range(stats, "x", -1.5, 20);
    check_range(stats, "two words", 0, 1);
    check_range(stats, "#\"\\", 0, 0);
    ck_assert(!signbit(oq_stats_find(stats, "#\"\\")->min));
    check_range(stats, "layer/a:0#1", -.25, .1);
    oq_stats_free(stats);
}
END_TEST

START_TEST(they_survive_the_binary_file) {
    oq_error err = {0};
    oq_stats *stats = read_text("x -1 2\n"), *back;
    CK_OK(oq_stats_save(stats, path, &err), &err);
    CK_OK(oq_stats_load_any(&mem, path, &back, &err), &err);
    ck_assert(back->given);
    check_range(back, "x", -1, 2);
    oq_stats_free(stats);
    oq_stats_free(back);
}
END_TEST

static const struct {
    const char *text, *sentence;
} mistakes[] = {
    {"", "no range in it"},
    {"# nothing\n", "no range in it"},
    {"x\n", "line 1: a line is TENSOR LOW HIGH"},
    {"\n\nx 1\n", "line 3: a line is TENSOR LOW HIGH"},
    {"x 1 2 3\n", "line 1: a line is TENSOR LOW HIGH"},
    {"x 0 1\ny ? ?\n", "line 2: '?' is no finite number"},
    {"x 0 1f\n", "line 1: '1f' is no finite number"},
    {"x 0 inf\n", "line 1: 'inf' is no finite number"},
    {"x nan 0\n", "line 1: 'nan' is no finite number"},
    {"x 0 1e39\n", "line 1: '1e39' is no finite number"},
    {"x 1 0\n", "line 1: the range of 'x' ends below where it begins"},
    {"x 0 1\nx 0 2\n", "line 2: 'x' has a range already"},
    {"\"x 0 1\n", "line 1: a quote is not closed"},
    {"x 0 \"1\n", "line 1: a line is TENSOR LOW HIGH"},
};

START_TEST(each_mistake_is_told_with_its_line) {
    oq_error err = {0};
    oq_stats *stats;
    write_bytes(mistakes[_i].text, strlen(mistakes[_i].text));
    ck_assert_int_eq(oq_stats_load_any(&mem, path, &stats, &err), ONNXQ_BAD_DATA);
    ck_assert_msg(strstr(err.message, mistakes[_i].sentence) != NULL, "%s", err.message);
    ck_assert_str_eq(err.file, path);
    ck_assert_ptr_null(stats);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused) {
    oq_error err = {0};
    oq_stats *stats;
    write_bytes("x 0 1\0", 6);
    ck_assert_int_eq(oq_stats_load_any(&mem, path, &stats, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "neither a statistics file"));
}
END_TEST

START_TEST(survives_failing_allocations) {
    write_bytes("x 0 1\n\"y z\" 1 2\n", 16);
    for (long long n = 1;; n++) {
        oq_stats *stats = NULL;
        ck_assert_int_lt(n, 100);
        mem.fail_after = n;
        const oq_status status = oq_stats_load_any(&mem, path, &stats, NULL);
        mem.fail_after = 0;
        oq_stats_free(stats);
        ck_assert_uint_eq(mem.used, 0);
        if (status == ONNXQ_OK) break;
        ck_assert_int_eq(status, ONNXQ_NO_MEMORY);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("given");
    TCase *text = tcase_create("text");
    tcase_add_checked_fixture(text, begin, end);
    tcase_add_test(text, ranges_are_taken_as_they_are_written);
    tcase_add_test(text, they_survive_the_binary_file);
    tcase_add_loop_test(text, each_mistake_is_told_with_its_line, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_test(text, bytes_that_are_no_text_are_refused);
    tcase_add_test(text, survives_failing_allocations);
    suite_add_tcase(suite, text);
    return test_main(suite);
}
