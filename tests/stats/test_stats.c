// Tests of stats: histograms that depend on the data alone, merging, ranges, the file.
#include "base/file.h"
#include "stats/stats.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static oq_mem mem;
static oq_error err;

static void begin(void) { oq_error_clear(&err); }
static void end(void) { ck_assert_uint_eq(mem.used, 0); }

static uint32_t random_bits(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

// --- histograms and tensors ---

static oq_tensor values_of(const float *x, int64_t count) {
    return test_tensor_f32(&mem, OQ_SHAPE(count), x);
}

static void add(oq_tensor_stats *t, const float *x, int64_t count, uint64_t sample) {
    oq_tensor tensor = values_of(x, count);
    CK_OK(oq_stats_add(t, &mem, &tensor, sample, &err), &err);
    oq_tensor_release(&tensor);
}

static oq_tensor_stats *entry(oq_stats *stats) {
    oq_tensor_stats *t = NULL;
    CK_OK(oq_stats_ensure(stats, "t", &t, &err), &err);
    return t;
}

static oq_stats *new_stats(void) {
    oq_stats *stats = NULL;
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    return stats;
}

static void expect_same(const oq_tensor_stats *a, const oq_tensor_stats *b) {
    ck_assert(memcmp(&a->min, &b->min, sizeof a->min) == 0 && memcmp(&a->max, &b->max, sizeof a->max) == 0);
    ck_assert(a->count == b->count && a->zero == b->zero && a->nan == b->nan && a->infinite == b->infinite);
    ck_assert_int_eq(a->histogram.exponent, b->histogram.exponent);
    ck_assert_int_eq(a->histogram.first, b->histogram.first);
    ck_assert_mem_eq(a->histogram.count, b->histogram.count, sizeof a->histogram.count);
    ck_assert(oq_exact_sum_get(&a->sum) == oq_exact_sum_get(&b->sum));
    ck_assert(oq_exact_sum_get(&a->sum_squares) == oq_exact_sum_get(&b->sum_squares));
}

// Samples whose ranges grow, shift and shrink in many ways, by the loop's number.
static void make_samples(float samples[12][64], int kind) {
    uint64_t state = (uint64_t)kind + 77;
    for (int s = 0; s < 12; s++) {
        const float scale = kind % 3 == 0   ? ldexpf(1, 2 * s)
                            : kind % 3 == 1 ? ldexpf(1, -3 * s)
                                            : ldexpf(1, (int)(random_bits(&state) % 30));
        const float shift = kind % 4 == 1 ? 1000 : kind % 4 == 2 ? -3 * scale : 0;
        for (int i = 0; i < 64; i++)
            samples[s][i] = ((float)(int32_t)random_bits(&state) * 0x1p-31F) * scale + shift;
        samples[s][s] = s % 2 ? 0.0F : -0.0F;
        samples[s][20] = ldexpf(-1, -90); // far below any bin of the others
    }
}

// The order of samples, their distribution over parts and the order of merging do not show.
START_TEST(statistics_do_not_depend_on_the_order) {
    float samples[12][64];
    make_samples(samples, _i);
    oq_stats *forward = new_stats();
    oq_stats *backward = new_stats();
    oq_stats *parts[3] = {new_stats(), new_stats(), new_stats()};
    for (int s = 0; s < 12; s++) add(entry(forward), samples[s], 64, (uint64_t)s);
    for (int s = 12; s-- > 0;) add(entry(backward), samples[s], 64, (uint64_t)s);
    for (int s = 0; s < 12; s++) add(entry(parts[s * 5 % 3]), samples[s], 64, (uint64_t)s);
    CK_OK(oq_stats_merge(parts[2], parts[0], &err), &err);
    CK_OK(oq_stats_merge(parts[2], parts[1], &err), &err);
    expect_same(entry(forward), entry(backward));
    expect_same(entry(forward), entry(parts[2]));
    // By the definition: each value in its bin of the final width, all of them there.
    const oq_tensor_stats *t = entry(forward);
    uint64_t counts[OQ_STATS_BINS] = {0};
    for (int s = 0; s < 12; s++)
        for (int i = 0; i < 64; i++) {
            const double bin = floor(ldexp((double)samples[s][i], -t->histogram.exponent));
            const int64_t at = (int64_t)bin - t->histogram.first;
            ck_assert(at >= 0 && at < OQ_STATS_BINS);
            counts[at]++;
        }
    ck_assert_mem_eq(counts, t->histogram.count, sizeof counts);
    ck_assert(oq_histogram_is_placed(&t->histogram, t->min, t->max));
    oq_stats_free(forward), oq_stats_free(backward);
    for (int i = 0; i < 3; i++) oq_stats_free(parts[i]);
}
END_TEST

START_TEST(counts_of_special_values) {
    oq_stats *stats = new_stats();
    oq_tensor_stats *t = entry(stats);
    add(t, (float[]){1, 0, -0.0F, -2}, 4, 4);
    add(t, (float[]){NAN, INFINITY, 5, -INFINITY}, 4, 9);
    add(t, (float[]){NAN}, 1, 7);
    ck_assert(t->count == 9 && t->zero == 2 && t->nan == 2 && t->infinite == 2);
    ck_assert(t->min == -2 && t->max == 5);
    ck_assert_uint_eq(t->first_bad_sample, 7);
    ck_assert(oq_exact_sum_get(&t->sum) == 4);
    ck_assert(oq_exact_sum_get(&t->sum_squares) == 30);
    oq_range range;
    const oq_grid grid = oq_grid_make(8, false, false);
    ck_assert_int_eq(oq_range_of(t, OQ_RANGE_MINMAX, 0, &grid, false, &range, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "sample 7"));
    ck_assert_str_eq(err.tensor, "t");
    oq_stats_free(stats);
}
END_TEST

START_TEST(channels) {
    oq_stats *stats = new_stats();
    oq_tensor_stats *t = entry(stats);
    t->axis = 1;
    // [2,3,2]
    const float x[] = {1, 2, 10, 20, -1, -2, 3, 4, 30, 40, -3, -4};
    oq_tensor tensor = test_tensor_f32(&mem, OQ_SHAPE(2, 3, 2), x);
    CK_OK(oq_stats_add(t, &mem, &tensor, 0, &err), &err);
    ck_assert_uint_eq(t->channels, 3);
    ck_assert_uint_eq(t->channel_count, 4);
    const float min[] = {1, 10, -4};
    const float max[] = {4, 40, -1};
    const double sum[] = {10, 100, -10};
    for (int c = 0; c < 3; c++) {
        ck_assert(t->channel_min[c] == min[c] && t->channel_max[c] == max[c]);
        ck_assert(oq_channel_sum_get(&t->channel_sum[c]) == sum[c]);
    }
    oq_stats *twice = new_stats();
    CK_OK(oq_stats_merge(twice, stats, &err), &err);
    CK_OK(oq_stats_merge(twice, stats, &err), &err);
    ck_assert(oq_channel_sum_get(&entry(twice)->channel_sum[1]) == 200);
    ck_assert_uint_eq(entry(twice)->channel_count, 8);
    oq_tensor_release(&tensor);
    tensor = test_tensor_f32(&mem, OQ_SHAPE(1, 2, 1), x);
    ck_assert_int_eq(oq_stats_add(t, &mem, &tensor, 1, &err), ONNXQ_BAD_DATA);
    oq_tensor_release(&tensor);
    oq_stats_free(stats), oq_stats_free(twice);
}
END_TEST

START_TEST(merging_needs_one_model) {
    oq_stats *a = new_stats();
    oq_stats *b = new_stats();
    a->model.low = 1, b->model.low = 2;
    a->data.high = UINT64_MAX, b->data.high = 3;
    a->samples = b->samples = 1;
    ck_assert_int_eq(oq_stats_merge(a, b, &err), ONNXQ_BAD_DATA);
    b->model = a->model;
    CK_OK(oq_stats_merge(a, b, &(oq_error){0}), &err);
    ck_assert(a->samples == 2 && a->data.high == 2); // sums modulo 2^64
    oq_stats_free(a), oq_stats_free(b);
}
END_TEST

// --- ranges ---

// 20000 nearly normal values, and one outlier.
static oq_stats *bell(float outlier) {
    oq_stats *stats = new_stats();
    uint64_t state = 5;
    static float x[20001];
    for (int i = 0; i < 20000; i++) {
        float sum = 0;
        for (int k = 0; k < 12; k++) sum += (float)(random_bits(&state) >> 8) * 0x1p-24F;
        x[i] = sum - 6;
    }
    x[20000] = outlier;
    add(entry(stats), x, 20001, 0);
    return stats;
}

static oq_range range_of(oq_stats *stats, oq_range_method method, double percentile, int bits,
                         bool symmetric) {
    const oq_grid grid = oq_grid_make(bits, symmetric, symmetric);
    oq_range range;
    oq_error_clear(&err);
    CK_OK(oq_range_of(entry(stats), method, percentile, &grid, symmetric, &range, &err), &err);
    ck_assert(range.min <= range.max);
    return range;
}

START_TEST(ranges_lie_inside_min_and_max) {
    static const oq_range_method methods[] = {OQ_RANGE_MINMAX, OQ_RANGE_PERCENTILE, OQ_RANGE_ENTROPY,
                                              OQ_RANGE_MSE, OQ_RANGE_AUTO};
    oq_stats *stats = bell(60);
    const oq_tensor_stats *t = entry(stats);
    for (int m = 0; m < 5; m++)
        for (int bits = 2; bits <= 16; bits += 2) {
            const oq_range r = range_of(stats, methods[m], 99.9, bits, false);
            ck_assert(r.min >= (double)t->min && r.max <= (double)t->max && r.min < r.max);
        }
    oq_stats_free(stats);
}
END_TEST

START_TEST(percentiles) {
    oq_stats *stats = bell(60);
    const oq_tensor_stats *t = entry(stats);
    oq_range r = range_of(stats, OQ_RANGE_PERCENTILE, 100, 8, false);
    ck_assert(r.min == (double)t->min && r.max == (double)t->max);
    r = range_of(stats, OQ_RANGE_PERCENTILE, 95, 8, false); // 2.5 % on each side: 1.96 deviations
    ck_assert(fabs(r.min + 1.96) < 0.06 && fabs(r.max - 1.96) < 0.06);
    double before = 0;
    for (double p = 10; p < 100; p += 7) { // wider with p
        r = range_of(stats, OQ_RANGE_PERCENTILE, p, 8, false);
        ck_assert(r.max - r.min >= before);
        before = r.max - r.min;
    }
    r = range_of(stats, OQ_RANGE_PERCENTILE, 0, 8, false);
    ck_assert(r.min < r.max); // never empty
    oq_stats_free(stats);
}
END_TEST

// The mean squared error that a range really gives on the values of the histogram's tensor.
static double real_error(oq_range r, int bits, float outlier) {
    const oq_grid grid = oq_grid_make(bits, false, false);
    oq_qparam p;
    CK_OK(oq_grid_asymmetric(&grid, r.min, r.max, "t", &p, &err), &err);
    uint64_t state = 5;
    double sum = 0;
    for (int i = 0; i <= 20000; i++) {
        float x = 0;
        for (int k = 0; k < 12 && i < 20000; k++) x += (float)(random_bits(&state) >> 8) * 0x1p-24F;
        x = i < 20000 ? x - 6 : outlier;
        const double off = (double)(x - oq_dequantize_one(p, oq_quantize_one(&grid, p, x)));
        sum += off * off;
    }
    return sum;
}

// Where no reader tells values below a bound apart, these do not widen the search's step: the range is the
// one of the values with that bound. A bound beyond all values changes nothing.
START_TEST(what_no_reader_tells_apart_costs_nothing) {
    const oq_grid grid = oq_grid_make(8, false, false);
    oq_stats *all = bell(20), *bounded = new_stats();
    oq_error_clear(&err);
    float x[20001];
    uint64_t state = 5;
    for (int i = 0; i < 20000; i++) {
        float sum = 0;
        for (int k = 0; k < 12; k++) sum += (float)(random_bits(&state) >> 8) * 0x1p-24F;
        x[i] = fmaxf(sum - 6, -.5F);
    }
    x[20000] = 20;
    add(entry(bounded), x, 20001, 0);
    for (int m = 0; m < 2; m++) {
        const oq_range_method method = m ? OQ_RANGE_AUTO : OQ_RANGE_MSE;
        const oq_range whole = range_of(all, method, 0, 8, false),
                       cut = range_of(bounded, method, 0, 8, false);
        oq_range r;
        CK_OK(
            oq_range_within(entry(all), method, 0, &grid, false, (oq_range){-.5, (double)INFINITY}, &r, &err),
            &err);
        ck_assert(fabs(r.min + .5) < .01 && fabs(r.max - cut.max) < .05 * cut.max);
        ck_assert(r.max >= whole.max && whole.min < -1);
        CK_OK(oq_range_within(entry(all), method, 0, &grid, false, (oq_range){-99, 99}, &r, &err), &err);
        ck_assert(r.min == whole.min && r.max == whole.max);
    }
    oq_stats_free(all);
    oq_stats_free(bounded);
}
END_TEST

START_TEST(mse_beats_minmax) {
    oq_stats *stats = bell(20);
    for (int bits = 2; bits <= 8; bits++) {
        const double chosen = real_error(range_of(stats, OQ_RANGE_MSE, 0, bits, false), bits, 20);
        const double full = real_error(range_of(stats, OQ_RANGE_MINMAX, 0, bits, false), bits, 20);
        ck_assert_msg(chosen <= full * 1.001, "%d bits: %g against %g", bits, chosen, full);
        if (bits <= 4) ck_assert(chosen < full * 0.5);
    }
    // More bits need less cutting.
    ck_assert(range_of(stats, OQ_RANGE_MSE, 0, 8, false).max >
              range_of(stats, OQ_RANGE_MSE, 0, 4, false).max);
    oq_stats_free(stats);
}
END_TEST

// Outliers go, but never a part of the distribution: there the whole range stays.
START_TEST(auto_cuts_outliers_alone) {
    oq_stats *stats = bell(60);
    const oq_range full = range_of(stats, OQ_RANGE_MINMAX, 0, 8, false);
    bool kept = false, went = false;
    for (int bits = 2; bits <= 8; bits++) {
        const oq_range r = range_of(stats, OQ_RANGE_AUTO, 0, bits, false);
        const oq_range cut = range_of(stats, OQ_RANGE_MSE, 0, bits, false);
        const bool is_full = r.min == full.min && r.max == full.max;
        ck_assert(is_full || (r.min == cut.min && r.max == cut.max));
        // Where a normal distribution is cut off at 2.5 deviations, 1.2 % of it is lost.
        if (cut.max < 2.5 && cut.min > -2.5) ck_assert(is_full);
        if (cut.max > 2.8 && cut.min < -2.8) ck_assert(!is_full);
        kept |= is_full;
        went |= r.max < full.max * 0.75;
    }
    ck_assert(kept && went);
    oq_stats_free(stats);
}
END_TEST

// A derived range has no values that could be cut.
START_TEST(without_histogram_all_methods_agree) {
    static const oq_range_method methods[] = {OQ_RANGE_MINMAX, OQ_RANGE_PERCENTILE, OQ_RANGE_ENTROPY,
                                              OQ_RANGE_MSE, OQ_RANGE_AUTO};
    oq_stats *stats = new_stats();
    entry(stats)->min = -3, entry(stats)->max = 5, entry(stats)->count = 100;
    for (int m = 0; m < 5; m++) {
        const oq_range r = range_of(stats, methods[m], 90, 8, false);
        ck_assert(r.min == -3 && r.max == 5);
    }
    oq_stats_free(stats);
}
END_TEST

START_TEST(entropy_cuts_outliers_and_keeps_the_bell) {
    oq_stats *stats = bell(60);
    const oq_range r = range_of(stats, OQ_RANGE_ENTROPY, 0, 8, false);
    ck_assert_msg(r.max < 30 && r.max > 2.5, "%g", r.max);
    ck_assert(r.min < -2.5);
    const oq_range s = range_of(stats, OQ_RANGE_ENTROPY, 0, 8, true);
    ck_assert(s.max < 30);
    oq_stats_free(stats);
}
END_TEST

START_TEST(ranges_of_odd_tensors) {
    static const oq_range_method methods[] = {OQ_RANGE_MINMAX, OQ_RANGE_PERCENTILE, OQ_RANGE_ENTROPY,
                                              OQ_RANGE_MSE, OQ_RANGE_AUTO};
    static const float tensors[][3] = {{0, 0, 0},
                                       {5, 5, 5},
                                       {-1, -1, -1},
                                       {FLT_MAX, -FLT_MAX, 0},
                                       {1e-45F, 0, -1e-45F},
                                       {0, 0, 1e30F},
                                       {1000, 1000.00006F, 1000}};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        oq_stats *stats = new_stats();
        add(entry(stats), tensors[i], 3, 0);
        uint64_t all = 0;
        for (int b = 0; b < OQ_STATS_BINS; b++) all += entry(stats)->histogram.count[b];
        ck_assert_uint_eq(all, 3);
        for (int m = 0; m < 5; m++)
            for (int symmetric = 0; symmetric < 2; symmetric++) {
                const oq_range r = range_of(stats, methods[m], 99.99, 8, symmetric);
                ck_assert(isfinite(r.min) && isfinite(r.max));
            }
        oq_stats_free(stats);
    }
    oq_stats *empty = new_stats();
    oq_range r;
    const oq_grid grid = oq_grid_make(8, false, false);
    ck_assert_int_eq(oq_range_of(entry(empty), OQ_RANGE_MINMAX, 0, &grid, false, &r, &err), ONNXQ_BAD_DATA);
    ck_assert_str_eq(err.tensor, "t");
    oq_stats_free(empty);
}
END_TEST

