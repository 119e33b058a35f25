// Tests of granularity: every layout against a plain oracle that computes the parameter of each element from
// its indices; laws of the choice of ranges.
#include "grid/layout.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static oq_error err;
static oq_mem mem;

enum { MOST = 4096 };

static float normal(uint32_t *state) { // the sum of uniform numbers is near enough
    float sum = 0;
    for (int i = 0; i < 6; i++) {
        *state = *state * 1664525 + 1013904223;
        sum += (float)(*state >> 8) / 16777216.0F - 0.5F;
    }
    return sum;
}

static void fill(float *x, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) x[i] = normal(&seed);
}

// The parameter of an element of a row-major tensor, from the meaning of the granularity in the standard.
static size_t oracle_param(const oq_shape *shape, const oq_granularity *g, const oq_shape *params,
                           size_t index) {
    if (g->kind == OQ_PER_TENSOR) return 0;
    int64_t at[OQ_MAX_RANK];
    for (int d = shape->rank - 1; d >= 0; d--) {
        at[d] = (int64_t)index % shape->dim[d];
        index /= (size_t)shape->dim[d];
    }
    const int axis = g->axis < 0 ? g->axis + shape->rank : g->axis;
    if (g->kind == OQ_PER_CHANNEL) return (size_t)at[axis];
    at[axis] /= g->group_size;
    size_t param = 0;
    for (int d = 0; d < shape->rank; d++) param = param * (size_t)params->dim[d] + (size_t)at[d];
    return param;
}

static void check_against_oracle(oq_shape shape, oq_granularity g, int bits, bool is_signed, bool symmetric) {
    static float x[MOST], back[MOST], own[MOST];
    static int32_t q[MOST];
    const size_t count = (size_t)oq_shape_count(&shape);
    const oq_grid grid = oq_grid_make(bits, is_signed, symmetric);
    oq_layout layout;
    oq_shape scales;
    oq_qparam params[MOST];
    fill(x, count, (uint32_t)(bits + shape.rank));
    CK_OK(oq_layout_make(&shape, &g, &layout, &scales, &err), &err);
    ck_assert_uint_eq(oq_layout_params(&layout), (size_t)oq_shape_count(&scales));
    const oq_fit fit = {.symmetric = symmetric};
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", params, &err), &err);
    oq_layout_quantize(&layout, &grid, params, x, ONNXQ_INT32, q);
    oq_layout_dequantize(&layout, params, ONNXQ_INT32, q, back);
    for (size_t p = 0; p < oq_layout_params(&layout); p++) {
        double min = 0, max = 0;
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (oracle_param(&shape, &g, &scales, i) != p) continue;
            min = fmin(min, (double)x[i]), max = fmax(max, (double)x[i]);
            own[n++] = x[i];
        }
        static float gathered[MOST];
        ck_assert_uint_eq(oq_layout_gather(&layout, p, x, gathered), n);
        ck_assert(n <= oq_layout_block_size(&layout) && !memcmp(own, gathered, n * sizeof *own));
        oq_qparam want;
        CK_OK(symmetric ? oq_grid_symmetric(&grid, fmax(-min, max), "x", &want, &err)
                        : oq_grid_asymmetric(&grid, min, max, "x", &want, &err),
              &err);
        ck_assert(params[p].scale == want.scale && params[p].zero_point == want.zero_point);
        for (size_t i = 0; i < count; i++) {
            if (oracle_param(&shape, &g, &scales, i) != p) continue;
            ck_assert_int_eq(q[i], oq_quantize_one(&grid, want, x[i]));
            ck_assert(back[i] == oq_dequantize_one(want, q[i]));
        }
    }
}

START_TEST(every_granularity) {
    const oq_shape shapes[] = {OQ_SHAPE(7),      OQ_SHAPE(600),        OQ_SHAPE(5, 8),
                               OQ_SHAPE(3, 300), OQ_SHAPE(300, 3),     OQ_SHAPE(2, 3, 5),
                               OQ_SHAPE(4, 1),   OQ_SHAPE(4, 6, 3, 2), OQ_SHAPE(1, 1, 1)};
    const int bits = (const int[]){4, 3, 8, 16}[_i];
    const bool is_signed = _i % 2, symmetric = _i / 2;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const oq_shape shape = shapes[s];
        check_against_oracle(shape, (oq_granularity){.kind = OQ_PER_TENSOR}, bits, is_signed, symmetric);
        for (int axis = -shape.rank; axis < shape.rank; axis++) {
            check_against_oracle(shape, (oq_granularity){OQ_PER_CHANNEL, axis, 0}, bits, is_signed,
                                 symmetric);
            const int64_t sizes[] = {1, 2, 3, 4, 32, 1000}; // most leave a remainder
            for (size_t g = 0; g < sizeof sizes / sizeof sizes[0]; g++)
                check_against_oracle(shape, (oq_granularity){OQ_PER_GROUP, axis, sizes[g]}, bits, is_signed,
                                     symmetric);
        }
    }
    const oq_shape scalar = {0};
    check_against_oracle(scalar, (oq_granularity){.kind = OQ_PER_TENSOR}, bits, is_signed, symmetric);
}
END_TEST

