// The rows of a layer's input, times its weights' rows, are what the layer gives.
#include "run/run.h"
#include "support/quantized.h"
#include "support/support.h"
#include "tune/patches.h"

#include <math.h>

static test_pair pair;
static oq_error err;

static void prepare(const char *text) {
    oq_quant_options options = oq_quant_defaults();
    test_pair_init(&pair, 13, text);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
}

// Input x [..] uniform in [-1, 1).
static oq_value random_input(const oq_shape *shape) {
    uint64_t state = 3;
    oq_tensor x;
    CK_OK(oq_tensor_new(&pair.mem, ONNXQ_FLOAT, shape, &x, &err), &err);
    for (int64_t i = 0; i < oq_tensor_count(&x); i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        ((float *)x.data)[i] = (float)(state >> 40) / (float)(1 << 23) - 1;
    }
    return oq_value_of_tensor(x);
}

static oq_value run(const oq_value *x) {
    oq_program *program;
    oq_worker *worker;
    oq_value y;
    CK_OK(oq_program_new(pair.original->graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    CK_OK(oq_worker_run(worker, x, &y, NULL, NULL, &err), &err);
    oq_worker_free(worker);
    oq_program_free(program);
    return y;
}

// Where output channel `o` of a position lies: in [images, outputs, places], or as rows or columns of a
// matrix.
static size_t output_at(const oq_layer *layer, const oq_patches *p, size_t outputs, size_t position,
                        size_t o) {
    if (p->convolution) return (position / p->places * outputs + o) * p->places + position % p->places;
    if (layer->operand[1].weight) return position * outputs + o;
    return (position / p->places * outputs + o) * p->places + position % p->places;
}

// The row of one position, column by column.
static void row_of(const oq_patches *p, const oq_patches_source *x, size_t position, float *row) {
    int64_t at[64];
    ck_assert_uint_le(p->cells, 64);
    oq_patches_locate(p, position, at, 1);
    oq_patches_columns(p, x, at, 1, 1, 0, p->groups * p->depth, row, 1);
}

// Bytes that number the entries of a table give the row that these entries would.
static void check_bytes(const oq_patches *p, size_t position, size_t count) {
    uint8_t bytes[2048];
    float table[256], values[2048], row[256], wanted[256];
    ck_assert_uint_le(count, 2048);
    for (size_t i = 0; i < 256; i++) table[i] = 0.5F * (float)i - 7;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
        values[i] = table[bytes[i]];
    }
    row_of(p, &(oq_patches_source){.data = bytes, .table = table}, position, row);
    row_of(p, &(oq_patches_source){.data = values}, position, wanted);
    ck_assert_mem_eq(row, wanted, p->groups * p->depth * sizeof *row);
}

static void check(const oq_layer *layer, const oq_tensor *x, const oq_tensor *y) {
    oq_patches p;
    oq_weight_rows rows;
    float row[256];
    CK_OK(oq_patches_of(pair.original->graph, layer, &x->shape, &p, &err), &err);
    CK_OK(oq_plan_take_rows(pair.plan, layer, &rows, &err), &err);
    ck_assert_uint_eq(rows.depth, p.depth);
    ck_assert_uint_eq(p.positions * rows.outputs, (size_t)oq_tensor_count(y));
    ck_assert_uint_le(p.groups * p.depth, 256);
    for (size_t position = 0; position < p.positions; position++) {
        check_bytes(&p, position, (size_t)oq_tensor_count(x));
        row_of(&p, &(oq_patches_source){.data = x->data}, position, row);
        for (size_t o = 0; o < rows.outputs; o++) {
            const size_t group = o / (rows.outputs / p.groups);
            double sum = 0;
            for (size_t k = 0; k < p.depth; k++)
                sum += (double)row[group * p.depth + k] * (double)rows.w[o * p.depth + k];
            const double want =
                (double)((const float *)y->data)[output_at(layer, &p, rows.outputs, position, o)];
            ck_assert_msg(fabs(sum - want) < 1e-5, "position %zu, output %zu: %g and not %g", position, o,
                          sum, want);
        }
    }
    oq_weight_rows_release(&rows);
}

static const char *const layers[] = {
    "in x float32[2,6,5,7]\nrandom w float32[4,6,3,2] 1 1\ny = Conv(x, w) pads=[1,0,2,1] strides=[2,1] "
    "dilations=[1,2]\nout y\n",
    "in x float32[1,6,9,9]\nrandom w float32[6,3,3,3] 1 1\ny = Conv(x, w) group=2 "
    "auto_pad=\"SAME_LOWER\"\nout y\n",
    "in x float32[3,8,4,4]\nrandom w float32[16,1,3,3] 1 1\ny = Conv(x, w) group=8 pads=[1,1,1,1]\nout y\n",
    "in x float32[2,4,11]\nrandom w float32[5,4,3] 1 1\ny = Conv(x, w) strides=[3]\nout y\n",
    "in x float32[1,2,3,4,5]\nrandom w float32[3,2,2,2,2] 1 1\ny = Conv(x, w)\nout y\n",
    "in x float32[2,3,6]\nrandom w float32[4,3,1] 1 1\ny = Conv(x, w)\nout y\n",
    "in x float32[1,3,5,3]\nrandom w float32[4,3,1,1] 1 1\ny = Conv(x, w) strides=[2,2] pads=[1,1,1,1]\nout "
    "y\n",
    "in x float32[1,2,17,13]\nrandom w float32[3,2,5,4] 1 1\ny = Conv(x, w) strides=[3,2] pads=[4,3,2,1] "
    "dilations=[1,3]\nout y\n",
    "in x float32[2,3,7]\nrandom w float32[7,4] 1 1\ny = MatMul(x, w)\nout y\n",
    "in x float32[2,7,3]\nrandom w float32[4,7] 1 1\ny = MatMul(w, x)\nout y\n",
    "in x float32[5,7]\nrandom w float32[4,7] 1 1\ny = Gemm(x, w) transB=1 alpha=0.5\nout y\n",
    "in x float32[7,5]\nrandom w float32[7,4] 1 1\ny = Gemm(x, w) transA=1\nout y\n",
};

START_TEST(rows_times_weights_are_the_layer) {
    prepare(layers[_i]);
    const oq_layer *layer = oq_plan_layer(pair.plan, 0);
    const char *reason;
    ck_assert(oq_plan_has_rows(layer, &reason));
    oq_shape shape;
    const oq_type *type = &oq_graph_value(pair.original->graph, test_value(pair.original, "x"))->type;
    shape.rank = type->rank;
    for (int i = 0; i < type->rank; i++) shape.dim[i] = type->dim[i].size;
    oq_value x = random_input(&shape), y = run(&x);
    check(layer, &x.tensor, &y.tensor);
    oq_value_release(&x);
    oq_value_release(&y);
    test_pair_release(&pair);
}
END_TEST

// Some columns of several positions at once are what they are one by one.
START_TEST(columns_are_parts_of_rows) {
    enum { COUNT = 9, PITCH = 13 };
    prepare(layers[_i]);
    oq_shape shape;
    const oq_type *type = &oq_graph_value(pair.original->graph, test_value(pair.original, "x"))->type;
    shape.rank = type->rank;
    for (int i = 0; i < type->rank; i++) shape.dim[i] = type->dim[i].size;
    oq_value x = random_input(&shape);
    const oq_patches_source source = {.data = x.tensor.data};
    oq_patches p;
    CK_OK(oq_patches_of(pair.original->graph, oq_plan_layer(pair.plan, 0), &shape, &p, &err), &err);
    const size_t width = p.groups * p.depth, from = width / 3, to = width - 1;
    int64_t at[64 * COUNT];
    float row[256], columns[256 * PITCH];
    for (size_t i = 0; i < COUNT; i++) oq_patches_locate(&p, i * 5 % p.positions, at + i, COUNT);
    oq_patches_columns(&p, &source, at + 2, COUNT, COUNT - 2, from, to, columns, PITCH);
    for (size_t i = 2; i < COUNT; i++) {
        row_of(&p, &source, i * 5 % p.positions, row);
        for (size_t k = from; k < to; k++) ck_assert_float_eq(columns[(k - from) * PITCH + i - 2], row[k]);
    }
    oq_value_release(&x);
    test_pair_release(&pair);
}
END_TEST

// What each column adds up to over all positions, of floats and of bytes, some channels at a time.
START_TEST(sums_are_those_of_rows) {
    prepare(layers[_i]);
    oq_shape shape;
    const oq_type *type = &oq_graph_value(pair.original->graph, test_value(pair.original, "x"))->type;
    shape.rank = type->rank;
    for (int i = 0; i < type->rank; i++) shape.dim[i] = type->dim[i].size;
    oq_value x = random_input(&shape);
    const oq_qparam param = {.scale = 0.25F, .zero_point = -3};
    float table[256], row[256];
    for (int i = 0; i < 256; i++) table[i] = oq_dequantize_one(param, (int8_t)i);
    const oq_patches_source sources[2] = {
        {.data = x.tensor.data}, {.data = x.tensor.data, .table = table, .param = param, .is_signed = true}};
    oq_patches p;
    CK_OK(oq_patches_of(pair.original->graph, oq_plan_layer(pair.plan, 0), &shape, &p, &err), &err);
    int64_t *line_of = oq_mem_alloc(&pair.mem, (oq_patches_lines(&p) + 1) * sizeof *line_of, &err);
    void *work = oq_mem_alloc(&pair.mem, oq_patches_work(&p), &err);
    oq_patches_find_lines(&p, line_of);
    for (int bytes = 0; bytes < 2; bytes++) {
        double sum[256] = {0}, want[256] = {0};
        oq_patches_add_up(&p, &sources[bytes], line_of, 0, p.channels / 2, work, sum);
        oq_patches_add_up(&p, &sources[bytes], line_of, p.channels / 2, p.channels, work, sum);
        for (size_t i = 0; i < p.positions; i++) {
            row_of(&p, &sources[bytes], i, row);
            for (size_t k = 0; k < p.groups * p.depth; k++) want[k] += (double)row[k];
        }
        for (size_t k = 0; k < p.groups * p.depth; k++)
            ck_assert_msg(fabs(sum[k] - want[k]) < 1e-4, "column %zu: %g, not %g", k, sum[k], want[k]);
    }
    oq_mem_free(&pair.mem, line_of);
    oq_mem_free(&pair.mem, work);
    oq_value_release(&x);
    test_pair_release(&pair);
}
END_TEST

START_TEST(positions_are_spread) {
    const oq_patches p = {.positions = 1000};
    for (uint64_t seed = 0; seed < 20; seed++)
        for (size_t take = 1; take < 1000; take += 37)
            for (size_t i = 0; i < take; i++) {
                const size_t at = oq_patches_choose(&p, take, i, seed);
                ck_assert_uint_ge(at, i * 1000 / take);
                ck_assert_uint_lt(at, (i + 1) * 1000 / take);
            }
}
END_TEST

// --- changing a layer's integers ---

static int32_t changed(int32_t q) { return q > 0 ? q - 1 : q + 1; }

START_TEST(integers_that_are_set_come_out) {
    prepare(layers[_i]);
    const oq_layer *layer = oq_plan_layer(pair.plan, 0);
    const oq_weight *was = layer->operand[layer->operand[0].weight ? 0 : 1].weight;
    oq_weight_rows rows, again;
    CK_OK(oq_plan_take_rows(pair.plan, layer, &rows, &err), &err);
    const size_t count = rows.outputs * rows.depth;
    for (size_t i = 0; i < count; i++) rows.q[i] = changed(rows.q[i]);
    CK_OK(oq_plan_set_rows(pair.plan, 0, &rows, &err), &err);
    CK_OK(oq_plan_take_rows(pair.plan, layer, &again, &err), &err);
    ck_assert_mem_eq(rows.q, again.q, count * sizeof *rows.q);
    ck_assert_mem_eq(rows.w, again.w, count * sizeof *rows.w);
    ck_assert(!layer->vector); // no bias came with it
    oq_plan_revert(pair.plan);
    ck_assert_ptr_eq(layer->operand[rows.operand].weight, was);
    oq_weight_rows_release(&rows);
    oq_weight_rows_release(&again);
    test_pair_release(&pair);
}
END_TEST

START_TEST(what_has_no_rows_says_why) {
    static const char *const texts[] = {
        "in x float32[2,3,4]\nin z float32[2,4,5]\ny = MatMul(x, z)\nout y\n",
        "in x float32[2,3,4]\nrandom w float32[2,4,5] 1 1\ny = MatMul(x, w)\nout y\n",
        "in x float32[3,4]\nrandom w float32[4,5] 1 1\ny = Gemm(x, w) alpha=0.0\nout y\n"};
    static const char *const reasons[] = {"both operands are activations",
                                          "its weights are a stack of matrices",
                                          "its weights are multiplied by 0"};
    const char *reason;
    prepare(texts[_i]);
    ck_assert(!oq_plan_has_rows(oq_plan_layer(pair.plan, 0), &reason));
    ck_assert_str_eq(reason, reasons[_i]);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune/patches");
    TCase *rows = tcase_create("rows");
    const int count = sizeof layers / sizeof *layers;
    tcase_add_loop_test(rows, rows_times_weights_are_the_layer, 0, count);
    tcase_add_loop_test(rows, columns_are_parts_of_rows, 0, count);
    tcase_add_loop_test(rows, sums_are_those_of_rows, 0, count);
    tcase_add_loop_test(rows, integers_that_are_set_come_out, 0, count);
    tcase_add_loop_test(rows, what_has_no_rows_says_why, 0, 3);
    tcase_add_test(rows, positions_are_spread);
    suite_add_tcase(suite, rows);
    return test_main(suite);
}
