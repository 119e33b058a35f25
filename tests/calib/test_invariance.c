// Laws of statistics over data sets: every range method gives the same bits for samples in any order, in
// batches of 16, in files of 16, on several threads and in merged shards; memory does not grow with the
// samples.
#include "calib/calib.h"
#include "support/graphs.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLES = 68, WIDTH = 24 };

#define BODY                                                                                                 \
    "random w float32[24,16] 7 0.5\n"                                                                        \
    "random b float32[16] 9 0.5\n"                                                                           \
    "h = Gemm(x, w, b)\n"                                                                                    \
    "e = Exp(h)\n"                                                                                           \
    "y = Softmax(e)\n"                                                                                       \
    "out y\n"

static const char *const values[] = {"x", "h", "e", "y"};
enum { VALUES = 4, METHODS = 5 };

typedef struct setting {
    oq_mem mem;
    char folder[256];
    float samples[SAMPLES * WIDTH];
    oq_range ranges[VALUES][METHODS]; // of samples one by one, in order, on one thread
} setting;

// Bell-shaped, with an outlier here and there.
static void fill(float *x, size_t count) {
    uint32_t seed = 12345;
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (int k = 0; k < 6; k++) {
            seed = seed * 1664525u + 1013904223u;
            sum += (float)(seed >> 8) / (float)(1 << 24) - 0.5F;
        }
        x[i] = i % 301 == 300 ? 8 * sum : sum;
    }
}

// Rows [begin, begin + count) in steps of `step` modulo the number of samples, as an .npz or a file of a
// folder.
static void write_rows(setting *s, const char *path, size_t begin, size_t count, size_t step) {
    oq_error err = {0};
    const char *name = "x";
    oq_tensor t;
    const oq_shape shape = OQ_SHAPE((int64_t)count, WIDTH);
    CK_OK(oq_tensor_new(&s->mem, ONNXQ_FLOAT, &shape, &t, &err), &err);
    for (size_t i = 0; i < count; i++)
        memcpy((float *)t.data + i * WIDTH, s->samples + (begin + i) * step % SAMPLES * WIDTH,
               WIDTH * sizeof(float));
    CK_OK(oq_npz_write(&s->mem, path, &name, &t, 1, &err), &err);
    oq_tensor_release(&t);
}

static oq_stats *calibrate(setting *s, oq_model *model, const char *source, size_t threads) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    oq_dataset *data;
    oq_stats *stats;
    if (threads > 1) CK_OK(oq_pool_new(&s->mem, threads, &pool, &err), &err);
    CK_OK(oq_dataset_open(&s->mem, model->graph, &source, 1, &data, &err), &err);
    CK_OK(oq_calibrate(model->graph, data, &(oq_calibrate_options){.pool = pool}, &stats, &err), &err);
    oq_dataset_free(data);
    oq_pool_free(pool);
    return stats;
}

