// The published worked examples (worked_examples.json beside this file): each comes out of the public
// functions of the library and out of the command. Integers exact; scales 5e-5, mean squared errors 1 %,
// products 1e-6 relative.
#include "grid/grid.h"
#include "support/op_context.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64 // elements of an example's tensor

static json_t *root;
static oq_error err;

typedef struct matrix {
    size_t rows, columns;
    float x[MOST];
} matrix;

// What quantizing a matrix gave.
typedef struct result {
    size_t params;
    float scale[MOST];
    int32_t zero[MOST], q[MOST];
    float back[MOST];
    double mse;
} result;

static void begin(void) {
    json_error_t why;
    root = json_load_file(test_source_path("tests/grid/worked_examples.json"), 0, &why);
    ck_assert_msg(root != NULL, "%s", why.text);
}

static void end(void) { json_decref(root); }

// --- the two ways to a result ---

static result by_library(const matrix *m, const onnxq_tensor_options *options) {
    onnxq_session *session;
    onnxq_tensor *tensor;
    result r;
    CK_OK(onnxq_session_new(NULL, &session, &err), &err);
    const int64_t shape[] = {(int64_t)m->rows, (int64_t)m->columns};
    CK_OK(onnxq_tensor_quantize(session, "example", m->x, shape, 2, options, &tensor, &err), &err);
    const onnxq_tensor_view view = onnxq_tensor_get(tensor);
    ck_assert_uint_eq(view.count, m->rows * m->columns);
    r.params = view.parameters;
    r.mse = view.mse;
    memcpy(r.scale, view.scale, r.params * sizeof *r.scale);
    memcpy(r.zero, view.zero_point, r.params * sizeof *r.zero);
    memcpy(r.q, view.integers, view.count * sizeof *r.q);
    memcpy(r.back, view.dequantized, view.count * sizeof *r.back);
    onnxq_tensor_free(tensor);
    onnxq_session_free(session);
    return r;
}

