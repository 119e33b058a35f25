// The published worked examples (worked_examples.json beside this file): each comes out of the public
// functions of grid. Integers exact; scales 5e-5, mean squared errors 1 %, products 1e-6 relative.
#include "grid/grid.h"
#include "support/support.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define MOST 64 // elements of an example's tensor

static json_t *root;
static oq_error err;

typedef struct matrix {
    size_t rows, columns;
    float x[MOST];
} matrix;

static void begin(void) {
    json_error_t why;
    root = json_load_file(test_source_path("tests/grid/worked_examples.json"), 0, &why);
    ck_assert_msg(root != NULL, "%s", why.text);
}

static void end(void) { json_decref(root); }

// The entry at a path "a.b".
static json_t *entry(const char *path) {
    char name[64];
    json_t *at = root;
    while (*path) {
        const size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        at = json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    ck_assert_ptr_nonnull(at);
    return at;
}

static double number(const char *path) { return json_number_value(entry(path)); }

// A matrix (a vector is one row).
static matrix matrix_at(const char *path) {
    json_t *rows = entry(path);
    if (json_is_string(rows)) return matrix_at(json_string_value(rows));
    const bool vector = !json_is_array(json_array_get(rows, 0));
    matrix m = {.rows = vector ? 1 : json_array_size(rows)};
    m.columns = json_array_size(vector ? rows : json_array_get(rows, 0));
    ck_assert_uint_le(m.rows * m.columns, MOST);
    for (size_t i = 0; i < m.rows * m.columns; i++) {
        json_t *row = vector ? rows : json_array_get(rows, i / m.columns);
        m.x[i] = (float)json_number_value(json_array_get(row, i % m.columns));
    }
    return m;
}

static void expect_near(double value, double wanted, double relative) {
    ck_assert_msg(fabs(value - wanted) <= relative * fabs(wanted), "%.9g, wanted %.9g", value, wanted);
}

static void expect_integers(const int32_t *q, const char *path) {
    const matrix wanted = matrix_at(path);
    for (size_t i = 0; i < wanted.rows * wanted.columns; i++) ck_assert_int_eq(q[i], (int32_t)wanted.x[i]);
}

static double mean_squared_error(const matrix *m, const float *back) {
    double sum = 0;
    for (size_t i = 0; i < m->rows * m->columns; i++)
        sum += ((double)m->x[i] - (double)back[i]) * ((double)m->x[i] - (double)back[i]);
    return sum / (double)(m->rows * m->columns);
}

static double absmax(const float *x, size_t count, size_t stride) {
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)x[i * stride]));
    return most;
}

static void bounds(const matrix *m, double *min, double *max) {
    *min = *max = (double)m->x[0];
    for (size_t i = 0; i < m->rows * m->columns; i++) {
        *min = fmin(*min, (double)m->x[i]);
        *max = fmax(*max, (double)m->x[i]);
    }
}

static oq_qparam symmetric(const oq_grid *grid, double most) {
    oq_qparam p;
    CK_OK(oq_grid_symmetric(grid, most, "example", &p, &err), &err);
    return p;
}

// Quantized symmetric along one axis: the slices share a scale. q and dequantized values in place.
static void per_slice(const oq_grid *grid, const matrix *m, size_t slices, size_t step, size_t length,
                      size_t stride, oq_qparam *p, int32_t *q, float *back) {
    for (size_t s = 0; s < slices; s++) {
        p[s] = symmetric(grid, absmax(m->x + s * step, length, stride));
        for (size_t i = 0; i < length; i++) {
            const size_t at = s * step + i * stride;
            q[at] = oq_quantize_one(grid, p[s], m->x[at]);
            back[at] = oq_dequantize_one(p[s], q[at]);
        }
    }
}

START_TEST(given_scale_and_zero_point) {
    const matrix m = matrix_at("given_scale_zero_point.tensor");
    const oq_grid grid = oq_grid_make(8, true, false);
    const oq_qparam p = {.scale = (float)number("given_scale_zero_point.scale"),
                         .zero_point = (int32_t)number("given_scale_zero_point.zero_point")};
    int32_t q[MOST];
    float back[MOST];
    oq_quantize(&grid, p, m.x, q, m.rows * m.columns);
    oq_dequantize(p, q, back, m.rows * m.columns);
    expect_integers(q, "given_scale_zero_point.q");
    const matrix wanted = matrix_at("given_scale_zero_point.dequantized");
    for (size_t i = 0; i < m.rows * m.columns; i++) expect_near((double)back[i], (double)wanted.x[i], 1e-6);
    expect_near(mean_squared_error(&m, back), number("given_scale_zero_point.mse"), 0.01);
}
END_TEST

