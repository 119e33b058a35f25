// Forms of quantized graphs: lowering and raising keep every number and every parameter; dequantizing gives
// the float graph; what cannot be rewritten is named with its reason.
#include "forms/forms.h"
#include "quant/rule.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static oq_mem mem;

#define STEP .0626 // of the quantized results: what a tie that falls the other way changes

// What a Q/DQ graph of these tests is fed with: x is quantized with s, z and read again as X; w is W
// [4,3,3,3].
#define HEAD                                                                                                 \
    "in x float32[1,3,6,6]\nconst s float32[] 0.0078125\nconst z uint8[] 128\nconst t float32[] 0.0625\n"    \
    "const o uint8[] 0\nconst m uint8[] 77\n"                                                                \
    "const w int8[4,3,3,3] 5 -7 3 90 -128 127 0 1 2 -60 44 17 -3\n"                                          \
    "const ws float32[4] 0.01 0.02 0.005 0.03\nconst wz int8[4] 0\n"                                         \
    "xq = QuantizeLinear(x, s, z)\nX = DequantizeLinear(xq, s, z)\nW = DequantizeLinear(w, ws, wz) axis=0\n"
#define TAIL "yq = QuantizeLinear(y, t, m)\nY = DequantizeLinear(yq, t, m)\nout Y\n"

static oq_model *build(const char *text) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 21, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return model;
}

typedef enum form { LOWER, RAISE, DEQUANTIZE } form;

