// Weight-only quantization: what is stored, along which axes, and how far the outputs are off.
#include "passes/passes.h"
#include "quant/storage.h"
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;
static oq_storage *storage;

static void setup(void) {
    options = oq_quant_defaults();
    options.mode = OQ_MODE_WEIGHT_ONLY;
}

static void store_model(void) {
    oq_error err = {0};
    int64_t opset;
    oq_graph *graph = pair.model->graph;
    CK_OK(oq_storage_opset(graph, &options, &opset, &err), &err);
    CK_OK(oq_pass_upgrade_opset(pair.model, opset, &err), &err);
    CK_OK(oq_infer_graph(graph, &err), &err);
    CK_OK(oq_storage_make(graph, NULL, &options, &storage, &err), &err);
    CK_OK(oq_storage_emit(storage, storage->graph, &err), &err);
    CK_OK(oq_graph_sweep(graph, true, &err), &err);
    CK_OK(oq_graph_check(graph, &err), &err);
    CK_OK(oq_infer_graph(graph, &err), &err);
    CK_OK(oq_check_graph(graph, true, &err), &err);
}

static void store(const char *text) {
    test_pair_init(&pair, 13, text);
    store_model();
}

static void release(void) {
    oq_storage_free(storage);
    test_pair_release(&pair);
}

static const oq_type *type_of(const char *value) {
    return &oq_graph_value(pair.model->graph, test_value(pair.model, value))->type;
}

// Each weight with the shape that its scales must have: one a channel of its output.
static const struct {
    const char *text;
    int64_t opset, scales[3];
    int rank;
} layers[] = {
    {"in x float32[4,24]\nrandom w float32[24,5] 1 1\ny = MatMul(x, w)\nout y", 13, {5}, 1},
    {"in x float32[24,4]\nrandom w float32[5,24] 1 1\ny = MatMul(w, x)\nout y", 13, {5}, 1},
    {"in x float32[4,24]\nrandom w float32[5,24] 1 1\ny = Gemm(x, w) transB=1\nout y", 13, {5}, 1},
    {"in x float32[4,24]\nrandom w float32[24,5] 1 1\ny = Gemm(x, w) alpha=3.0\nout y", 13, {5}, 1},
    {"in x float32[2,4,24]\nrandom w float32[2,24,5] 1 1\ny = MatMul(x, w)\nout y", 21, {2, 1, 5}, 3},
    {"in x float32[1,4,9,9]\nrandom w float32[5,4,3,3] 1 1\ny = Conv(x, w)\nout y", 13, {5}, 1},
    {"in x float32[1,4,9]\nrandom w float32[4,1,3] 1 1\ny = Conv(x, w) group=4\nout y", 13, {4}, 1},
    {"in x float32[1,4,9,9]\nrandom w float32[4,5,3,3] 1 1\ny = ConvTranspose(x, w)\nout y", 13, {5}, 1},
    {"in x float32[1,4,9]\nrandom w float32[4,1,3] 1 1\ny = ConvTranspose(x, w) group=4\nout y", 13, {4}, 1},
    {"in x float32[6,2,7]\nrandom w float32[1,20,7] 1 1\nrandom r float32[1,20,5] 2 1\n"
     "y = LSTM(x, w, r) hidden_size=5\nout y",
     13,
     {20},
     1},
    {"in x float32[6,2,7]\nrandom w float32[2,15,7] 1 1\nrandom r float32[2,15,5] 2 1\n"
     "y = GRU(x, w, r) hidden_size=5 direction=\"bidirectional\"\nout y",
     21,
     {2, 15, 1},
     3},
    {"in x float32[6,2,7]\nrandom w float32[1,5,7] 1 1\nrandom r float32[1,5,5] 2 1\n"
     "y = RNN(x, w, r) hidden_size=5\nout y",
     13,
     {5},
     1}};

START_TEST(scale_per_output_channel) {
    store(layers[_i].text);
    const oq_type *scale = type_of("w_scale");
    ck_assert_int_eq(oq_model_opset(pair.model, ""), layers[_i].opset);
    ck_assert_int_eq(scale->rank, layers[_i].rank);
    for (int d = 0; d < scale->rank; d++) ck_assert_int_eq(scale->dim[d].size, layers[_i].scales[d]);
    ck_assert_int_eq(type_of("w_quantized")->dtype, ONNXQ_INT8);
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "w"), OQ_NONE); // the float weights are gone
    ck_assert_double_gt(test_pair_sqnr(&pair), 42);
    release();
}
END_TEST