static void expect_asymmetric(const char *name, bool with_q) {
    char path[64];
    snprintf(path, sizeof path, "%s.tensor", name);
    const matrix m = matrix_at(path);
    const oq_grid grid = oq_grid_make(8, true, false);
    double min;
    double max;
    bounds(&m, &min, &max);
    oq_qparam p;
    CK_OK(oq_grid_asymmetric(&grid, min, max, name, &p, &err), &err);
    snprintf(path, sizeof path, "%s.scale", name);
    expect_near((double)p.scale, number(path), 5e-5);
    snprintf(path, sizeof path, "%s.zero_point", name);
    ck_assert_int_eq(p.zero_point, (int32_t)number(path));
    int32_t q[MOST];
    float back[MOST];
    oq_quantize(&grid, p, m.x, q, m.rows * m.columns);
    oq_dequantize(p, q, back, m.rows * m.columns);
    snprintf(path, sizeof path, "%s.mse", name);
    expect_near(mean_squared_error(&m, back), number(path), 0.01);
    snprintf(path, sizeof path, "%s.q", name);
    if (with_q) expect_integers(q, path);
}

START_TEST(asymmetric) {
    expect_asymmetric("asymmetric_int8", false);
    expect_asymmetric("asymmetric_int8_4x4", true);
}
END_TEST

START_TEST(symmetric_4x4) {
    const matrix m = matrix_at("symmetric_int8_4x4.tensor");
    const oq_grid grid = oq_grid_make(8, true, true);
    oq_qparam p;
    int32_t q[MOST];
    float back[MOST];
    per_slice(&grid, &m, 1, 0, 16, 1, &p, q, back);
    expect_near((double)p.scale, number("symmetric_int8_4x4.scale"), 5e-5);
    expect_near(mean_squared_error(&m, back), number("symmetric_int8_4x4.mse"), 0.01);
}
END_TEST

START_TEST(symmetric_per_channel) {
    const matrix m = matrix_at("symmetric_int8_per_channel.tensor");
    const oq_grid grid = oq_grid_make(8, true, true);
    oq_qparam p[MOST];
    int32_t q[MOST];
    float back[MOST];
    per_slice(&grid, &m, m.rows, m.columns, m.columns, 1, p, q, back);
    const matrix scales = matrix_at("symmetric_int8_per_channel.axis0.scale");
    for (size_t i = 0; i < m.rows; i++) expect_near((double)p[i].scale, (double)scales.x[i], 5e-5);
    expect_integers(q, "symmetric_int8_per_channel.axis0.q");
    expect_near(mean_squared_error(&m, back), number("symmetric_int8_per_channel.axis0.mse"), 0.01);
    per_slice(&grid, &m, m.columns, 1, m.rows, m.columns, p, q, back);
    expect_near(mean_squared_error(&m, back), number("symmetric_int8_per_channel.axis1.mse"), 0.01);
}
END_TEST

START_TEST(embedding_rows) {
    const matrix m = matrix_at("embedding_rows_uint8_b128.matrix");
    const oq_grid grid = oq_grid_make(8, false, false);
    oq_qparam p[MOST];
    int32_t q[MOST];
    float back[MOST];
    per_slice(&grid, &m, m.rows, m.columns, m.columns, 1, p, q, back);
    const matrix scales = matrix_at("embedding_rows_uint8_b128.scale");
    const matrix wanted = matrix_at("embedding_rows_uint8_b128.dequantized");
    for (size_t i = 0; i < m.rows; i++) {
        ck_assert_int_eq(p[i].zero_point, (int32_t)number("embedding_rows_uint8_b128.zero_point"));
        expect_near((double)p[i].scale, (double)scales.x[i], 5e-5);
    }
    expect_integers(q, "embedding_rows_uint8_b128.q");
    for (size_t i = 0; i < m.rows * m.columns; i++) expect_near((double)back[i], (double)wanted.x[i], 1e-6);
}
END_TEST

START_TEST(weight_only_linear) {
    const matrix x = matrix_at("weight_only_int8_linear.input");
    const matrix w = matrix_at("weight_only_int8_linear.weight");
    const matrix wanted = matrix_at("weight_only_int8_linear.output");
    const oq_grid grid = oq_grid_make(8, true, true);
    oq_qparam p;
    int32_t q[MOST];
    float back[MOST];
    per_slice(&grid, &w, 1, 0, 9, 1, &p, q, back);
    expect_near((double)p.scale, number("weight_only_int8_linear.scale"), 5e-5);
    expect_integers(q, "weight_only_int8_linear.q");
    for (size_t row = 0; row < 3; row++) {
        double sum = 0;
        for (size_t k = 0; k < 3; k++) sum += (double)x.x[k] * (double)back[row * 3 + k];
        // Printed with four decimals.
        ck_assert_msg(fabs(sum - (double)wanted.x[row]) <= 5.1e-5, "%.9g", sum);
    }
}
END_TEST

