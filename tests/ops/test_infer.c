// Schema check, shape inference with followed shape arithmetic, and upgrades, on graphs written as text.
#include "support/graphs.h"
#include "support/support.h"

#include "ops/ops.h"

#include <string.h>

static oq_mem mem;

static oq_status infer(oq_model *model, oq_error *err) { return oq_infer_graph(model->graph, err); }

// The type of `value` after inference as text.
static void expect(const oq_model *model, const char *value, const char *type) {
    oq_text text;
    oq_text_init(&text, &mem);
    oq_type_format(&oq_graph_value(model->graph, test_value(model, value))->type, &text);
    ck_assert_str_eq(oq_text_get(&text), type);
    oq_text_release(&text);
}

static oq_model *inferred(int64_t opset, const char *text) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, opset, text);
    CK_OK(infer(model, &err), &err);
    return model;
}

static void done(oq_model *model) {
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}

// The same through int32, with a batch that nobody named: the other sizes are known all the same.
START_TEST(shape_arithmetic_passes_casts) {
    oq_model *model = inferred(13, "in x float32[?,128]\n"
                                   "const from int64[1] 0\n"
                                   "const to int64[1] 1\n"
                                   "const tail int32[2] 32 4\n"
                                   "s = Shape(x)\n"
                                   "i = Cast(s) to=6\n"
                                   "n = Slice(i, from, to)\n"
                                   "j = Concat(n, tail) axis=0\n"
                                   "l = Cast(j) to=7\n"
                                   "y = Reshape(x, l)\n"
                                   "out y\n");
    expect(model, "y", "float32[?,32,4]");
    done(model);
}
END_TEST

// What exporters write for x.view(batch, -1, heads, size): the batch stays a symbol, the rest is computed.
START_TEST(shape_arithmetic_is_followed) {
    oq_model *model = inferred(13, "in x float32[N,128,768]\n"
                                   "const zero int64[] 0\n"
                                   "const axis int64[1] 0\n"
                                   "const tail int64[3] -1 12 64\n"
                                   "const starts int64[1] 1\n"
                                   "const ends int64[1] 2\n"
                                   "const minus int64[1] -1\n"
                                   "s = Shape(x)\n"
                                   "n = Gather(s, zero)\n"
                                   "n1 = Unsqueeze(n, axis)\n"
                                   "to = Concat(n1, tail) axis=0\n"
                                   "y = Reshape(x, to)\n"
                                   "z = Transpose(y) perm=[0,2,1,3]\n"
                                   "part = Slice(s, starts, ends)\n"
                                   "flat = Concat(n1, minus) axis=0\n"
                                   "f = Reshape(x, flat)\n"
                                   "c = ConstantOfShape(part)\n"
                                   "out z f c\n");
    expect(model, "y", "float32[N,128,12,64]");
    expect(model, "z", "float32[N,12,128,64]");
    expect(model, "f", "float32[N,98304]");
    expect(model, "c", "float32[128]");
    done(model);
}
END_TEST

// Reshape cancels symbols and numbers that stand on both sides.
START_TEST(reshape_cancels_symbols) {
    oq_model *model = inferred(14, "in x float32[N,T,12,64]\n"
                                   "const last int64[3] 0 0 -1\n"
                                   "const first int64[2] -1 768\n"
                                   "in z int32[N,2048]\n"
                                   "const column int64[3] -1 2048 1\n"
                                   "a = Reshape(x, last)\n"
                                   "b = Reshape(x, first)\n"
                                   "c = Reshape(z, column)\n"
                                   "out a b c\n");
    expect(model, "a", "float32[N,T,768]");
    expect(model, "b", "float32[?,768]");
    expect(model, "c", "int32[N,2048,1]");
    done(model);
}
END_TEST

START_TEST(attributes_and_inputs_say_the_same) {
    oq_model *old = inferred(11, "in x float32[2,1,6]\n"
                                 "a = Squeeze(x) axes=[1]\n"
                                 "b, c = Split(x) axis=2 split=[2,4]\n"
                                 "d = Unsqueeze(x) axes=[0,-1]\n"
                                 "out a b c d\n");
    oq_model *new = inferred(13, "in x float32[2,1,6]\n"
                                 "const one int64[1] 1\n"
                                 "const sizes int64[2] 2 4\n"
                                 "const both int64[2] 0 -1\n"
                                 "a = Squeeze(x, one)\n"
                                 "b, c = Split(x, sizes) axis=2\n"
                                 "d = Unsqueeze(x, both)\n"
                                 "out a b c d\n");
    static const char *const types[4][2] = {
        {"a", "float32[2,6]"}, {"b", "float32[2,1,2]"}, {"c", "float32[2,1,4]"}, {"d", "float32[1,2,1,6,1]"}};
    for (int k = 0; k < 4; k++) {
        expect(old, types[k][0], types[k][1]);
        expect(new, types[k][0], types[k][1]);
    }
    oq_model_free(old);
    done(new);
}
END_TEST