// --- the file ---

static char folder[512];
static char path[600];

static void begin_file(void) {
    oq_error_clear(&err);
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/stats.bin", folder);
}

static void end_file(void) {
    test_remove_folder(folder);
    ck_assert_uint_eq(mem.used, 0);
}

static oq_stats *sample_stats(void) {
    oq_stats *stats = bell(3);
    oq_tensor_stats *t = NULL;
    CK_OK(oq_stats_ensure(stats, "empty", &t, &err), &err);
    CK_OK(oq_stats_ensure(stats, "channels", &t, &err), &err);
    t->axis = 0, t->counts_levels = true;
    add(t, (float[]){1, -2, 3}, 3, 2);
    add(t, (float[]){NAN, 5, INFINITY}, 3, 3);
    stats->model = oq_hash_bytes("m", 1);
    stats->data = oq_hash_bytes("d", 1);
    stats->samples = 17;
    stats->synthetic = true;
    return stats;
}

START_TEST(saved_statistics_come_back) {
    oq_stats *stats = sample_stats();
    oq_stats *back = NULL;
    CK_OK(oq_stats_save(stats, path, &err), &err);
    CK_OK(oq_stats_load(&mem, path, &back, &err), &err);
    ck_assert(oq_hash_equal(back->model, stats->model) && oq_hash_equal(back->data, stats->data));
    ck_assert(back->samples == 17 && back->synthetic && back->count == 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(back->tensors[i]->name, stats->tensors[i]->name);
        expect_same(back->tensors[i], stats->tensors[i]);
        ck_assert_uint_eq(back->tensors[i]->first_bad_sample, stats->tensors[i]->first_bad_sample);
        ck_assert_int_eq(back->tensors[i]->axis, stats->tensors[i]->axis);
        ck_assert_uint_eq(back->tensors[i]->channels, stats->tensors[i]->channels);
    }
    ck_assert_mem_eq(back->tensors[2]->levels, stats->tensors[2]->levels, 3 * sizeof(oq_levels));
    ck_assert(back->tensors[2]->channel_max[1] == 5);
    oq_stats_free(stats), oq_stats_free(back);
}
END_TEST

