// Tests of the public tensor functions beyond the worked examples: types of files, range methods, results,
// errors, and memory that runs out.
#include "api/api.h"
#include "support/support.h"
#include "tensor/npy.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static onnxq_session *session;
static oq_error err;
static char folder[256];
static size_t at_rest; // bytes that a session holds anyway

static void begin(void) {
    CK_OK(onnxq_session_new(NULL, &session, &err), &err);
    at_rest = atomic_load(&session->mem.used);
    test_temporary_folder(folder, sizeof folder);
}

static void end(void) {
    test_remove_folder(folder);
    ck_assert(atomic_load(&session->mem.used) == at_rest);
    onnxq_session_free(session);
}

static const char *path_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *path, const char *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

// A .npy file of `dtype` from integers.
static const char *npy_of(oq_dtype dtype, oq_shape shape, const int64_t *values) {
    oq_tensor tensor;
    oq_text image;
    CK_OK(oq_tensor_new(&session->mem, dtype, &shape, &tensor, &err), &err);
    oq_store_i64(dtype, values, tensor.data, (size_t)oq_shape_count(&shape));
    oq_text_init(&image, &session->mem);
    CK_OK(oq_npy_format(&tensor, &image, &err), &err);
    const char *path = path_of("t.npy");
    write_bytes(path, oq_text_get(&image), image.length);
    oq_text_release(&image);
    oq_tensor_release(&tensor);
    return path;
}

// Whatever numbers a file holds: the same result as for the same float32 numbers.
START_TEST(files_of_all_types) {
    const int64_t values[6] = {0, 1, 2, 3, 50, 100};
    const float numbers[6] = {0, 1, 2, 3, 50, 100};
    const int64_t shape[2] = {2, 3};
    const oq_dtype dtypes[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16, ONNXQ_BFLOAT16, ONNXQ_INT8,
                               ONNXQ_UINT8, ONNXQ_INT16,  ONNXQ_INT32,   ONNXQ_INT64,    ONNXQ_UINT64};
    const onnxq_tensor_options o = onnxq_tensor_defaults();
    onnxq_tensor *wanted, *t;
    CK_OK(onnxq_tensor_quantize(session, "x", numbers, shape, 2, &o, &wanted, &err), &err);
    const onnxq_tensor_view w = onnxq_tensor_get(wanted);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        const char *path = npy_of(dtypes[i], OQ_SHAPE(2, 3), values);
        CK_OK(onnxq_tensor_quantize_file(session, path, &o, &t, &err), &err);
        const onnxq_tensor_view v = onnxq_tensor_get(t);
        ck_assert(v.rank == 2 && v.shape[0] == 2 && v.shape[1] == 3 && v.count == 6 && v.parameters == 1);
        ck_assert(v.scale[0] == w.scale[0] && v.zero_point[0] == w.zero_point[0]);
        ck_assert(!memcmp(v.integers, w.integers, 6 * sizeof *v.integers));
        onnxq_tensor_free(t);
    }
    onnxq_tensor_free(wanted);
    ck_assert_int_eq(
        onnxq_tensor_quantize_file(session, npy_of(ONNXQ_BOOL, OQ_SHAPE(2, 3), values), &o, &t, &err),
        ONNXQ_BAD_DATA);
    ck_assert_ptr_null(t);
    ck_assert_int_eq(onnxq_tensor_quantize_file(session, path_of("missing.npy"), &o, &t, NULL), ONNXQ_IO);
}
END_TEST

static void fill(float *x, size_t count) {
    uint32_t state = 7;
    for (size_t i = 0; i < count; i++) {
        x[i] = 0;
        for (int k = 0; k < 6; k++) {
            state = state * 1664525 + 1013904223;
            x[i] += (float)(state >> 8) / 16777216.0F - 0.5F;
        }
    }
    x[3] = 9; // an outlier
}

// Methods on a histogram give what the planner takes for an activation with the same values.
START_TEST(ranges_of_activations) {
    enum { COUNT = 3000 };
    static float x[COUNT];
    fill(x, COUNT);
    const int64_t shape[] = {COUNT};
    const oq_tensor sample = {.dtype = ONNXQ_FLOAT, .shape = OQ_SHAPE(COUNT), .data = x};
    oq_stats *stats;
    oq_tensor_stats *entry;
    CK_OK(oq_stats_new(&session->mem, &stats, &err), &err);
    CK_OK(oq_stats_ensure(stats, "x", &entry, &err), &err);
    CK_OK(oq_stats_add(entry, &session->mem, &sample, 0, &err), &err);
    for (int method = ONNXQ_METHOD_AUTO; method <= ONNXQ_METHOD_MSE; method++) {
        onnxq_tensor_options o = onnxq_tensor_defaults();
        o.is_unsigned = 1;
        o.as_an_activation = 1;
        o.method = (onnxq_method)method;
        o.percentile = 99.5;
        const oq_grid grid = oq_grid_make(8, false, false);
        oq_range range;
        oq_qparam wanted;
        onnxq_tensor *t;
        CK_OK(oq_range_of(entry, oq_api_method(o.method), 99.5, &grid, false, &range, &err), &err);
        CK_OK(oq_grid_asymmetric(&grid, range.min, range.max, "x", &wanted, &err), &err);
        CK_OK(onnxq_tensor_quantize(session, "x", x, shape, 1, &o, &t, &err), &err);
        const onnxq_tensor_view v = onnxq_tensor_get(t);
        ck_assert(v.scale[0] == wanted.scale && v.zero_point[0] == wanted.zero_point);
        if (method == ONNXQ_METHOD_MINMAX) ck_assert(v.dequantized[3] > 8);
        if (method == ONNXQ_METHOD_PERCENTILE) ck_assert(v.dequantized[3] < 4); // the outlier is cut
        onnxq_tensor_free(t);
    }
    oq_stats_free(stats);
}
END_TEST