static void write_npy(const char *path, const matrix *m) {
    char header[128];
    const int length =
        snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }\n",
                 m->rows, m->columns);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fwrite("\x93NUMPY\1\0", 1, 8, file);
    fputc(length, file);
    fputc(0, file);
    fwrite(header, 1, (size_t)length, file);
    fwrite(m->x, sizeof *m->x, m->rows * m->columns, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void command_line(const onnxq_tensor_options *o, const char *path, char *line, size_t size) {
    const char *build = getenv("ONNXQ_BUILD");
    int at = snprintf(line, size, "'%s/onnxq' tensor '%s' --json --bits %d%s%s", build ? build : ".", path,
                      o->bits, o->symmetric ? " --symmetric" : "", o->is_unsigned ? " --unsigned" : "");
    if (o->granularity != ONNXQ_PER_TENSOR)
        at += snprintf(line + at, size - (size_t)at, " --axis %d", o->axis);
    if (o->granularity == ONNXQ_PER_GROUP)
        at += snprintf(line + at, size - (size_t)at, " --group-size %d", (int)o->group_size);
    if (o->scale != 0)
        snprintf(line + at, size - (size_t)at, " --scale %.17g --zero-point %d", o->scale, o->zero_point);
}

static result by_command(const matrix *m, const onnxq_tensor_options *options) {
    char folder[256], path[300], line[1024];
    json_error_t why;
    result r;
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/t.npy", folder);
    write_npy(path, m);
    command_line(options, path, line, sizeof line);
    FILE *output = popen(line, "r");
    ck_assert_ptr_nonnull(output);
    json_t *json = json_loadf(output, 0, &why);
    ck_assert_int_eq(pclose(output), 0);
    ck_assert_msg(json != NULL, "%s: %s", line, why.text);
    const json_t *scale = json_object_get(json, "scale"), *q = json_object_get(json, "integers");
    r.params = json_array_size(scale);
    r.mse = json_number_value(json_object_get(json, "mse"));
    for (size_t p = 0; p < r.params; p++) {
        r.scale[p] = (float)json_number_value(json_array_get(scale, p));
        r.zero[p] = (int32_t)json_integer_value(json_array_get(json_object_get(json, "zero_point"), p));
    }
    ck_assert_uint_eq(json_array_size(q), m->rows * m->columns);
    for (size_t i = 0; i < m->rows * m->columns; i++) {
        r.q[i] = (int32_t)json_integer_value(json_array_get(q, i));
        r.back[i] = (float)json_number_value(json_array_get(json_object_get(json, "dequantized"), i));
    }
    json_decref(json);
    test_remove_folder(folder);
    return r;
}

enum { LIBRARY, COMMAND, WAYS };
static result quantize(int way, const matrix *m, const onnxq_tensor_options *options) {
    return way == LIBRARY ? by_library(m, options) : by_command(m, options);
}

static onnxq_tensor_options symmetric(int bits) {
    onnxq_tensor_options o = onnxq_tensor_defaults();
    o.bits = bits;
    o.symmetric = 1;
    return o;
}

// --- expectations ---

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

static void expect_values(const float *values, const char *path) {
    const matrix wanted = matrix_at(path);
    for (size_t i = 0; i < wanted.rows * wanted.columns; i++)
        expect_near((double)values[i], (double)wanted.x[i], 1e-6);
}

// --- the examples ---

START_TEST(given_scale_and_zero_point) {
    const matrix m = matrix_at("given_scale_zero_point.tensor");
    onnxq_tensor_options o = onnxq_tensor_defaults();
    o.scale = number("given_scale_zero_point.scale");
    o.zero_point = (int)number("given_scale_zero_point.zero_point");
    const result r = quantize(_i, &m, &o);
    ck_assert(r.params == 1 && r.scale[0] == (float)o.scale && r.zero[0] == o.zero_point);
    expect_integers(r.q, "given_scale_zero_point.q");
    expect_values(r.back, "given_scale_zero_point.dequantized");
    expect_near(r.mse, number("given_scale_zero_point.mse"), 0.01);
}
END_TEST

static result expect_asymmetric(int way, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%s.tensor", name);
    const matrix m = matrix_at(path);
    const onnxq_tensor_options o = onnxq_tensor_defaults();
    const result r = quantize(way, &m, &o);
    snprintf(path, sizeof path, "%s.scale", name);
    expect_near((double)r.scale[0], number(path), 5e-5);
    snprintf(path, sizeof path, "%s.zero_point", name);
    ck_assert_int_eq(r.zero[0], (int32_t)number(path));
    snprintf(path, sizeof path, "%s.mse", name);
    expect_near(r.mse, number(path), 0.01);
    return r;
}

START_TEST(asymmetric) {
    expect_asymmetric(_i, "asymmetric_int8");
    const result r = expect_asymmetric(_i, "asymmetric_int8_4x4");
    expect_integers(r.q, "asymmetric_int8_4x4.q");
}
END_TEST

START_TEST(symmetric_4x4) {
    const matrix m = matrix_at("symmetric_int8_4x4.tensor");
    const onnxq_tensor_options o = symmetric(8);
    const result r = quantize(_i, &m, &o);
    expect_near((double)r.scale[0], number("symmetric_int8_4x4.scale"), 5e-5);
    expect_near(r.mse, number("symmetric_int8_4x4.mse"), 0.01);
}
END_TEST

START_TEST(symmetric_per_channel) {
    const matrix m = matrix_at("symmetric_int8_per_channel.tensor");
    onnxq_tensor_options o = symmetric(8);
    o.granularity = ONNXQ_PER_CHANNEL;
    o.axis = 0;
    const result rows = quantize(_i, &m, &o);
    const matrix scales = matrix_at("symmetric_int8_per_channel.axis0.scale");
    ck_assert_uint_eq(rows.params, m.rows);
    for (size_t i = 0; i < m.rows; i++) expect_near((double)rows.scale[i], (double)scales.x[i], 5e-5);
    expect_integers(rows.q, "symmetric_int8_per_channel.axis0.q");
    expect_near(rows.mse, number("symmetric_int8_per_channel.axis0.mse"), 0.01);
    o.axis = 1;
    const result columns = quantize(_i, &m, &o);
    expect_near(columns.mse, number("symmetric_int8_per_channel.axis1.mse"), 0.01);
}
END_TEST

START_TEST(embedding_rows) {
    const matrix m = matrix_at("embedding_rows_uint8_b128.matrix");
    onnxq_tensor_options o = symmetric(8);
    o.is_unsigned = 1;
    o.granularity = ONNXQ_PER_CHANNEL;
    o.axis = 0;
    const result r = quantize(_i, &m, &o);
    const matrix scales = matrix_at("embedding_rows_uint8_b128.scale");
    ck_assert_uint_eq(r.params, m.rows);
    for (size_t i = 0; i < m.rows; i++) {
        ck_assert_int_eq(r.zero[i], (int32_t)number("embedding_rows_uint8_b128.zero_point"));
        expect_near((double)r.scale[i], (double)scales.x[i], 5e-5);
    }
    expect_integers(r.q, "embedding_rows_uint8_b128.q");
    expect_values(r.back, "embedding_rows_uint8_b128.dequantized");
}
END_TEST

// Mean error of the widths [from, from - 2], for what only falls in the mean.
static double mean_of_three(const double error[17], int from) {
    return (error[from] + error[from - 1] + error[from - 2]) / 3;
}

static void expect_falling(const double error[17]) {
    for (int bits = 16; bits >= 7; bits -= 3)
        ck_assert_msg(mean_of_three(error, bits) < mean_of_three(error, bits - 3), "at %d bits", bits);
}

// W8A32: y = W^ x, at every width.
START_TEST(weight_only_linear) {
    const matrix x = matrix_at("weight_only_int8_linear.input");
    const matrix w = matrix_at("weight_only_int8_linear.weight");
    const matrix wanted = matrix_at("weight_only_int8_linear.output");
    const matrix exact = matrix_at("weight_only_int8_linear.float_output");
    double error[17] = {0};
    for (int bits = 16; bits >= 2; bits--) {
        const onnxq_tensor_options o = symmetric(bits);
        const result r = quantize(_i, &w, &o);
        for (size_t row = 0; row < 3; row++) {
            double sum = 0;
            for (size_t k = 0; k < 3; k++) sum += (double)x.x[k] * (double)r.back[row * 3 + k];
            error[bits] += fabs(sum - (double)exact.x[row]);
            // Printed with four decimals.
            if (bits == 8) ck_assert_msg(fabs(sum - (double)wanted.x[row]) <= 5.1e-5, "%.9g", sum);
        }
        if (bits != 8) continue;
        expect_near((double)r.scale[0], number("weight_only_int8_linear.scale"), 5e-5);
        expect_integers(r.q, "weight_only_int8_linear.q");
    }
    expect_falling(error);
}
END_TEST

// At every width: activation and weight with the scale of their common range, the integer product
// requantized to the width for the next layer, whose range is [-100, 100], and back.
START_TEST(bits_sweep) {
    const matrix a = matrix_at("bits_sweep_dot.activation");
    const matrix w = matrix_at("bits_sweep_dot.weight");
    const double exact = number("bits_sweep_dot.exact");
    double error[17] = {0}, error_next[17] = {0};
    for (int bits = 16; bits >= 2; bits--) {
        const oq_grid grid = oq_grid_make(bits, true, true);
        onnxq_tensor_options o = symmetric(bits);
        o.scale = number("bits_sweep_dot.shared_range_absmax") / grid.qmax;
        const result qa = quantize(_i, &a, &o), qw = quantize(_i, &w, &o);
        int64_t sum = 0;
        for (size_t i = 0; i < a.columns; i++) sum += (int64_t)qa.q[i] * qw.q[i];
        const double product = (double)sum * (double)qa.scale[0] * (double)qw.scale[0];
        error[bits] = fabs(product - exact);
        oq_qparam next;
        CK_OK(oq_grid_symmetric(&grid, 100, "next", &next, &err), &err);
        const float multiplier = qa.scale[0] * qw.scale[0] / next.scale;
        const int32_t q = oq_requantize_one(sum, multiplier, 0, grid.qmin, grid.qmax);
        error_next[bits] = fabs((double)oq_dequantize_one(next, q) - exact);
        ck_assert(error_next[bits] <= error[bits] + (double)next.scale);
        if (bits != 16) continue;
        expect_near(1 / (double)qa.scale[0], number("bits_sweep_dot.16.scale_factor"), 5e-5);
        expect_integers(qa.q, "bits_sweep_dot.16.q_activation");
        expect_integers(qw.q, "bits_sweep_dot.16.q_weight");
        expect_near(product, number("bits_sweep_dot.16.dequantized_product"), 1e-6);
    }
    expect_falling(error);
    expect_falling(error_next);
}
END_TEST

// The error of random data falls with every bit, by a factor near 4.
START_TEST(more_bits_less_error) {
    double before = INFINITY;
    matrix m = {.rows = 8, .columns = 8};
    uint32_t state = 11;
    for (int i = 0; i < MOST; i++) {
        state = state * 1664525 + 1013904223;
        m.x[i] = (float)(state >> 8) / 8388608.0F - 1;
    }
    for (int bits = 2; bits <= 16; bits++) {
        const onnxq_tensor_options o = symmetric(bits);
        const result r = quantize(_i, &m, &o);
        ck_assert(r.mse < before * 0.6);
        before = r.mse;
    }
}
END_TEST

// Groups of 3 of a 6x6 uniform [0,1) tensor: a mean squared error near 2.2e-6 over many draws, along either
// axis.
START_TEST(groups) {
    uint32_t state = 5;
    const int draws = _i == LIBRARY ? 400 : 40;
    double sum = 0;
    for (int draw = 0; draw < draws; draw++) {
        matrix m = {.rows = 6, .columns = 6};
        for (int i = 0; i < 36; i++) {
            state = state * 1664525 + 1013904223;
            m.x[i] = (float)(state >> 8) / 16777216.0F;
        }
        onnxq_tensor_options o = symmetric(8);
        o.granularity = ONNXQ_PER_GROUP;
        o.group_size = 3;
        o.axis = draw % 2;
        const result r = quantize(_i, &m, &o);
        ck_assert_uint_eq(r.params, 12);
        sum += r.mse;
    }
    ck_assert_msg(sum / draws > 1.7e-6 && sum / draws < 3e-6, "%g", sum / draws);
}
END_TEST

START_TEST(positive_only) {
    const matrix m = matrix_at("positive_only_tensor.tensor");
    const onnxq_tensor_options o = onnxq_tensor_defaults();
    const result r = quantize(_i, &m, &o);
    expect_near((double)r.scale[0], number("positive_only_tensor.int8.scale"), 5e-5);
    ck_assert_int_eq(r.zero[0], (int32_t)number("positive_only_tensor.int8.zero_point"));
}
END_TEST

// --- the product of two activations ---

typedef struct operand {
    oq_shape shape;
    float *x; // [shape]
    onnxq_tensor *quantized;
} operand;

static void quantize_operand(onnxq_session *session, operand *o) {
    const onnxq_tensor_options options = onnxq_tensor_defaults();
    CK_OK(onnxq_tensor_quantize(session, "operand", o->x, o->shape.dim, o->shape.rank, &options,
                                &o->quantized, &err),
          &err);
}

// Standard normal numbers.
static operand normal(oq_shape shape, uint64_t seed) {
    const size_t count = (size_t)oq_shape_count(&shape);
    operand o = {.shape = shape, .x = malloc(count * sizeof(float))};
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        const double u = ((double)(seed >> 32) + 0.5) / 4294967296.0;
        seed = seed * 6364136223846793005 + 1442695040888963407;
        const double v = (double)(seed >> 32) / 4294967296.0;
        o.x[i] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
    return o;
}

static operand transpose(const operand *a) {
    const int64_t rows = a->shape.dim[2], columns = a->shape.dim[3];
    operand t = {.shape = OQ_SHAPE(a->shape.dim[0], a->shape.dim[1], columns, rows),
                 .x = malloc((size_t)oq_shape_count(&a->shape) * sizeof(float))};
    for (int64_t m = 0; m < a->shape.dim[0] * a->shape.dim[1]; m++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                t.x[(m * columns + c) * rows + r] = a->x[(m * rows + r) * columns + c];
    return t;
}

static void release(operand *o) {
    onnxq_tensor_free(o->quantized);
    free(o->x);
}

static void add_quantized(test_op *op, const operand *o, bool with_numbers) {
    const onnxq_tensor_view v = onnxq_tensor_get(o->quantized);
    if (with_numbers) {
        oq_tensor q;
        CK_OK(oq_tensor_new(&op->mem, ONNXQ_INT8, &o->shape, &q, &err), &err);
        for (size_t i = 0; i < v.count; i++) ((int8_t *)q.data)[i] = (int8_t)v.integers[i];
        test_op_input(op, q);
    }
    test_op_input(op, test_op_tensor(op, ONNXQ_FLOAT, (oq_shape){0}, (double[]){(double)v.scale[0]}));
    test_op_input(op, test_op_tensor(op, ONNXQ_INT8, (oq_shape){0}, (double[]){v.zero_point[0]}));
}

// SQNR in dB of QuantizeLinear on both operands, QLinearMatMul, DequantizeLinear against the float product.
static double product_sqnr(onnxq_session *session, operand *a, operand *b) {
    test_op matmul, product;
    test_op_init(&matmul, "MatMul", 13);
    test_op_input(&matmul, test_op_tensor_raw(&matmul, ONNXQ_FLOAT, a->shape, a->x));
    test_op_input(&matmul, test_op_tensor_raw(&matmul, ONNXQ_FLOAT, b->shape, b->x));
    test_op_run(&matmul, 1);
    const oq_tensor *y = test_op_output(&matmul, 0);
    operand whole = {.shape = y->shape, .x = y->data};
    quantize_operand(session, a);
    quantize_operand(session, b);
    quantize_operand(session, &whole);
    test_op_init(&product, "QLinearMatMul", 21);
    add_quantized(&product, a, true);
    add_quantized(&product, b, true);
    add_quantized(&product, &whole, false);
    test_op_run(&product, 1);
    const onnxq_tensor_view v = onnxq_tensor_get(whole.quantized);
    const int8_t *q = test_op_output(&product, 0)->data;
    double signal = 0, noise = 0;
    for (size_t i = 0; i < v.count; i++) {
        const oq_qparam param = {v.scale[0], v.zero_point[0]};
        const double x = (double)whole.x[i], off = x - (double)oq_dequantize_one(param, q[i]);
        signal += x * x, noise += off * off;
    }
    test_op_release(&product);
    onnxq_tensor_free(whole.quantized);
    test_op_release(&matmul);
    return 10 * log10(signal / noise);
}

START_TEST(attention_product) {
    onnxq_session *session;
    CK_OK(onnxq_session_new(NULL, &session, &err), &err);
    operand a = normal(OQ_SHAPE(1, 4, 1024, 256), 1), b = normal(OQ_SHAPE(1, 4, 256, 1024), 2);
    const double independent = product_sqnr(session, &a, &b);
    ck_assert_msg(independent >= 33, "%.2f dB", independent);
    release(&b);
    onnxq_tensor_free(a.quantized);
    operand own = transpose(&a);
    const double transposed = product_sqnr(session, &a, &own);
    ck_assert_msg(transposed >= 29.5, "%.2f dB", transposed);
    release(&own);
    release(&a);
    onnxq_session_free(session);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("grid worked examples");
    TCase *tcase = tcase_create("examples");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, given_scale_and_zero_point, 0, WAYS);
    tcase_add_loop_test(tcase, asymmetric, 0, WAYS);
    tcase_add_loop_test(tcase, symmetric_4x4, 0, WAYS);
    tcase_add_loop_test(tcase, symmetric_per_channel, 0, WAYS);
    tcase_add_loop_test(tcase, embedding_rows, 0, WAYS);
    tcase_add_loop_test(tcase, weight_only_linear, 0, WAYS);
    tcase_add_loop_test(tcase, bits_sweep, 0, WAYS);
    tcase_add_loop_test(tcase, more_bits_less_error, 0, WAYS);
    tcase_add_loop_test(tcase, groups, 0, WAYS);
    tcase_add_loop_test(tcase, positive_only, 0, WAYS);
    tcase_add_test(tcase, attention_product);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