// A changed byte is noticed by the checksum; with the checksum made good again, by what it says, or it is
// harmless: then merging and ranges must still be defined.
START_TEST(damaged_files_are_refused) {
    oq_stats *stats = sample_stats();
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_stats_save(stats, path, &err), &err);
    CK_OK(oq_file_read_all(&mem, path, &bytes, &count, &err), &err);
    const oq_grid grid = oq_grid_make(8, false, false);
    for (size_t i = 0; i < count; i += i < 400 || i + 700 > count ? 3 : 97) {
        for (int mended = 0; mended < 2; mended++) {
            const uint8_t old = bytes[i];
            bytes[i] ^= i % 2 ? 0x41 : 0x80;
            if (mended && i < count - 16) {
                const oq_hash hash = oq_hash_bytes(bytes, count - 16);
                memcpy(bytes + count - 16, &hash.high, 8);
                memcpy(bytes + count - 8, &hash.low, 8);
            }
            FILE *file = fopen(path, "wb");
            ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
            fclose(file);
            bytes[i] = old;
            oq_stats *back = NULL;
            const oq_status status = oq_stats_load(&mem, path, &back, NULL);
            ck_assert(mended || status == ONNXQ_BAD_DATA);
            if (status != ONNXQ_OK) continue;
            oq_range range;
            for (size_t k = 0; k < back->count; k++)
                (void)oq_range_of(back->tensors[k], OQ_RANGE_MSE, 0, &grid, false, &range, NULL);
            (void)oq_stats_merge(stats, back, NULL);
            oq_stats_free(back);
        }
        // Sound again for the next byte.
        const oq_hash hash = oq_hash_bytes(bytes, count - 16);
        memcpy(bytes + count - 16, &hash.high, 8);
        memcpy(bytes + count - 8, &hash.low, 8);
    }
    oq_mem_free(&mem, bytes);
    oq_stats_free(stats);
}
END_TEST