static oq_forms rewrite(oq_model *model, form to) {
    oq_error err = {0};
    oq_forms forms = {0};
    if (to != LOWER) CK_OK(oq_forms_raise(model->graph, false, &forms, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    if (to == LOWER) CK_OK(oq_forms_lower(model->graph, &forms, &err), &err);
    if (to == DEQUANTIZE) CK_OK(oq_forms_dequantize(model->graph, &forms, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_check_graph(model->graph, false, &err), &err);
    return forms;
}

// Outputs within an absolute tolerance of each other.
static void same_outputs(oq_model *before, oq_model *after, double tolerance, const char *what) {
    test_outputs expected, got;
    test_outputs_run(before, 7, &expected);
    test_outputs_run(after, 7, &got);
    ck_assert_uint_eq(expected.count, got.count);
    for (size_t k = 0; k < expected.count; k++) {
        const oq_tensor *y = &expected.values[k].tensor, *z = &got.values[k].tensor;
        ck_assert(oq_shape_equal(&y->shape, &z->shape) && y->dtype == z->dtype);
        for (int64_t i = 0; i < oq_tensor_count(y); i++) {
            const double far = fabs(oq_tensor_get_f64(y, i) - oq_tensor_get_f64(z, i));
            ck_assert_msg(far <= tolerance, "%s: element %lld is %g off", what, (long long)i, far);
        }
    }
    test_outputs_release(&expected);
    test_outputs_release(&got);
}

// --- both ways ---

static const struct {
    const char *name, *operators; // what must be there after lowering, each once
    double tolerance;             // 0: the same bits
    const char *nodes;
} products[] = {
    {"convolution", "QLinearConv", 0, HEAD "y = Conv(X, W) pads=[1,1,1,1]\n" TAIL},
    {"clip that saturation does", "QLinearConv", 0,
     HEAD
     "r = Conv(X, W)\ny = Relu(r)\nyq = QuantizeLinear(y, t, o)\nY = DequantizeLinear(yq, t, o)\nout Y\n"},
    {"clip that saturation does not do", "QLinearConv Clip", 0, HEAD "r = Conv(X, W)\ny = Relu(r)\n" TAIL},
    {"bias in units of the sums", "QLinearConv", 0,
     HEAD
     "const b int32[4] 100 -3000 77 5\nconst bs float32[4] 7.8125e-05 0.00015625 3.90625e-05 0.000234375\n"
     "B = DequantizeLinear(b, bs, ) axis=0\ny = Conv(X, W, B) strides=[2,2]\n" TAIL},
    {"float bias", "QLinearConv", 0, HEAD "const b float32[4] 0.5 -0.25 3 0\ny = Conv(X, W, b)\n" TAIL},
    {"weights quantized at run time", "QLinearConv", 0,
     HEAD "random f float32[2,3,1,1] 3 0.9\nfq = QuantizeLinear(f, s, z)\nF = DequantizeLinear(fq, s, z)\n"
          "y = Conv(X, F)\n" TAIL},
    {"product with a quantized result", "QLinearMatMul", 0,
     HEAD "const a int8[6,2] 9 -8 7 -120 33 2 1\nconst as float32[2] 0.02 0.3\nconst az int8[2] 3 -9\n"
          "A = DequantizeLinear(a, as, az)\ny = MatMul(X, A)\n" TAIL},
    {"product with a float result", "MatMulInteger Cast", 0,
     HEAD "const a int8[6,2] 9 -8 7 -120 33 2 1\nA = DequantizeLinear(a, s, )\nY = MatMul(X, A)\nout Y\n"},
    {"stack of matrices", "MatMulInteger Cast", STEP,
     HEAD "const a int8[3,6,2] 9 -8 7 -120 33 2 1\nconst as float32[2] 0.02 0.3\n"
          "A = DequantizeLinear(a, as, ) axis=2\ny = MatMul(X, A)\n" TAIL},
    {"transposed weights", "QLinearMatMul", STEP,
     HEAD "const a int8[2,6] 9 -8 7 -120 33 2 1\nconst as float32[2] 0.02 0.3\n"
          "A = DequantizeLinear(a, as, ) axis=0\nT = Transpose(A) perm=[1,0]\ny = MatMul(X, T)\n" TAIL},
    {"Gemm with a bias", "MatMulInteger Cast", 0,
     HEAD "const p int64[2] 18 6\nR = Reshape(X, p)\nrq = QuantizeLinear(R, s, z)\nC = DequantizeLinear(rq, "
          "s, z)\n"
          "const a int8[2,6] 9 -8 7 -120 33 2 1\nA = DequantizeLinear(a, s, )\nconst b float32[2] 1 -2\n"
          "y = Gemm(C, A, b) transB=1\n" TAIL},
    {"both transposed", "QLinearMatMul", 0,
     HEAD "const p int64[2] 6 18\nR = Reshape(X, p)\nrq = QuantizeLinear(R, s, z)\nC = DequantizeLinear(rq, "
          "s, z)\n"
          "const a int8[2,6] 9 -8 7 -120 33 2 1\nA = DequantizeLinear(a, s, )\n"
          "y = Gemm(C, A) transA=1 transB=1\n" TAIL},
};

static void expect_operators(const oq_model *model, const char *operators, const char *what) {
    char name[32];
    for (int used = 0; sscanf(operators, " %31s%n", name, &used) == 1; operators += used)
        ck_assert_msg(test_count(model, name) == 1, "%s: %zu nodes of %s", what, test_count(model, name),
                      name);
}

START_TEST(integer_operators_and_back_give_the_same) {
    const char *name = products[_i].name;
    oq_model *given = build(products[_i].nodes), *model = build(products[_i].nodes);
    oq_forms forms = rewrite(model, LOWER);
    ck_assert_msg(forms.rewritten == 1 && forms.left_count == 0, "%s: %zu lowered, left: %s", name,
                  forms.rewritten, forms.left_count ? forms.left[0].reason : "none");
    expect_operators(model, products[_i].operators, name);
    same_outputs(given, model, products[_i].tolerance, name);
    oq_forms_release(&forms);
    forms = rewrite(model, RAISE);
    ck_assert_msg(forms.rewritten == 1 && forms.left_count == 0, "%s: %zu raised, left: %s", name,
                  forms.rewritten, forms.left_count ? forms.left[0].reason : "none");
    ck_assert_uint_eq(test_count(model, "Cast"), 0);
    same_outputs(given, model, products[_i].tolerance, name);
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

// A second lowering of what was lowered and raised must write the same file as the first.
START_TEST(every_parameter_survives_the_round_trip) {
    oq_model *model = build(products[_i].nodes);
    oq_forms forms = rewrite(model, LOWER);
    oq_forms_release(&forms);
    forms = rewrite(model, RAISE);
    oq_forms_release(&forms);
    const oq_gvalue *weight = NULL;
    for (size_t v = 0; v < model->graph->value_count; v++) {
        const oq_gvalue *value = model->graph->values[v];
        if (!value->dead && !strcmp(value->name, strstr(products[_i].nodes, "const a ") ? "a" : "w"))
            weight = value;
    }
    if (!strstr(products[_i].nodes, "random")) {
        oq_tensor was, is;
        oq_model *given = build(products[_i].nodes);
        oq_error err = {0};
        ck_assert(weight && weight->initializer);
        const oq_gvalue *original = oq_graph_value(given->graph, test_value(given, weight->name));
        CK_OK(oq_constant_load(&mem, original->initializer, &was, &err), &err);
        CK_OK(oq_constant_load(&mem, weight->initializer, &is, &err), &err);
        ck_assert(oq_tensor_equal(&was, &is));
        oq_tensor_release(&was);
        oq_tensor_release(&is);
        oq_model_free(given);
    }
    oq_model_free(model);
}
END_TEST

START_TEST(movers_run_on_integers) {
    const char text[] = HEAD "const p int64[8] 0 0 1 1 0 0 1 1\n"
                             "P = Pad(X, p)\npq = QuantizeLinear(P, s, z)\nQ = DequantizeLinear(pq, s, z)\n"
                             "M = MaxPool(Q) kernel_shape=[2,2]\nmq = QuantizeLinear(M, s, z)\n"
                             "Y = DequantizeLinear(mq, s, z)\nout Y\n";
    oq_model *given = build(text), *model = build(text);
    oq_forms forms = rewrite(model, LOWER);
    ck_assert_uint_eq(forms.moved, 2);
    ck_assert_uint_eq(test_count(model, "DequantizeLinear"), 1);
    same_outputs(given, model, 0, "movers");
    oq_forms_release(&forms);
    forms = rewrite(model, DEQUANTIZE); // and the border is a float again
    ck_assert_uint_eq(test_count(model, "Pad") + test_count(model, "MaxPool"), 2);
    ck_assert_uint_eq(test_count(model, "QuantizeLinear") + test_count(model, "DequantizeLinear"), 0);
    same_outputs(given, model, .02, "movers on floats");
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
}
END_TEST

// --- reasons ---

static const struct {
    const char *reason, *nodes;
} stays[] = {
    {"its result is not quantized, or to another type than its input", HEAD "Y = Conv(X, W)\nout Y\n"},
    {"it does not work on 8-bit integers with constant scales", HEAD "y = Conv(x, W)\n" TAIL},
    {"its alpha or beta is not 1",
     HEAD "const p int64[2] 18 6\nR = Reshape(X, p)\nrq = QuantizeLinear(R, s, z)\nC = DequantizeLinear(rq, "
          "s, z)\n"
          "const a int8[6,2] 9\nA = DequantizeLinear(a, s, )\ny = Gemm(C, A) alpha=0.5\n" TAIL},
    {"its scales do not lie along the columns",
     HEAD "const a int8[6,2] 9\nconst as float32[6] 1 2\nA = DequantizeLinear(a, as, ) axis=0\ny = MatMul(X, "
          "A)\n" TAIL},
    {"its second factor is an activation with more than one scale",
     HEAD "in b float32[6,2]\nconst bs float32[2] 0.1 0.2\nconst bz uint8[2] 3 4\n"
          "bq = QuantizeLinear(b, bs, bz) axis=1\nB = DequantizeLinear(bq, bs, bz) axis=1\ny = MatMul(X, "
          "B)\n" TAIL},
    {"its sums may not fit int32",
     "in x float32[1,70000]\nconst s float32[] 0.01\nconst z uint8[] 3\nconst a int8[70000,1] 1\n"
     "q = QuantizeLinear(x, s, z)\nX = DequantizeLinear(q, s, z)\nA = DequantizeLinear(a, s, )\nY = "
     "MatMul(X, A)\n"
     "out Y\n"},
    {"a bias and its sums together may not fit int32",
     HEAD "const b float32[4] 2e5\ny = Conv(X, W, b)\n" TAIL},
    {"its bias is neither constant nor dequantized from int32",
     HEAD "in b float32[4]\ny = Conv(X, W, b)\n" TAIL},
    {"int8 times uint8 has no kernel in runtimes", HEAD
     "const i int8[] 3\nq = QuantizeLinear(x, s, i)\nD = DequantizeLinear(q, s, i)\nconst a uint8[6,2] 9\n"
     "A = DequantizeLinear(a, s, )\ny = MatMul(D, A)\n" TAIL},
};

// What is read with other parameters than it was made with keeps its factors: channels with scales of their
// own behind one quantized result.
START_TEST(other_parameters_are_kept_as_factors) {
    static const char *const tails[] = {
        "Y = DequantizeLinear(yq, c, k)\n", "Y = DequantizeLinear(yq, c, k) axis=-3\n",
        "T = Transpose(yq) perm=[0,2,3,1]\nY = DequantizeLinear(T, c, k) axis=3\n",
        "Y = DequantizeLinear(yq, d, o)\n"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char text[2048];
        snprintf(
            text, sizeof text,
            HEAD
            "const c float32[4] 0.05 0.0625 0.1 0.2\nconst k uint8[4] 70 77 80 10\nconst d float32[] 0.1\n"
            "y = Conv(X, W)\nyq = QuantizeLinear(y, t, m)\n%sout Y\n",
            tails[i]);
        oq_model *given = build(text), *model = build(text);
        oq_forms forms = rewrite(model, DEQUANTIZE);
        ck_assert_uint_eq(test_count(model, "DequantizeLinear") + test_count(model, "QuantizeLinear"), 0);
        ck_assert_uint_eq(test_count(model, "Mul"), 1);
        same_outputs(given, model, .3, tails[i]);
        oq_forms_release(&forms);
        oq_model_free(given);
        oq_model_free(model);
    }
}
END_TEST

START_TEST(what_cannot_be_lowered_stays_with_its_reason) {
    oq_model *given = build(stays[_i].nodes), *model = build(stays[_i].nodes);
    oq_forms forms = rewrite(model, LOWER);
    ck_assert_uint_eq(forms.rewritten, 0);
    ck_assert_uint_eq(forms.left_count, 1);
    ck_assert_str_eq(forms.left[0].reason, stays[_i].reason);
    same_outputs(given, model, 0, stays[_i].reason);
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
}
END_TEST

// --- operators of com.microsoft ---

static const struct {
    const char *op_type, *float_op, *nodes;
} foreign[] = {
    {"QLinearAdd", "Add",
     HEAD "yq = QLinearAdd(xq, s, z, xq, t, z, t, o)\nY = DequantizeLinear(yq, t, o)\nout Y\n"},
    {"QLinearMul", "Mul",
     HEAD "yq = QLinearMul(xq, s, z, xq, t, z, t, m)\nY = DequantizeLinear(yq, t, m)\nout Y\n"},
    {"QLinearSigmoid", "Sigmoid",
     HEAD "yq = QLinearSigmoid(xq, t, z, s, o)\nY = DequantizeLinear(yq, s, o)\nout Y\n"},
    {"QLinearLeakyRelu", "LeakyRelu",
     HEAD "yq = QLinearLeakyRelu(xq, s, z, t, m) alpha=0.1\nY = DequantizeLinear(yq, t, m)\nout Y\n"},
    {"QLinearSoftmax", "Softmax",
     HEAD "yq = QLinearSoftmax(xq, t, z, s, o) opset=13 axis=-1\nY = DequantizeLinear(yq, s, o)\nout Y\n"},
    {"QLinearGlobalAveragePool", "GlobalAveragePool",
     HEAD "yq = QLinearGlobalAveragePool(xq, s, z, s, z) channels_last=0\nY = DequantizeLinear(yq, s, "
          "z)\nout Y\n"},
    {"QLinearAveragePool", "AveragePool",
     HEAD
     "yq = QLinearAveragePool(xq, s, z, s, z) kernel_shape=[2,2]\nY = DequantizeLinear(yq, s, z)\nout Y\n"},
    {"QLinearConcat", "Concat",
     HEAD "yq = QLinearConcat(t, m, xq, s, z, xq, t, o) axis=1\nY = DequantizeLinear(yq, t, m)\nout Y\n"},
    {"QGemm", "Gemm",
     HEAD
     "const p int64[2] 18 6\nr = Reshape(xq, p)\nconst a int8[2,6] 9 -8 7\nconst as float32[2] 0.02 0.3\n"
     "const az int8[2] 0\nconst b int32[2] 50 -9\n"
     "yq = QGemm(r, s, z, a, as, az, b, t, m) transB=1\nY = DequantizeLinear(yq, t, m)\nout Y\n"},
    {"MatMulIntegerToFloat", "MatMul",
     HEAD "const a int8[6,2] 9 -8 7\nconst i int8[] 0\nconst b float32[2] 50 -9\n"
          "Y = MatMulIntegerToFloat(xq, a, s, t, z, i, b)\nout Y\n"},
    {"DynamicQuantizeMatMul", "MatMul",
     "in x float32[3,6]\nconst a int8[6,2] 9 -8 7\nconst t float32[] 0.1\nconst b float32[2] 50 -9\n"
     "Y = DynamicQuantizeMatMul(x, a, t, , b)\nout Y\n"},
};

static oq_model *build_foreign(int index) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 21, foreign[index].nodes);
    for (size_t i = 0; i < model->graph->node_count; i++)
        if (!strcmp(model->graph->nodes[i]->op_type, foreign[index].op_type))
            model->graph->nodes[i]->domain = "com.microsoft";
    CK_OK(oq_model_set_opset(model, "com.microsoft", 1, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return model;
}

START_TEST(foreign_operators_become_standard_ones) {
    oq_model *given = build_foreign(_i), *model = build_foreign(_i);
    ck_assert(oq_forms_is_quantized(model->graph));
    oq_forms forms = rewrite(model, RAISE);
    ck_assert_uint_eq(forms.rewritten, 1);
    ck_assert_uint_eq(test_count(model, foreign[_i].op_type), 0);
    ck_assert_uint_eq(test_count(model, foreign[_i].float_op), 1);
    same_outputs(given, model, STEP, foreign[_i].op_type);
    oq_forms_release(&forms);
    forms = rewrite(model, DEQUANTIZE);
    ck_assert_msg(!oq_forms_is_quantized(model->graph), "%s: quantization is left", foreign[_i].op_type);
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
}
END_TEST

// --- float again ---

// Integers clipped to other bounds than those of a grid, and bounds that are noted in the model: as long as
// the integers keep within them.
static const struct {
    const char *clip, *note; // between QuantizeLinear (scale .0625, zero point 77) and DequantizeLinear
    const char *op_type;
    double low, high;
} clips[] = {
    {"aq = Clip(b, lo, hi)\n", "", "Clip", -1.0625, 7.6875},
    {"aq = Clip(b, lo)\n", "", "Clip", -1.0625, INFINITY},
    {"aq = Clip(b, m)\n", "", "Relu", 0, INFINITY},
    {"aq = Clip(b, m, hi)\n", "", "Clip", 0, 7.6875},
    {"aq = Clip(b, o, seven)\n", "", "Conv", 0, 0}, // 7 bits
    {"", "", "Conv", 0, 0},
    {"", "bq 0 1\nb -5 11.5\n", "Clip", -5, 11.5},
    {"", "b -5 inf\n", "Clip", -5, INFINITY},
    {"", "b -1 11.5\n", "Conv", 0, 0}, // the integers go further
    {"", "b -5\n", "Conv", 0, 0},
    {"", "b", "Conv", 0, 0},
};

// Scales that one DequantizeLinear makes for several products.
START_TEST(joined_scales_are_taken_apart) {
    const char *const text = "in x float32[2,4]\nconst s float32[] 0.0078125\nconst t float32[] 0.015625\n"
                             "const z uint8[] 128\nconst ones uint8[2] 1\n"
                             "const made float32[2] 0.0078125 0.015625\nconst split int64[2] 1\n"
                             "const w int8[4,4] 5 -7 3 90 -128 127 0 1 2 -60 44 17 -3\n"
                             "const ws float32[4] 0.01 0.02 0.005 0.03\n"
                             "xq = QuantizeLinear(x, s, z)\nd = DequantizeLinear(ones, made) axis=0\n"
                             "a, b = Split(d, split) axis=0\np = Mul(a, ws)\ni = MatMulInteger(xq, w, z)\n"
                             "c = Cast(i) to=1\nm = Mul(c, p)\nh = Tanh(m)\nhq = QuantizeLinear(h, t, z)\n"
                             "q = Mul(ws, b)\nj = MatMulInteger(hq, w, z)\ne = Cast(j) to=1\n"
                             "y = Mul(e, q)\nout y\n";
    oq_model *before = build(text), *after = build(text);
    oq_forms forms = rewrite(after, RAISE);
    ck_assert_uint_eq(forms.rewritten, 2);
    ck_assert_uint_eq(test_count(after, "MatMul"), 2);
    ck_assert_uint_eq(test_count(after, "MatMulInteger"), 0);
    same_outputs(before, after, 1e-5, "joined scales");
    oq_forms_release(&forms);
    oq_model_free(before);
    oq_model_free(after);
}
END_TEST

START_TEST(clips_keep_their_bounds) {
    oq_error err = {0};
    char text[2048];
    snprintf(text, sizeof text,
             HEAD "const lo uint8[] 60\nconst hi uint8[] 200\nconst seven uint8[] 127\na = Conv(X, W)\n"
                  "b = QuantizeLinear(a, t, m)\n%sA = DequantizeLinear(%s, t, m)\nout A\n",
             clips[_i].clip, *clips[_i].clip ? "aq" : "b");
    oq_model *given = build(text), *model = build(text);
    CK_OK(oq_model_set_metadata(model, "onnxq.clips", clips[_i].note, &err), &err);
    oq_forms forms = rewrite(model, DEQUANTIZE);
    const oq_node *node = test_producer(model, "A");
    ck_assert_str_eq(node->op_type, clips[_i].op_type);
    if (!strcmp(node->op_type, "Clip")) {
        double low, high;
        ck_assert(oq_node_clip_bounds(model->graph, node, &low, &high));
        ck_assert(low == clips[_i].low && high == clips[_i].high);
    }
    same_outputs(given, model, !strcmp(clips[_i].note, "") && _i == 4 ? INFINITY : 0.04, clips[_i].clip);
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
}
END_TEST

START_TEST(saturation_becomes_a_clip) {
    oq_model *model =
        build(HEAD "const six float32[] 0.023529412\n"
                   "a = Conv(X, W)\naq = QuantizeLinear(a, t, o)\nA = DequantizeLinear(aq, t, o)\n"
                   "b = Conv(X, W)\nbq = QuantizeLinear(b, six, o)\nB = DequantizeLinear(bq, six, o)\n"
                   "c = Sigmoid(x)\ncq = QuantizeLinear(c, s, o)\nC = DequantizeLinear(cq, s, o)\n"
                   "d = Conv(X, W)\ndq = QuantizeLinear(d, t, m)\nD = DequantizeLinear(dq, t, m)\n"
                   "out A B C D\n");
    oq_forms forms = rewrite(model, DEQUANTIZE);
    ck_assert_uint_eq(forms.clips, 2);
    ck_assert_uint_eq(forms.removed, 11);
    ck_assert_str_eq(test_producer(model, "A")->op_type, "Relu");
    ck_assert_str_eq(test_producer(model, "B")->op_type, "Clip");
    ck_assert_str_eq(test_producer(model, "C")->op_type, "Sigmoid");
    ck_assert_str_eq(test_producer(model, "D")->op_type, "Conv");
    oq_forms_release(&forms);
    oq_model_free(model);
}
END_TEST

START_TEST(weights_are_what_their_integers_mean) {
    oq_model *model =
        build("in x float32[2,3]\nconst w int8[3,2] 5 -7 3 90 -128 127\nconst s float32[2] 0.5 0.25\n"
              "const z int8[2] 1 -1\nW = DequantizeLinear(w, s, z) axis=1\ny = MatMul(x, W)\nout y\n");
    static const float expected[] = {2, -1.5f, 1, 22.75f, -64.5f, 32};
    oq_forms forms = rewrite(model, DEQUANTIZE);
    oq_tensor weight;
    oq_error err = {0};
    const oq_constant *constant = oq_graph_constant(model->graph, test_producer(model, "y")->inputs[1]);
    ck_assert_ptr_nonnull(constant);
    CK_OK(oq_constant_load(&mem, constant, &weight, &err), &err);
    ck_assert_int_eq(weight.dtype, ONNXQ_FLOAT);
    ck_assert_mem_eq(weight.data, expected, sizeof expected);
    oq_tensor_release(&weight);
    oq_forms_release(&forms);
    oq_model_free(model);
}
END_TEST

START_TEST(rows_of_a_table_are_looked_up_as_floats) {
    const char text[] = "in i int64[3]\nconst w int8[5,2] 5 -7 3 90 -128 127\nconst s float32[] 0.5\n"
                        "g = Gather(w, i)\ny = DequantizeLinear(g, s, )\nout y\n";
    oq_model *given = build(text), *model = build(text);
    oq_forms forms = rewrite(model, DEQUANTIZE);
    ck_assert_str_eq(test_producer(model, "y")->op_type, "Gather");
    same_outputs(given, model, 0, "table");
    oq_forms_release(&forms);
    oq_model_free(given);
    oq_model_free(model);
}
END_TEST

START_TEST(integer_inputs_keep_their_conversion) {
    oq_model *model = build("in x uint8[4]\nconst s float32[] 0.5\ny = DequantizeLinear(x, s, )\nout y\n");
    oq_forms forms = rewrite(model, DEQUANTIZE);
    ck_assert_uint_eq(test_count(model, "DequantizeLinear"), 1);
    ck_assert_uint_eq(forms.left_count, 1);
    oq_forms_release(&forms);
    oq_model_free(model);
}
END_TEST

START_TEST(float_graphs_are_not_quantized) {
    oq_model *model = build("in x float32[4]\ny = Relu(x)\nout y\n");
    ck_assert(!oq_forms_is_quantized(model->graph));
    oq_model_free(model);
}
END_TEST

int main(void) {
    const int count = sizeof products / sizeof *products;
    Suite *suite = suite_create("forms");
    TCase *c = tcase_create("forms");
    tcase_add_loop_test(c, integer_operators_and_back_give_the_same, 0, count);
    tcase_add_loop_test(c, every_parameter_survives_the_round_trip, 0, count);
    tcase_add_test(c, movers_run_on_integers);
    tcase_add_loop_test(c, what_cannot_be_lowered_stays_with_its_reason, 0, sizeof stays / sizeof *stays);
    tcase_add_loop_test(c, foreign_operators_become_standard_ones, 0, sizeof foreign / sizeof *foreign);
    tcase_add_test(c, other_parameters_are_kept_as_factors);
    tcase_add_test(c, joined_scales_are_taken_apart);
    tcase_add_loop_test(c, clips_keep_their_bounds, 0, sizeof clips / sizeof *clips);
    tcase_add_test(c, saturation_becomes_a_clip);
    tcase_add_test(c, weights_are_what_their_integers_mean);
    tcase_add_test(c, rows_of_a_table_are_looked_up_as_floats);
    tcase_add_test(c, integer_inputs_keep_their_conversion);
    tcase_add_test(c, float_graphs_are_not_quantized);
    suite_add_tcase(suite, c);
    return test_main(suite);
}