START_TEST(contradictions_are_errors) {
    static const char *const texts[] = {
        "in x float32[2,3]\nconst s int64[1] 7\ny = Reshape(x, s)\nout y\nz = Concat(x, y) axis=0\nout z\n",
        "in x float32[2,3]\ny = Transpose(x) perm=[0,0]\nout y\n",
        "in x float32[2,3]\ny = Transpose(x) perm=[0,1,2]\nout y\n",
        "in x float32[2,3]\nin w float32[4,3]\ny = Concat(x, w) axis=1\nout y\n",
        "in x float32[2,3]\nconst i int64[1] 5\ns = Shape(x)\ny = Gather(s, i)\nout y\n",
        "in x float32[2,3]\nin w float32[4]\ny = Add(x, w)\nout y\n",
    };
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        oq_error err = {0};
        oq_model *model = test_graph(&mem, 13, texts[k]);
        ck_assert_msg(infer(model, &err) == ONNXQ_BAD_MODEL, "accepted: %s", texts[k]);
        ck_assert_msg(strstr(err.message, "node '"), "no node in: %s", err.message);
        done(model);
    }
}
END_TEST

static oq_model *declared_as(oq_dtype dtype, int rank, const oq_dim *dims, oq_status expected) {
    oq_error err = {0};
    oq_model *model =
        test_graph(&mem, 13, "in x float32[2,3]\nconst a int64[1] 1\ny = Unsqueeze(x, a)\nout y\n");
    oq_gvalue *y = oq_graph_value(model->graph, test_value(model, "y"));
    y->type = oq_type_tensor(dtype, rank, dims);
    ck_assert_int_eq(infer(model, &err), expected);
    return model;
}

// Runtimes load such models, so what is computed counts; an element type must be the declared one.
START_TEST(a_wrong_declaration_gives_way) {
    oq_model *model = declared_as(ONNXQ_FLOAT, 2, (oq_dim[]){{2, NULL}, {-1, NULL}}, ONNXQ_OK);
    expect(model, "y", "float32[2,1,3]");
    ck_assert_str_eq(oq_graph_value(model->graph, test_value(model, "y"))->misdeclared, "float32[2,?]");
    oq_error err = {0};
    CK_OK(infer(model, &err), &err);
    oq_model *copy;
    CK_OK(oq_model_clone(model, &copy, &err), &err);
    ck_assert_str_eq(oq_graph_value(copy->graph, test_value(copy, "y"))->misdeclared, "float32[2,?]");
    oq_model_free(copy);
    done(model);
    model = declared_as(ONNXQ_FLOAT, 3, (oq_dim[]){{2, NULL}, {1, NULL}, {4, NULL}}, ONNXQ_OK);
    expect(model, "y", "float32[2,1,3]");
    done(model);
    model = declared_as(ONNXQ_FLOAT, 3, NULL, ONNXQ_OK);
    ck_assert_ptr_null(oq_graph_value(model->graph, test_value(model, "y"))->misdeclared);
    done(model);
    done(declared_as(ONNXQ_INT8, 3, NULL, ONNXQ_BAD_MODEL));
}
END_TEST

// What is wrong, and a piece of the sentence that says so.
static const struct {
    int64_t opset;
    const char *text, *sentence;
} wrong[] = {
    {13, "in x float32[2]\ny = Rleu(x)\nout y\n", "did you mean Relu"},
    {13, "in x float32[2]\ny = Gelu(x)\nout y\n", "exists from opset 20"},
    {13, "in x float32[2]\ny = Relu(x, x)\nout y\n", "has 1 inputs, but this node has 2"},
    {13, "in x float32[2]\ny = Transpose(x) prem=[0]\nout y\n", "did you mean 'perm'"},
    {13, "in x float32[2]\ny = Squeeze(x) axes=[0]\nout y\n", "has no attribute 'axes'"},
    {13, "in x float32[2]\ny = Concat(x)\nout y\n", "needs attribute 'axis'"},
    {13, "in x float32[2]\ny = Concat(x) axis=0.5\nout y\n", "must be of kind int"},
    {13, "in x string[2]\ny = Relu(x)\nout y\n", "does not take string"},
    {13, "in x float32[2]\nin z int64[2]\ny = Add(x, z)\nout y\n", "are float32"},
    {13, "in x float32[2]\nin z int64[2]\ny = Reshape(, z)\nout y\n", "is left out"},
};