static oq_model *make(setting *s, const char *text) {
    oq_error err = {0};
    oq_model *model = test_graph(&s->mem, 13, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return model;
}

static oq_range range_of(const oq_stats *stats, size_t value, size_t method) {
    static const oq_range_method methods[METHODS] = {OQ_RANGE_MINMAX, OQ_RANGE_PERCENTILE, OQ_RANGE_ENTROPY,
                                                     OQ_RANGE_MSE, OQ_RANGE_AUTO};
    const oq_grid grid = oq_grid_make(8, false, false);
    oq_error err = {0};
    oq_range range;
    CK_OK(oq_range_of(oq_stats_find(stats, values[value]), methods[method], 99.5, &grid, false, &range, &err),
          &err);
    return range;
}

static void expect_same(const setting *s, const oq_stats *stats, const char *what) {
    for (size_t v = 0; v < VALUES; v++)
        for (size_t m = 0; m < METHODS; m++) {
            const oq_range want = s->ranges[v][m], got = range_of(stats, v, m);
            ck_assert_msg(want.min == got.min && want.max == got.max, "%s: '%s', method %zu: %.17g..%.17g",
                          what, values[v], m, got.min, got.max);
        }
    ck_assert_uint_eq(stats->samples, SAMPLES);
}

static void setup(setting *s, char *path, size_t size) {
    memset(s, 0, sizeof *s);
    fill(s->samples, SAMPLES * WIDTH);
    test_temporary_folder(s->folder, sizeof s->folder);
    snprintf(path, size, "%s/all.npz", s->folder);
    write_rows(s, path, 0, SAMPLES, 1);
    oq_model *model = make(s, "in x float32[1,24]\n" BODY);
    oq_stats *stats = calibrate(s, model, path, 1);
    for (size_t v = 0; v < VALUES; v++)
        for (size_t m = 0; m < METHODS; m++) s->ranges[v][m] = range_of(stats, v, m);
    // Methods that all fall back to minimum and maximum would make the law empty.
    ck_assert(s->ranges[0][1].max < s->ranges[0][0].max && s->ranges[0][2].max < s->ranges[0][0].max);
    oq_stats_free(stats);
    oq_model_free(model);
}

static void teardown(setting *s) {
    test_remove_folder(s->folder);
    ck_assert_uint_eq(atomic_load(&s->mem.used), 0);
}

START_TEST(order_threads_and_batches_change_no_range) {
    setting s;
    char path[512], part[512];
    setup(&s, path, sizeof path);
    oq_model *one = make(&s, "in x float32[1,24]\n" BODY), *sixteen = make(&s, "in x float32[16,24]\n" BODY),
             *any = make(&s, "in x float32[N,24]\n" BODY);
    snprintf(part, sizeof part, "%s/shuffled.npz", s.folder);
    write_rows(&s, part, 5, SAMPLES, 29); // 29 and 68 have no common factor
    const struct {
        const char *what, *source;
        oq_model *model;
        size_t threads;
    } cases[] = {{"shuffled", part, one, 1},
                 {"two threads", path, one, 2},
                 {"shuffled, two threads", part, one, 2},
                 {"batch 16", path, sixteen, 1},
                 {"batch 16, two threads", part, sixteen, 2},
                 {"any batch", path, any, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        oq_stats *stats = calibrate(&s, cases[i].model, cases[i].source, cases[i].threads);
        expect_same(&s, stats, cases[i].what);
        oq_stats_free(stats);
    }
    oq_model_free(any);
    oq_model_free(sixteen);
    oq_model_free(one);
    teardown(&s);
}
END_TEST

START_TEST(merged_shards_change_no_range) {
    setting s;
    char path[512];
    oq_error err = {0};
    oq_stats *all = NULL;
    setup(&s, path, sizeof path);
    oq_model *model = make(&s, "in x float32[1,24]\n" BODY);
    for (size_t shard = 4; shard-- > 0;) { // the last one first
        char part[512];
        snprintf(part, sizeof part, "%s/shard%zu.npz", s.folder, shard);
        write_rows(&s, part, shard * SAMPLES / 4, SAMPLES / 4, 1);
        oq_stats *stats = calibrate(&s, model, part, 1);
        if (!all) {
            all = stats;
            continue;
        }
        CK_OK(oq_stats_merge(all, stats, &err), &err);
        oq_stats_free(stats);
    }
    expect_same(&s, all, "four shards");
    oq_stats_free(all);
    oq_model_free(model);
    teardown(&s);
}
END_TEST

// Most bytes held while `samples` made-up samples are calibrated, beyond what was held before.
static size_t peak_of(size_t samples, size_t threads) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_pool *pool = NULL;
    oq_dataset *data;
    oq_stats *stats;
    oq_model *model = test_graph(&mem, 13, "in x float32[1,24]\n" BODY);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    if (threads > 1) CK_OK(oq_pool_new(&mem, threads, &pool, &err), &err);
    CK_OK(oq_dataset_synthetic(&mem, model->graph, samples, 5, &data, &err), &err);
    const size_t before = atomic_load(&mem.used);
    atomic_store(&mem.peak, before);
    CK_OK(oq_calibrate(model->graph, data, &(oq_calibrate_options){.pool = pool}, &stats, &err), &err);
    const size_t peak = atomic_load(&mem.peak) - before;
    oq_stats_free(stats);
    oq_dataset_free(data);
    oq_pool_free(pool);
    oq_model_free(model);
    return peak;
}

START_TEST(a_hundred_times_the_samples_need_no_more_memory) {
    const size_t few = peak_of(10, 1), many = peak_of(1000, 1);
    ck_assert_msg(many <= few + few / 20, "%zu bytes for 10 samples, %zu for 1000", few, many);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("invariance");
    TCase *tcase = tcase_create("laws");
    tcase_add_test(tcase, order_threads_and_batches_change_no_range);
    tcase_add_test(tcase, merged_shards_change_no_range);
    tcase_add_test(tcase, a_hundred_times_the_samples_need_no_more_memory);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