// The dot product at one width: integer product, dequantized by both scales.
static double dot_at(int bits, bool check) {
    const matrix a = matrix_at("bits_sweep_dot.activation");
    const matrix w = matrix_at("bits_sweep_dot.weight");
    const oq_grid grid = oq_grid_make(bits, true, true);
    const oq_qparam p = symmetric(&grid, number("bits_sweep_dot.shared_range_absmax"));
    int32_t qa[MOST];
    int32_t qw[MOST];
    oq_quantize(&grid, p, a.x, qa, a.columns);
    oq_quantize(&grid, p, w.x, qw, w.columns);
    int64_t sum = 0;
    for (size_t i = 0; i < a.columns; i++) sum += (int64_t)qa[i] * qw[i];
    if (check) {
        expect_near(1 / (double)p.scale, number("bits_sweep_dot.16.scale_factor"), 5e-5);
        expect_integers(qa, "bits_sweep_dot.16.q_activation");
        expect_integers(qw, "bits_sweep_dot.16.q_weight");
    }
    return (double)sum * (double)p.scale * (double)p.scale;
}

START_TEST(bits_sweep) {
    expect_near(dot_at(16, true), number("bits_sweep_dot.16.dequantized_product"), 1e-6);
    // The error rises as the width shrinks, in the mean over neighbouring widths.
    const double exact = number("bits_sweep_dot.exact");
    const double wide = (fabs(dot_at(16, false) - exact) + fabs(dot_at(15, false) - exact)) / 2;
    const double middle = (fabs(dot_at(8, false) - exact) + fabs(dot_at(7, false) - exact)) / 2;
    const double small = (fabs(dot_at(3, false) - exact) + fabs(dot_at(2, false) - exact)) / 2;
    ck_assert(wide < middle && middle < small);
}
END_TEST

// The error of random data falls with every bit, by a factor near 4.
START_TEST(more_bits_less_error) {
    double before = INFINITY;
    for (int bits = 2; bits <= 14; bits++) {
        const oq_grid grid = oq_grid_make(bits, true, true);
        const oq_qparam p = symmetric(&grid, 1);
        uint32_t state = 11;
        double sum = 0;
        for (int i = 0; i < 4000; i++) {
            state = state * 1664525 + 1013904223;
            const float x = (float)(state >> 8) / 8388608.0F - 1;
            const double off = (double)(x - oq_dequantize_one(p, oq_quantize_one(&grid, p, x)));
            sum += off * off;
        }
        ck_assert(sum < before * 0.5);
        before = sum;
    }
}
END_TEST

// Groups of 3 along a row of a 6x6 uniform [0,1) tensor: a mean squared error near 2.2e-6 (over many draws).
START_TEST(groups) {
    const oq_grid grid = oq_grid_make(8, true, true);
    uint32_t state = 5;
    double sum = 0;
    const int draws = 200;
    for (int draw = 0; draw < draws; draw++) {
        matrix m = {.rows = 6, .columns = 6};
        for (int i = 0; i < 36; i++) {
            state = state * 1664525 + 1013904223;
            m.x[i] = (float)(state >> 8) / 16777216.0F;
        }
        oq_qparam p[MOST];
        int32_t q[MOST];
        float back[MOST];
        per_slice(&grid, &m, 12, 3, 3, 1, p, q, back);
        sum += mean_squared_error(&m, back);
    }
    ck_assert_msg(sum / draws > 1.5e-6 && sum / draws < 3.5e-6, "%g", sum / draws);
}
END_TEST

START_TEST(positive_only) {
    const matrix m = matrix_at("positive_only_tensor.tensor");
    const oq_grid grid = oq_grid_make(8, true, false);
    double min;
    double max;
    bounds(&m, &min, &max);
    oq_qparam p;
    CK_OK(oq_grid_asymmetric(&grid, min, max, "positive", &p, &err), &err);
    expect_near((double)p.scale, number("positive_only_tensor.int8.scale"), 5e-5);
    ck_assert_int_eq(p.zero_point, (int32_t)number("positive_only_tensor.int8.zero_point"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("grid worked examples");
    TCase *tcase = tcase_create("examples");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, given_scale_and_zero_point);
    tcase_add_test(tcase, asymmetric);
    tcase_add_test(tcase, symmetric_4x4);
    tcase_add_test(tcase, symmetric_per_channel);
    tcase_add_test(tcase, embedding_rows);
    tcase_add_test(tcase, weight_only_linear);
    tcase_add_test(tcase, bits_sweep);
    tcase_add_test(tcase, more_bits_less_error);
    tcase_add_test(tcase, groups);
    tcase_add_test(tcase, positive_only);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