// [K, N] read from an array [N, K] gives what the transposed array gives; so do blocks of one column.
START_TEST(transposed_floats) {
    enum { K = 70, N = 9 };
    static float x[K * N], xt[K * N];
    fill(x, K * N, 3);
    for (size_t k = 0; k < K; k++)
        for (size_t n = 0; n < N; n++) xt[n * K + k] = x[k * N + n];
    const size_t blocks[][3] = {{1, K, N}, {1, K, 1}, {1, 32, 1}, {1, 1, N}, {1, 4, 2}};
    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
        oq_layout plain = {.size = {1, K, N}, .step = {K * N, N, 1}};
        memcpy(plain.block, blocks[b], sizeof plain.block);
        oq_layout turned = plain;
        turned.step[1] = 1, turned.step[2] = K;
        const oq_grid grid = oq_grid_make(8, true, true);
        const oq_fit fit = {.symmetric = true};
        oq_qparam a[K * N], c[K * N];
        int8_t qa[K * N], qc[K * N];
        CK_OK(oq_layout_fit(&mem, &plain, &grid, &fit, x, "x", a, &err), &err);
        CK_OK(oq_layout_fit(&mem, &turned, &grid, &fit, xt, "x", c, &err), &err);
        for (size_t p = 0; p < oq_layout_params(&plain); p++) ck_assert(a[p].scale == c[p].scale);
        memset(qa, 1, sizeof qa), memset(qc, 2, sizeof qc);
        oq_layout_quantize(&plain, &grid, a, x, ONNXQ_INT8, qa);
        oq_layout_quantize(&turned, &grid, c, xt, ONNXQ_INT8, qc);
        ck_assert(!memcmp(qa, qc, sizeof qa));
    }
}
END_TEST

// A stack of matrices with one parameter a column of each.
START_TEST(stacks_of_columns) {
    const oq_layout layout = {.size = {2, 3, 2}, .block = {1, 3, 1}, .step = {6, 2, 1}};
    const float x[12] = {1, -20, 3, 4, -5, 6, 70, 8, 9, -100, 11, 12};
    const oq_grid grid = oq_grid_make(8, true, true);
    const oq_fit fit = {.symmetric = true};
    oq_qparam params[4];
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", params, &err), &err);
    const float most[] = {5, 20, 70, 100};
    for (int p = 0; p < 4; p++) ck_assert(params[p].scale == (float)((double)most[p] / 127));
}
END_TEST

// The carrier changes how integers are stored and nothing else.
START_TEST(carriers) {
    static float x[300], back[300], wanted[300];
    static int32_t q[300];
    fill(x, 300, 9);
    const oq_shape shape = OQ_SHAPE(20, 15);
    const oq_granularity g = {OQ_PER_GROUP, 1, 4};
    for (int bits = 2; bits <= 16; bits++) {
        const oq_grid grid = oq_grid_make(bits, bits % 3 != 0, false);
        const oq_dtype carrier = oq_grid_carrier(&grid, true);
        oq_layout layout;
        oq_qparam params[20 * 4];
        int64_t loaded[300];
        unsigned char held[600];
        CK_OK(oq_layout_make(&shape, &g, &layout, NULL, &err), &err);
        CK_OK(oq_layout_fit(&mem, &layout, &grid, &(oq_fit){0}, x, "x", params, &err), &err);
        oq_layout_quantize(&layout, &grid, params, x, ONNXQ_INT32, q);
        oq_layout_quantize(&layout, &grid, params, x, carrier, held);
        oq_load_i64(carrier, held, loaded, 300);
        for (int i = 0; i < 300; i++) ck_assert_int_eq(loaded[i], q[i]);
        oq_layout_dequantize(&layout, params, ONNXQ_INT32, q, wanted);
        oq_layout_dequantize(&layout, params, carrier, held, back);
        ck_assert(!memcmp(back, wanted, sizeof back));
    }
}
END_TEST