// The search for weights never has a greater error in its own measure than the whole range; with an outlier,
// the mean squared error is less too.
START_TEST(search_for_weights) {
    enum { COUNT = 4096 };
    static float x[COUNT];
    fill(x, COUNT);
    const int64_t shape[] = {64, 64};
    for (int bits = 2; bits <= 8; bits++) {
        onnxq_tensor_options o = onnxq_tensor_defaults();
        onnxq_tensor *whole, *searched;
        o.bits = bits;
        o.symmetric = 1;
        CK_OK(onnxq_tensor_quantize(session, "x", x, shape, 2, &o, &whole, &err), &err);
        o.method = ONNXQ_METHOD_MSE;
        CK_OK(onnxq_tensor_quantize(session, "x", x, shape, 2, &o, &searched, &err), &err);
        ck_assert(onnxq_tensor_get(searched).mse <= onnxq_tensor_get(whole).mse);
        if (bits == 4) ck_assert(onnxq_tensor_get(searched).mse < 0.5 * onnxq_tensor_get(whole).mse);
        onnxq_tensor_free(searched);
        onnxq_tensor_free(whole);
    }
}
END_TEST

// The archive and the report say what the view says.
START_TEST(archive_and_report) {
    static float x[200];
    fill(x, 200);
    const int64_t shape[] = {5, 40};
    onnxq_tensor_options o = onnxq_tensor_defaults();
    o.bits = 4;
    o.granularity = ONNXQ_PER_GROUP;
    o.group_size = 12;
    onnxq_tensor *t;
    CK_OK(onnxq_tensor_quantize(session, "x", x, shape, 2, &o, &t, &err), &err);
    const onnxq_tensor_view v = onnxq_tensor_get(t);
    ck_assert(v.dtype == ONNXQ_INT4 && v.least == -8 && v.greatest == 7);
    ck_assert(v.parameters == 20 && v.parameter_rank == 2 && v.parameter_shape[1] == 4);
    CK_OK(onnxq_tensor_save(t, path_of("o.npz"), &err), &err);
    oq_npz *npz;
    CK_OK(oq_npz_open(&session->mem, path_of("o.npz"), &npz, &err), &err);
    ck_assert_uint_eq(oq_npz_count(npz), 4);
    for (size_t i = 0; i < 4; i++) {
        oq_tensor array;
        CK_OK(oq_npz_get(npz, i, &array, &err), &err);
        const char *name = oq_npz_name(npz, i);
        for (int64_t k = 0; k < oq_tensor_count(&array); k++) {
            const double wanted = !strcmp(name, "integers")      ? v.integers[k]
                                  : !strcmp(name, "dequantized") ? (double)v.dequantized[k]
                                  : !strcmp(name, "scale")       ? (double)v.scale[k]
                                                                 : v.zero_point[k];
            ck_assert(oq_tensor_get_f64(&array, k) == wanted);
        }
        oq_tensor_release(&array);
    }
    oq_npz_close(npz);
    for (size_t limit = 0; limit <= 30; limit += 30) {
        onnxq_report *report;
        CK_OK(onnxq_tensor_report(t, limit, &report, &err), &err);
        json_t *json = json_loads(onnxq_report_json(report), 0, NULL);
        ck_assert_ptr_nonnull(json);
        ck_assert_uint_eq(json_array_size(json_object_get(json, "integers")), limit ? limit : 200);
        json_int_t sum = 0;
        size_t b;
        json_t *bin;
        json_array_foreach(json_object_get(json, "histogram"), b, bin) {
            json_int_t own = 0;
            for (size_t i = 0; i < v.count; i++)
                own += v.integers[i] >= json_integer_value(json_object_get(bin, "from")) &&
                       v.integers[i] <= json_integer_value(json_object_get(bin, "to"));
            ck_assert_int_eq(own, json_integer_value(json_object_get(bin, "count")));
            sum += own;
        }
        ck_assert_int_eq(sum, 200);
        json_decref(json);
        onnxq_report_free(report);
    }
    onnxq_tensor_free(t);
}
END_TEST