// Groups of 8 along the sum, the last of them shorter; sums of at most 8 have one scale a channel.
static const struct {
    const char *text;
    int64_t scales[4];
    int rank;
} grouped[] = {
    {"in x float32[4,19]\nrandom w float32[19,6] 1 1\ny = MatMul(x, w)\nout y", {3, 6}, 2},
    {"in x float32[19,4]\nrandom w float32[6,19] 1 1\ny = MatMul(w, x)\nout y", {6, 3}, 2},
    {"in x float32[4,19]\nrandom w float32[6,19] 1 1\ny = Gemm(x, w) transB=1\nout y", {6, 3}, 2},
    {"in x float32[4,8]\nrandom w float32[8,6] 1 1\ny = MatMul(x, w)\nout y", {6}, 1},
    {"in x float32[2,4,19]\nrandom w float32[2,19,6] 1 1\ny = MatMul(x, w)\nout y", {2, 3, 6}, 3},
    {"in x float32[1,4,9,9]\nrandom w float32[5,4,3,3] 1 1\ny = Conv(x, w)\nout y", {5, 5}, 2},
    {"in x float32[1,4,9]\nrandom w float32[4,1,3] 1 1\ny = Conv(x, w) group=4\nout y", {4}, 1},
    {"in x float32[1,9,9,9]\nrandom w float32[9,5,3,3] 1 1\ny = ConvTranspose(x, w)\nout y", {2, 5, 3, 3}, 4},
    {"in x float32[6,2,17]\nrandom w float32[1,20,17] 1 1\nrandom r float32[1,20,5] 2 1\n"
     "y = LSTM(x, w, r) hidden_size=5\nout y",
     {1, 20, 3},
     3}};

START_TEST(scale_per_group) {
    options.group_size = 8;
    options.weight_bits = 4;
    store(grouped[_i].text);
    const oq_type *scale = type_of("w_scale");
    ck_assert_int_eq(scale->rank, grouped[_i].rank);
    for (int d = 0; d < scale->rank; d++) ck_assert_int_eq(scale->dim[d].size, grouped[_i].scales[d]);
    ck_assert_int_eq(type_of("w_quantized")->dtype, ONNXQ_INT4);
    ck_assert_double_gt(test_pair_sqnr(&pair), 18);
    release();
}
END_TEST

START_TEST(contradicting_options) {
    oq_error err = {0};
    test_pair_init(&pair, 21, layers[0].text);
    options.group_size = _i == 0 ? -1 : 32;
    options.per_channel = _i != 1;
    options.mode = _i == 2 ? OQ_MODE_STATIC : OQ_MODE_WEIGHT_ONLY;
    ck_assert_int_eq(oq_storage_make(pair.model->graph, NULL, &options, &storage, &err), ONNXQ_USAGE);
    ck_assert_ptr_null(storage);
    release();
}
END_TEST

// Every width, symmetric or not: error falls by about 6 dB a bit, and the carrier is the narrowest there is.
START_TEST(widths) {
    static const int bits[] = {2, 3, 4, 5, 6, 7, 8, 16};
    static const oq_dtype carriers[] = {ONNXQ_INT2, ONNXQ_INT4, ONNXQ_INT4, ONNXQ_INT8,
                                        ONNXQ_INT8, ONNXQ_INT8, ONNXQ_INT8, ONNXQ_INT16};
    double last = 0;
    options.weight_asymmetric = _i == 1;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        options.weight_bits = bits[i];
        store("in x float32[4,96]\nrandom w float32[96,32] 1 1\ny = MatMul(x, w)\nout y");
        ck_assert_int_eq(type_of("w_quantized")->dtype, carriers[i]);
        const double sqnr = test_pair_sqnr(&pair);
        ck_assert_double_gt(sqnr, 6.02 * bits[i] - (_i ? 3 : 8));
        ck_assert_double_gt(sqnr, last);
        last = sqnr;
        release();
    }
}
END_TEST

START_TEST(unsigned_weights) {
    options.weight_signed = false;
    store(layers[0].text);
    ck_assert_int_eq(type_of("w_quantized")->dtype, ONNXQ_UINT8);
    ck_assert_int_eq(type_of("w_zero_point")->dtype, ONNXQ_UINT8);
    ck_assert_double_gt(test_pair_sqnr(&pair), 42);
    release();
}
END_TEST