START_TEST(schema_breaches_are_named) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, wrong[_i].opset, wrong[_i].text);
    ck_assert_int_ne(oq_check_graph(model->graph, false, &err), ONNXQ_OK);
    ck_assert_msg(strstr(err.message, wrong[_i].sentence), "'%s' lacks '%s'", err.message,
                  wrong[_i].sentence);
    ck_assert_msg(strstr(err.message, "node '"), "no node in: %s", err.message);
    done(model);
}
END_TEST

static void upgrade(oq_model *model, const char *output, int64_t from, int64_t to) {
    oq_error err = {0};
    oq_node *node = test_producer(model, output);
    for (int64_t v = from + 1; v <= to; v++) {
        const oq_op *op = oq_op_find("", node->op_type);
        const oq_op_version *version = oq_op_at(op, v);
        if (!version || version->since != v || !version->upgrade) continue;
        oq_upgrade_context context = {.graph = model->graph, .node = node, .from = v - 1, .to = v};
        CK_OK(version->upgrade(&context, &err), &err);
        node = test_producer(model, output);
    }
    CK_OK(oq_model_set_opset(model, "", to, &err), &err);
    CK_OK(oq_check_graph(model->graph, false, &err), &err);
    CK_OK(infer(model, &err), &err);
}

// An upgraded node is valid in the new opset and gives the same type.
static const struct {
    int64_t from, to;
    const char *text, *type, *op_type;
} upgrades[] = {
    {11, 13, "in x float32[2,1,6]\ny = Squeeze(x) axes=[1]\nout y\n", "float32[2,6]", "Squeeze"},
    {11, 13, "in x float32[2,6]\ny = Unsqueeze(x) axes=[0]\nout y\n", "float32[1,2,6]", "Unsqueeze"},
    {11, 18, "in x float32[2,6]\ny, z = Split(x) axis=1 split=[2,4]\nout y z\n", "float32[2,2]", "Split"},
    {9, 13, "in x float32[9]\ny = Slice(x) starts=[1] ends=[4]\nout y\n", "float32[3]", "Slice"},
    {10, 11, "in x float32[3,3]\ny = Pad(x) pads=[0,1,0,1] value=2.5\nout y\n", "float32[3,5]", "Pad"},
    {9, 11, "in x float32[9]\ny, z = TopK(x) k=3\nout y z\n", "float32[3]", "TopK"},
    {4, 13, "in x float32[2,6]\ny = Reshape(x) shape=[3,-1]\nout y\n", "float32[3,4]", "Reshape"},
    {9, 13, "in x float32[1,1,2,2]\nconst s float32[4] 1 1 2 3\ny = Upsample(x, s)\nout y\n",
     "float32[1,1,4,6]", "Resize"},
    {10, 13, "in x float32[1,1,2,2]\nconst s float32[4] 1 1 2 3\ny = Resize(x, s)\nout y\n",
     "float32[1,1,4,6]", "Resize"},
    {9, 13, "in x float32[3]\nconst i int64[1] 1\nin u float32[1]\ny = Scatter(x, i, u)\nout y\n",
     "float32[3]", "ScatterElements"},
    {3, 4, "in x float32[2,6]\ny = Concat(x, x)\nout y\n", "float32[2,12]", "Concat"},
};

START_TEST(upgrades_keep_the_type) {
    oq_model *model = test_graph(&mem, upgrades[_i].from, upgrades[_i].text);
    upgrade(model, "y", upgrades[_i].from, upgrades[_i].to);
    ck_assert_str_eq(test_producer(model, "y")->op_type, upgrades[_i].op_type);
    expect(model, "y", upgrades[_i].type);
    done(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inference");
    TCase *tests = tcase_create("graphs");
    tcase_add_test(tests, shape_arithmetic_is_followed);
    tcase_add_test(tests, shape_arithmetic_passes_casts);
    tcase_add_test(tests, reshape_cancels_symbols);
    tcase_add_test(tests, attributes_and_inputs_say_the_same);
    tcase_add_test(tests, contradictions_are_errors);
    tcase_add_test(tests, a_wrong_declaration_gives_way);
    tcase_add_loop_test(tests, schema_breaches_are_named, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_loop_test(tests, upgrades_keep_the_type, 0, sizeof upgrades / sizeof upgrades[0]);
    suite_add_tcase(suite, tests);
    return test_main(suite);
}