static double error_with(const oq_layout *layout, const oq_grid *grid, const oq_qparam *params,
                         const float *x, size_t count, double exponent) {
    static int32_t q[MOST];
    static float back[MOST];
    oq_layout_quantize(layout, grid, params, x, ONNXQ_INT32, q);
    oq_layout_dequantize(layout, params, ONNXQ_INT32, q, back);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += pow(fabs((double)x[i] - (double)back[i]), exponent);
    return sum;
}

// The search finds the candidate that a plain one over range * (1 - i / 100) finds, up to the precision of
// its powers.
START_TEST(search_is_the_best_of_the_grid) {
    static float x[MOST];
    fill(x, MOST, (uint32_t)_i + 1);
    x[7] = 4; // an outlier worth cutting
    const int bits = 2 + _i % 7;
    const bool symmetric = _i % 2;
    const double exponent = _i % 3 ? 2.4 : 2;
    const oq_shape shape = OQ_SHAPE(MOST);
    const oq_grid grid = oq_grid_make(bits, symmetric, symmetric);
    oq_layout layout;
    oq_qparam found, whole, candidate;
    CK_OK(oq_layout_make(&shape, &(oq_granularity){0}, &layout, NULL, &err), &err);
    const oq_fit fit = {.symmetric = symmetric, .exponent = exponent};
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", &found, &err), &err);
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &(oq_fit){.symmetric = symmetric}, x, "x", &whole, &err), &err);
    double min = 0, max = 0, best = INFINITY;
    for (size_t i = 0; i < MOST; i++) min = fmin(min, (double)x[i]), max = fmax(max, (double)x[i]);
    for (int i = 0; i < 80; i++) {
        const double keep = 1 - i / 100.;
        CK_OK(symmetric ? oq_grid_symmetric(&grid, fmax(-min, max) * keep, "x", &candidate, &err)
                        : oq_grid_asymmetric(&grid, min * keep, max * keep, "x", &candidate, &err),
              &err);
        best = fmin(best, error_with(&layout, &grid, &candidate, x, MOST, exponent));
    }
    const double own = error_with(&layout, &grid, &found, x, MOST, exponent);
    ck_assert_msg(own <= best * 1.0001, "%g, the best is %g", own, best);
    if (bits < 6) ck_assert(own < 0.9 * error_with(&layout, &grid, &whole, x, MOST, exponent));
}
END_TEST

// Multiplying everything by a power of two multiplies the scales and leaves the integers.
START_TEST(search_scales_with_the_data) {
    static float x[MOST], y[MOST];
    fill(x, MOST, 5);
    for (int power = -100; power <= 100; power += 50) {
        for (size_t i = 0; i < MOST; i++) y[i] = ldexpf(x[i], power);
        const oq_shape shape = OQ_SHAPE(64, 64);
        const oq_grid grid = oq_grid_make(4, true, false);
        const oq_fit fit = {.symmetric = true, .exponent = 2.4};
        oq_layout layout;
        oq_qparam a[64], b[64];
        CK_OK(oq_layout_make(&shape, &(oq_granularity){OQ_PER_CHANNEL, 0, 0}, &layout, NULL, &err), &err);
        CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", a, &err), &err);
        CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, y, "y", b, &err), &err);
        for (int p = 0; p < 64; p++) ck_assert(b[p].scale == ldexpf(a[p].scale, power));
    }
}
END_TEST

// The half-quadratic search lowers the error of some blocks and raises that of none.
START_TEST(half_quadratic_never_loses) {
    static float x[MOST];
    const int bits = 2 + _i / 2;
    const bool symmetric = _i % 2;
    const oq_shape shape = OQ_SHAPE(MOST / 32, 32), block = OQ_SHAPE(32);
    const oq_grid grid = oq_grid_make(bits, true, false);
    const oq_fit plain = {.symmetric = symmetric, .exponent = 2.4},
                 fit = {.symmetric = symmetric, .exponent = 2.4, .half_quadratic = true};
    oq_layout layout, one;
    oq_qparam a[MOST / 32], b[MOST / 32];
    int better = 0;
    fill(x, MOST, (uint32_t)_i + 11);
    for (size_t i = 0; i < MOST; i += 37) x[i] *= 3; // some stand out
    CK_OK(oq_layout_make(&shape, &(oq_granularity){OQ_PER_CHANNEL, 0, 0}, &layout, NULL, &err), &err);
    CK_OK(oq_layout_make(&block, &(oq_granularity){0}, &one, NULL, &err), &err);
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &plain, x, "x", a, &err), &err);
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", b, &err), &err);
    for (int p = 0; p < MOST / 32; p++) {
        const double before = error_with(&one, &grid, &a[p], x + 32 * p, 32, 2.4),
                     after = error_with(&one, &grid, &b[p], x + 32 * p, 32, 2.4);
        ck_assert(after <= before * 1.0001);
        better += after < before * 0.9999;
        ck_assert(!symmetric || b[p].zero_point == 0);
        ck_assert(b[p].zero_point >= grid.qmin && b[p].zero_point <= grid.qmax);
    }
    ck_assert_msg(better >= (bits == 2 && !symmetric ? 8 : 1), "%d blocks", better);
}
END_TEST