START_TEST(other_files_are_refused) {
    oq_stats *back = NULL;
    FILE *file = fopen(path, "wb");
    fputs("hello", file);
    fclose(file);
    ck_assert_int_eq(oq_stats_load(&mem, path, &back, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "no statistics file"));
    ck_assert_str_eq(err.file, path);
    remove(path);
    ck_assert_int_eq(oq_stats_load(&mem, path, &back, NULL), ONNXQ_IO);
}
END_TEST

START_TEST(survives_failing_allocations) {
    oq_stats *stats = sample_stats();
    const size_t before = mem.used;
    for (long long n = 1;; n++) {
        ck_assert_int_lt(n, 100);
        mem.fail_after = n;
        oq_stats *back = NULL;
        oq_status status = oq_stats_save(stats, path, NULL);
        if (status == ONNXQ_OK) status = oq_stats_load(&mem, path, &back, NULL);
        mem.fail_after = 0;
        oq_stats_free(back);
        ck_assert_uint_eq(mem.used, before);
        if (status == ONNXQ_OK) break;
    }
    oq_stats_free(stats);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stats");
    TCase *tensors = tcase_create("tensors");
    tcase_add_checked_fixture(tensors, begin, end);
    tcase_set_timeout(tensors, 60);
    tcase_add_loop_test(tensors, statistics_do_not_depend_on_the_order, 0, 24);
    tcase_add_test(tensors, counts_of_special_values);
    tcase_add_test(tensors, channels);
    tcase_add_test(tensors, merging_needs_one_model);
    tcase_add_test(tensors, ranges_lie_inside_min_and_max);
    tcase_add_test(tensors, percentiles);
    tcase_add_test(tensors, what_no_reader_tells_apart_costs_nothing);
    tcase_add_test(tensors, mse_beats_minmax);
    tcase_add_test(tensors, auto_cuts_outliers_alone);
    tcase_add_test(tensors, without_histogram_all_methods_agree);
    tcase_add_test(tensors, entropy_cuts_outliers_and_keeps_the_bell);
    tcase_add_test(tensors, ranges_of_odd_tensors);
    suite_add_tcase(suite, tensors);
    TCase *file = tcase_create("file");
    tcase_add_checked_fixture(file, begin_file, end_file);
    tcase_set_timeout(file, 60);
    tcase_add_test(file, saved_statistics_come_back);
    tcase_add_test(file, damaged_files_are_refused);
    tcase_add_test(file, other_files_are_refused);
    tcase_add_test(file, survives_failing_allocations);
    suite_add_tcase(suite, file);
    return test_main(suite);
}