// A constant that two nodes read in one way is stored once; two ways, twice; what stays float says why.
START_TEST(uses) {
    static const char *const names[] = {"half*"};
    options.exclude = names;
    options.exclude_count = 1;
    store("in x float32[8,8]\nrandom w float32[8,8] 1 1\nconst n float32[8,2] nan\na = MatMul(x, w)\nb = "
          "MatMul(a, w)\n"
          "c = Gemm(b, w) transB=1\nd = MatMul(c, n) name=\"bad\"\ne = MatMul(c, c)\nf = MatMul(c, w) "
          "name=\"half\"\n"
          "out c d e f");
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 2);
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "w_quantized_2"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "w"), OQ_NONE); // "half" reads it
    ck_assert_uint_eq(storage->use_count, 6);
    ck_assert_str_eq(storage->items[storage->uses[3].stored].dropped, "its weights hold NaN or infinity");
    ck_assert_str_eq(storage->uses[4].reason, "it has no constant weights");
    ck_assert_str_eq(storage->uses[5].reason, "excluded by name or operator");
    release();
}
END_TEST

// --- tables ---

static const char lookup[] =
    "in x float32[2,3]\nrandom e float32[60,90] 1 1\nconst i int64[2,3] 0 59 7 -1 7 30\n"
    "c = Identity(i)\ng = Gather(e, c) name=\"embed\"\ns = ReduceSum(g)\ny = Add(g, s)\nout g y";

// Rows of every width, with and without zero points: the look-up gives what the float table gives, up to
// rounding.
START_TEST(rows) {
    static const int bits[] = {2, 3, 4, 8, 16};
    static const double least[] = {2, 10, 17, 42, 90};
    options.embedding_bits = bits[_i / 4];
    options.weight_asymmetric = _i / 2 % 2;
    options.weight_signed = _i % 2;
    store(lookup);
    ck_assert_int_eq(test_producer(pair.model, "g")->op_type[0], 'M'); // Mul
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 0);
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "e"), OQ_NONE);
    ck_assert_double_gt(test_pair_sqnr(&pair), least[_i / 4]);
    release();
}
END_TEST

static const char lookup_alone[] =
    "in x float32[2,3]\nrandom e float32[60,90] 1 1\n"
    "const i int64[2,3] 0 59 7 -1 7 30\nc = Identity(i)\ng = Gather(e, c)\nout g";

// With a scale a group rows of few bits keep more; 8 bits, and what groups do not cut evenly, have a scale a
// row.
START_TEST(rows_in_groups) {
    static const int bits[] = {2, 3, 4, 8, 4};
    static const int64_t groups[] = {18, 30, 10, 18, 32};
    double without = 0;
    for (int pass = 0; pass < 2; pass++) {
        options.embedding_bits = bits[_i / 4];
        options.weight_asymmetric = _i / 2 % 2;
        options.weight_signed = _i % 2;
        options.group_size = pass ? groups[_i / 4] : 0;
        store(lookup_alone);
        const bool cut = pass && _i / 4 < 3;
        ck_assert_int_eq(storage->items[0].granularity.kind, cut ? OQ_PER_GROUP : OQ_PER_CHANNEL);
        ck_assert_str_eq(test_producer(pair.model, "g")->op_type, cut ? "Reshape" : "Mul");
        ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 0);
        const double sqnr = test_pair_sqnr(&pair);
        ck_assert_msg(!pass || (cut ? sqnr > without : sqnr == without), "%.2f after %.2f dB", sqnr, without);
        without = sqnr;
        release();
    }
}
END_TEST

// 90 columns of 4 or 2 bits in 45 or 23 bytes.
START_TEST(rows_are_packed) {
    options.embedding_bits = _i ? 2 : 4;
    store(lookup);
    const oq_type *table = type_of("e_quantized");
    ck_assert_int_eq(table->dtype, ONNXQ_UINT8);
    ck_assert_int_eq(table->dim[0].size, 60);
    ck_assert_int_eq(table->dim[1].size, _i ? 23 : 45);
    release();
}
END_TEST

// An output layer on the same table, its transpose made by a node, or made before: stored once for both.
static const char *const tied[] = {"in x float32[3,90]\nrandom e float32[60,90] 1 1\nconst i int64[3] 0 59 "
                                   "7\nc = Identity(i)\ng = Gather(e, c)\n"
                                   "s = Add(g, x)\ny = Gemm(s, e) transB=1\nout y g",
                                   "in x float32[3,90]\nrandom e float32[60,90] 1 1\nconst i int64[3] 0 59 "
                                   "7\nc = Identity(i)\ng = Gather(e, c)\n"
                                   "s = Add(g, x)\nt = Transpose(e) perm=[1,0]\ny = MatMul(s, t)\nout y g"};