START_TEST(degenerate_blocks) {
    const oq_shape shape = OQ_SHAPE(3, 2);
    const float x[6] = {0, 0, -1e-42F, 1e-42F, 2, 2};
    const oq_grid grid = oq_grid_make(8, true, true);
    oq_layout layout;
    oq_qparam params[3];
    CK_OK(oq_layout_make(&shape, &(oq_granularity){OQ_PER_CHANNEL, 0, 0}, &layout, NULL, &err), &err);
    const oq_fit fit = {.symmetric = true, .exponent = 2.4, .half_quadratic = true};
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", params, &err), &err);
    ck_assert(params[0].scale == 1 && params[1].scale == 1);
    ck_assert_int_eq(oq_quantize_one(&grid, params[2], 2), 127);
    const oq_shape empty = OQ_SHAPE(4, 0);
    CK_OK(oq_layout_make(&empty, &(oq_granularity){0}, &layout, NULL, &err), &err);
    CK_OK(oq_layout_fit(&mem, &layout, &grid, &fit, x, "x", params, &err), &err);
    ck_assert(params[0].scale == 1 && oq_layout_params(&layout) == 1);
}
END_TEST

START_TEST(bad_elements_and_options) {
    float x[12] = {0};
    const oq_shape shape = OQ_SHAPE(3, 4);
    const oq_grid grid = oq_grid_make(8, true, true);
    oq_layout layout;
    oq_qparam params[12];
    size_t index;
    CK_OK(oq_layout_make(&shape, &(oq_granularity){OQ_PER_GROUP, 0, 2}, &layout, NULL, &err), &err);
    ck_assert(!oq_layout_find_bad(&layout, x, &index));
    x[9] = NAN, x[6] = -INFINITY;
    ck_assert(oq_layout_find_bad(&layout, x, &index) && index == 6);
    for (int symmetric = 0; symmetric < 2; symmetric++) {
        oq_error_clear(&err);
        const oq_fit fit = {.symmetric = symmetric, .exponent = 2};
        ck_assert_int_eq(oq_layout_fit(&mem, &layout, &grid, &fit, x, "w_3", params, &err), ONNXQ_BAD_DATA);
        ck_assert_str_eq(err.tensor, "w_3");
    }
    const oq_granularity bad[] = {
        {OQ_PER_CHANNEL, 2, 0}, {OQ_PER_CHANNEL, -3, 0}, {OQ_PER_GROUP, 2, 4}, {OQ_PER_GROUP, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(oq_layout_make(&shape, &bad[i], &layout, NULL, NULL), ONNXQ_USAGE);
    oq_mem poor = {.budget = 16};
    CK_OK(oq_layout_make(&shape, &(oq_granularity){0}, &layout, NULL, &err), &err);
    ck_assert_int_eq(oq_layout_fit(&poor, &layout, &grid, &(oq_fit){0}, x, "x", params, NULL),
                     ONNXQ_NO_MEMORY);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("granularity");
    TCase *tcase = tcase_create("layout");
    tcase_add_loop_test(tcase, every_granularity, 0, 4);
    tcase_add_test(tcase, transposed_floats);
    tcase_add_test(tcase, stacks_of_columns);
    tcase_add_test(tcase, carriers);
    tcase_add_loop_test(tcase, search_is_the_best_of_the_grid, 0, 14);
    tcase_add_test(tcase, search_scales_with_the_data);
    tcase_add_loop_test(tcase, half_quadratic_never_loses, 0, 6);
    tcase_add_test(tcase, degenerate_blocks);
    tcase_add_test(tcase, bad_elements_and_options);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
