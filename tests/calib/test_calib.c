// Laws of calibration: the same bits for any number of threads, true ranges, bad values named.
#include "calib/calib.h"
#include "support/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// x [1, 16] -> Abs -> Reciprocal -> `last`.
static void make(test_net *net, const char *last) {
    test_net_init(net, 21);
    const oq_value_id x = test_net_input(net, "x", ONNXQ_FLOAT, OQ_SHAPE(1, 16));
    const oq_value_id a = test_net_node(net, "Abs", "a", x, OQ_NONE, OQ_NONE);
    const oq_value_id r = test_net_node(net, "Reciprocal", "r", a, OQ_NONE, OQ_NONE);
    test_net_output(net, test_net_node(net, last, "y", r, OQ_NONE, OQ_NONE));
    oq_error err = {0};
    CK_OK(oq_infer_graph(net->graph, &err), &err);
}

static void read_file(const char *path, oq_mem *mem, uint8_t **bytes, size_t *count) {
    oq_error err = {0};
    CK_OK(oq_file_read_all(mem, path, bytes, count, &err), &err);
}

START_TEST(threads_change_no_bit) {
    test_net net;
    make(&net, "Exp");
    oq_error err = {0};
    oq_dataset *data;
    CK_OK(oq_dataset_synthetic(&net.mem, net.graph, 37, 5, &data, &err), &err);
    char folder[256], path[512];
    test_temporary_folder(folder, sizeof folder);
    uint8_t *first = NULL;
    size_t first_count = 0;
    const int axis[] = {1, -1, 1, 0}; // of x, a, r, y
    for (size_t threads = 0; threads <= 5; threads++) {
        oq_pool *pool = NULL;
        if (threads) CK_OK(oq_pool_new(&net.mem, threads, &pool, &err), &err);
        oq_stats *stats;
        CK_OK(
            oq_calibrate(net.graph, data, &(oq_calibrate_options){.axis = axis, .pool = pool}, &stats, &err),
            &err);
        ck_assert_uint_eq(stats->samples, 37);
        ck_assert_uint_eq(oq_stats_find(stats, "x")->channels, 16);
        ck_assert_uint_eq(oq_stats_find(stats, "x")->channel_count, 37);
        ck_assert_uint_eq(oq_stats_find(stats, "a")->channels, 0);
        ck_assert_uint_eq(oq_stats_find(stats, "y")->channels, 1);
        ck_assert(stats->synthetic);
        ck_assert_uint_eq(stats->count, 4);
        snprintf(path, sizeof path, "%s/%zu", folder, threads);
        CK_OK(oq_stats_save(stats, path, &err), &err);
        uint8_t *bytes;
        size_t count;
        read_file(path, &net.mem, &bytes, &count);
        if (!first) {
            first = bytes;
            first_count = count;
        } else {
            ck_assert_uint_eq(count, first_count);
            ck_assert_mem_eq(bytes, first, count);
            oq_mem_free(&net.mem, bytes);
        }
        oq_stats_free(stats);
        oq_pool_free(pool);
    }
    oq_mem_free(&net.mem, first);
    test_remove_folder(folder);
    oq_dataset_free(data);
    test_net_release(&net);
}
END_TEST

START_TEST(ranges_are_those_of_the_samples) {
    test_net net;
    make(&net, "Neg");
    oq_error err = {0};
    oq_dataset *data;
    CK_OK(oq_dataset_synthetic(&net.mem, net.graph, 9, 1, &data, &err), &err);
    float least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < 5; i++) {
        oq_value x;
        CK_OK(oq_dataset_get(data, i, &x, &err), &err);
        for (int k = 0; k < 16; k++) {
            const float value = -1 / fabsf(((const float *)x.tensor.data)[k]);
            least = fminf(least, value);
            most = fmaxf(most, value);
        }
        oq_value_release(&x);
    }
    oq_stats *stats;
    CK_OK(oq_calibrate(net.graph, data, &(oq_calibrate_options){.limit = 5}, &stats, &err), &err);
    const oq_tensor_stats *y = oq_stats_find(stats, "y");
    ck_assert_ptr_nonnull(y);
    ck_assert(y->min == least && y->max == most);
    ck_assert_uint_eq(y->count, 5 * 16);
    ck_assert_uint_eq(stats->samples, 5);
    oq_stats_free(stats);
    oq_dataset_free(data);
    test_net_release(&net);
}
END_TEST

// Log of negative numbers: counted with the first sample, and an error that names both when a range is asked.
START_TEST(values_that_are_no_numbers_are_named) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(1, 16));
    test_net_output(&net, test_net_node(&net, "Log", "logs", x, OQ_NONE, OQ_NONE));
    oq_error err = {0};
    CK_OK(oq_infer_graph(net.graph, &err), &err);
    oq_dataset *data;
    CK_OK(oq_dataset_synthetic(&net.mem, net.graph, 6, 1, &data, &err), &err);
    uint64_t first = UINT64_MAX, bad = 0;
    for (size_t i = 0; i < 6; i++) {
        oq_value value;
        CK_OK(oq_dataset_get(data, i, &value, &err), &err);
        for (int k = 0; k < 16; k++)
            if (((const float *)value.tensor.data)[k] < 0) {
                bad++;
                if (first == UINT64_MAX) first = i;
            }
        oq_value_release(&value);
    }
    oq_pool *pool;
    CK_OK(oq_pool_new(&net.mem, 3, &pool, &err), &err);
    oq_stats *stats;
    CK_OK(oq_calibrate(net.graph, data, &(oq_calibrate_options){.pool = pool}, &stats, &err), &err);
    const oq_tensor_stats *logs = oq_stats_find(stats, "logs");
    ck_assert_uint_eq(logs->nan, bad);
    ck_assert_uint_eq(logs->first_bad_sample, first);
    const oq_grid grid = oq_grid_make(8, false, false);
    oq_range range;
    ck_assert_int_eq(oq_range_of(logs, OQ_RANGE_MINMAX, 100, &grid, false, &range, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "logs"));
    oq_stats_free(stats);
    oq_pool_free(pool);
    oq_dataset_free(data);
    test_net_release(&net);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("calib");
    TCase *tcase = tcase_create("calibrate");
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, ranges_are_those_of_the_samples);
    tcase_add_test(tcase, values_that_are_no_numbers_are_named);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