START_TEST(tied_tables) {
    oq_error err = {0};
    options.embedding_bits = _i % 2 ? 4 : 8;
    options.weight_bits = 2; // of weights that are not tied
    options.weight_asymmetric = _i / 4;
    test_pair_init(&pair, 13, tied[_i / 2 % 2]);
    if (_i >= 8) CK_OK(oq_pass_fold_constants(pair.model->graph, &err), &err);
    store_model();
    ck_assert_uint_eq(storage->count, 1);
    ck_assert_uint_eq(storage->use_count, 2);
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "e"), OQ_NONE);
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "t"),
                     _i >= 8 ? OQ_NONE : oq_graph_find(pair.model->graph, "t"));
    ck_assert_double_gt(test_pair_sqnr(&pair), _i % 2 ? 17 : 40);
    release();
    if (_i % 2 == 0) return;
    options.group_size = 15;
    test_pair_init(&pair, 13, tied[_i / 2 % 2]);
    store_model();
    ck_assert_uint_eq(storage->count, 1);
    ck_assert_int_eq(storage->items[0].granularity.kind, OQ_PER_GROUP);
    ck_assert_double_gt(test_pair_sqnr(&pair), 19);
    release();
}
END_TEST

// What is no table, or not worth it, stays; in static mode nothing but tables is stored.
START_TEST(left_alone) {
    options.embedding_bits = 8;
    options.mode = _i ? OQ_MODE_STATIC : OQ_MODE_WEIGHT_ONLY;
    store("in x float32[3,90]\nrandom e float32[60,90] 1 1\nrandom f float32[5,90] 2 1\nconst i int64[3] 0 2 "
          "1\n"
          "c = Identity(i)\ng = Gather(e, c)\nh = Gather(f, c)\nk = Gather(e, c) axis=1\nl = Gather(c, i)\n"
          "random w float32[90,90] 3 1\nm = MatMul(h, w)\nout g h k l m");
    ck_assert_uint_eq(storage->count, _i ? 1 : 2);
    ck_assert_uint_eq(storage->use_count, _i ? 2 : 3);
    ck_assert_str_eq(storage->uses[1].reason, "its table is too small to gain");
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "e"), OQ_NONE); // read along the other axis
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "w") == OQ_NONE, !_i);
    release();
}
END_TEST

// Tables that nobody asked for: large ones, which nothing else reads, whose rows lose little. One element of
// 2000 beside 299 of about 1 loses more.
static const struct {
    const char *text, *refused, *dropped;
    size_t count;
} by_gain[] = {
    {"random e float32[400,300] 1 1\ng = Gather(e, c)\nout g", NULL, NULL, 1},
    {"random e float32[200,300] 1 1\ng = Gather(e, c)\nout g", NULL, NULL, 0},
    {"random e float32[400,300] 1 1\ng = Gather(e, c)\nm = MatMul(e, x)\nout g m", NULL, NULL, 0},
    {"random e float32[400,300] 1 1\ng = Gather(e, c)\nk = Gather(e, c) axis=1\nout g k", NULL, NULL, 0},
    {"random r float32[400,300] 1 1\nconst v float32[300] 2000 1\ne = Mul(r, v)\ng = Gather(e, c)\nout g",
     NULL, "its rows would keep less than 35 dB in the mean", 1},
    {"random e float32[400,300] 1 1\ng = Gather(e, c)\nout g", "the outputs lose", NULL, 0}};

START_TEST(tables_by_gain) {
    char text[400];
    oq_error err = {0};
    bool any;
    options.mode = _i % 2 ? OQ_MODE_STATIC : OQ_MODE_DYNAMIC;
    options.embedding_bits = 8;
    options.embedding_by_gain = true;
    options.tables_refused = by_gain[_i / 2].refused;
    snprintf(text, sizeof text, "in x float32[300,3]\nconst i int64[3] 0 2 1\nc = Identity(i)\n%s",
             by_gain[_i / 2].text);
    test_pair_init(&pair, 13, text);
    CK_OK(oq_pass_fold_constants(pair.model->graph, &err), &err);
    CK_OK(oq_storage_any(pair.model->graph, &options, &any, &err), &err);
    ck_assert_int_eq(any, by_gain[_i / 2].count != 0);
    store_model();
    ck_assert_uint_eq(storage->count, by_gain[_i / 2].count);
    ck_assert_uint_eq(storage->use_count, by_gain[_i / 2].count || by_gain[_i / 2].refused);
    if (by_gain[_i / 2].refused) ck_assert_str_eq(storage->uses[0].reason, by_gain[_i / 2].refused);
    if (by_gain[_i / 2].dropped) ck_assert_str_eq(storage->items[0].dropped, by_gain[_i / 2].dropped);
    ck_assert_str_eq(test_producer(pair.model, "g")->op_type, _i / 2 ? "Gather" : "Mul");
    release();
}
END_TEST