// The histogram's stretches cover each grid without gap or overlap.
START_TEST(histogram_of_every_grid) {
    const float x[3] = {-1, 0.1F, 1};
    const int64_t shape[] = {3};
    for (int bits = 2; bits <= 16; bits++)
        for (int kind = 0; kind < 3; kind++) {
            onnxq_tensor_options o = onnxq_tensor_defaults();
            onnxq_tensor *t;
            onnxq_report *report;
            o.bits = bits;
            o.is_unsigned = kind == 1;
            o.symmetric = kind == 2;
            CK_OK(onnxq_tensor_quantize(session, "x", x, shape, 1, &o, &t, &err), &err);
            CK_OK(onnxq_tensor_report(t, 0, &report, &err), &err);
            json_t *json = json_loads(onnxq_report_json(report), 0, NULL), *bin;
            json_int_t next = onnxq_tensor_get(t).least, sum = 0;
            size_t b;
            json_array_foreach(json_object_get(json, "histogram"), b, bin) {
                ck_assert_int_eq(json_integer_value(json_object_get(bin, "from")), next);
                next = json_integer_value(json_object_get(bin, "to")) + 1;
                sum += json_integer_value(json_object_get(bin, "count"));
            }
            ck_assert_int_eq(next, onnxq_tensor_get(t).greatest + 1);
            ck_assert_int_eq(sum, 3);
            json_decref(json);
            onnxq_report_free(report);
            onnxq_tensor_free(t);
        }
}
END_TEST

START_TEST(wrong_options) {
    const float x[4] = {1, 2, 3, 4};
    const int64_t shape[] = {2, 2}, none[] = {0, 2};
    const onnxq_tensor_options fine = onnxq_tensor_defaults();
    onnxq_tensor_options bad[10];
    onnxq_tensor *t;
    for (size_t i = 0; i < 10; i++) bad[i] = fine;
    bad[0].bits = 1;
    bad[1].bits = 17;
    bad[2].full_range = 1;
    bad[3].granularity = ONNXQ_PER_CHANNEL, bad[3].axis = 2;
    bad[4].granularity = ONNXQ_PER_GROUP; // without a size
    bad[5].scale = -1;
    bad[6].scale = (double)NAN;
    bad[7].scale = 1, bad[7].zero_point = 128;
    bad[8].scale = 1, bad[8].method = ONNXQ_METHOD_MSE;
    bad[9].method = ONNXQ_METHOD_PERCENTILE, bad[9].percentile = 0;
    for (size_t i = 0; i < 10; i++) {
        oq_error_clear(&err);
        ck_assert_int_eq(onnxq_tensor_quantize(session, "x", x, shape, 2, &bad[i], &t, &err), ONNXQ_USAGE);
        ck_assert(!t && err.message[0]);
    }
    ck_assert_int_eq(onnxq_tensor_quantize(session, "x", x, none, 2, &fine, &t, NULL), ONNXQ_BAD_DATA);
    ck_assert_int_eq(onnxq_tensor_quantize(session, "x", x, shape, 17, &fine, &t, NULL), ONNXQ_USAGE);
    const float infinite[4] = {1, 2, INFINITY, 4};
    oq_error_clear(&err);
    ck_assert_int_eq(onnxq_tensor_quantize(session, "x", infinite, shape, 2, &fine, &t, &err),
                     ONNXQ_BAD_DATA);
    ck_assert_str_eq(err.tensor, "x");
}
END_TEST

// Every allocation fails once: an error and no leak.
START_TEST(out_of_memory) {
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const int64_t shape[] = {2, 3};
    onnxq_tensor_options o = onnxq_tensor_defaults();
    o.granularity = ONNXQ_PER_CHANNEL;
    o.method = _i ? ONNXQ_METHOD_ENTROPY : ONNXQ_METHOD_MSE;
    bool done = false;
    for (long long n = 1; !done; n++) {
        onnxq_tensor *t = NULL;
        onnxq_report *report = NULL;
        atomic_store(&session->mem.fail_after, n);
        oq_status status = onnxq_tensor_quantize(session, "x", x, shape, 2, &o, &t, &err);
        if (status == ONNXQ_OK) status = onnxq_tensor_save(t, path_of("m.npz"), &err);
        if (status == ONNXQ_OK) status = onnxq_tensor_report(t, 0, &report, &err);
        done = status == ONNXQ_OK;
        ck_assert(done || status == ONNXQ_NO_MEMORY);
        onnxq_report_free(report);
        onnxq_tensor_free(t);
        atomic_store(&session->mem.fail_after, 0);
        ck_assert(atomic_load(&session->mem.used) == at_rest);
        ck_assert(n < 1000);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("api tensor");
    TCase *tcase = tcase_create("tensor");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, files_of_all_types);
    tcase_add_test(tcase, ranges_of_activations);
    tcase_add_test(tcase, search_for_weights);
    tcase_add_test(tcase, archive_and_report);
    tcase_add_test(tcase, histogram_of_every_grid);
    tcase_add_test(tcase, wrong_options);
    tcase_add_loop_test(tcase, out_of_memory, 0, 2);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