// 0.26 of the float bytes at 8 bits, 0.14 at 4, 0.17 in groups of 32, 0.08 at 2.
START_TEST(sizes) {
    static const struct {
        int bits;
        int64_t group_size;
        double share;
    } cases[] = {{8, 0, .26}, {4, 0, .14}, {4, 32, .17}, {2, 0, .08}};
    options.group_size = cases[_i].group_size;
    options.weight_bits = cases[_i].bits;
    store("in x float32[1,512]\nrandom w float32[512,300] 1 1\ny = MatMul(x, w)\nout y");
    const double before = (double)oq_stored_bytes_before(&storage->items[0]);
    ck_assert_double_eq(before, 512 * 300 * 4);
    ck_assert_double_le((double)oq_stored_bytes_after(&storage->items[0]), cases[_i].share * before);
    release();
}
END_TEST

// Inputs of which four channels are large: what is known of them lowers the error of the product, at every
// width.
START_TEST(scale_estimation) {
    oq_error err = {0};
    double sqnr[2];
    options.weight_bits = _i + 2;
    options.group_size = 32;
    for (int known = 0; known < 2; known++) {
        test_pair_init(&pair, 21,
                       "in x float32[64,32]\nrandom a float32[32] 3 1\nconst big float32[32] 40 30 20 10 1\n"
                       "h = Mul(x, big)\nrandom w float32[32,48] 1 1\ny = MatMul(h, w)\nout y");
        oq_tensor_stats *entry;
        CK_OK(oq_stats_ensure(pair.stats, "h", &entry, &err), &err);
        entry->axis = 1;
        const oq_shape shape = OQ_SHAPE(2, 32);
        oq_tensor h;
        CK_OK(oq_tensor_new(&pair.mem, ONNXQ_FLOAT, &shape, &h, &err), &err);
        for (int i = 0; i < 64; i++)
            ((float *)h.data)[i] = (i % 2 ? 1.0f : -1.0f) * (float)(i % 32 < 4 ? 40 - 10 * (i % 32) : 1);
        CK_OK(oq_stats_add(entry, &pair.mem, &h, 0, &err), &err);
        oq_tensor_release(&h);
        CK_OK(oq_storage_make(pair.model->graph, known ? pair.stats : NULL, &options, &storage, &err), &err);
        CK_OK(oq_storage_emit(storage, storage->graph, &err), &err);
        sqnr[known] = test_pair_sqnr(&pair);
        release();
    }
    ck_assert_double_gt(sqnr[1], sqnr[0] + 1);
}
END_TEST

// No leak and no crash wherever memory ends.
START_TEST(memory_ends) {
    oq_status status = ONNXQ_NO_MEMORY;
    for (int64_t n = 1; status != ONNXQ_OK; n++) {
        oq_error err = {0};
        int64_t opset;
        test_pair_init(&pair, 13, layers[0].text);
        atomic_store(&pair.mem.fail_after, n);
        storage = NULL;
        status = oq_storage_opset(pair.model->graph, &options, &opset, &err);
        if (status == ONNXQ_OK) status = oq_storage_make(pair.model->graph, NULL, &options, &storage, &err);
        if (status == ONNXQ_OK) status = oq_storage_emit(storage, storage->graph, &err);
        ck_assert(status == ONNXQ_OK || status == ONNXQ_NO_MEMORY);
        atomic_store(&pair.mem.fail_after, 0);
        release();
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage");
    TCase *tc = tcase_create("storage");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, scale_per_output_channel, 0, (int)(sizeof layers / sizeof *layers));
    tcase_add_loop_test(tc, scale_per_group, 0, (int)(sizeof grouped / sizeof *grouped));
    tcase_add_loop_test(tc, contradicting_options, 0, 3);
    tcase_add_loop_test(tc, widths, 0, 2);
    tcase_add_test(tc, unsigned_weights);
    tcase_add_test(tc, uses);
    tcase_add_loop_test(tc, rows, 0, 20);
    tcase_add_loop_test(tc, rows_in_groups, 0, 20);
    tcase_add_loop_test(tc, rows_are_packed, 0, 2);
    tcase_add_loop_test(tc, tied_tables, 0, 12);
    tcase_add_loop_test(tc, left_alone, 0, 2);
    tcase_add_loop_test(tc, tables_by_gain, 0, 2 * (int)(sizeof by_gain / sizeof *by_gain));
    tcase_add_loop_test(tc, sizes, 0, 4);
    tcase_add_loop_test(tc, scale_estimation, 1, 5);
    tcase_add_test(tc, memory_ends);
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
