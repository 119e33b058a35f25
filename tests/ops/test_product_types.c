// What products, windows and quantized operators tell before they run: symbolic shapes, multiply-accumulates,
// and how nodes of old opsets become nodes of new ones.
#include "ops/ops.h"
#include "support/graphs.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static oq_model *inferred(oq_mem *mem, int64_t opset, const char *text) {
    oq_error err = {0};
    oq_model *model = test_graph(mem, opset, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return model;
}

static void expect_type(const oq_model *model, const char *value, const char *expected) {
    oq_text text;
    oq_text_init(&text, model->mem);
    oq_type_format(&oq_graph_value(model->graph, test_value(model, value))->type, &text);
    ck_assert_str_eq(oq_text_get(&text), expected);
    oq_text_release(&text);
}

static uint64_t macs_of(const oq_model *model, const char *value) {
    return oq_op_macs(model->graph, test_producer(model, value));
}

START_TEST(names_of_dimensions_survive_where_windows_keep_them) {
    oq_mem mem = {0};
    oq_model *model = inferred(&mem, 13,
                               "in x float32[N,3,H,W]\n"
                               "const w float32[8,3,3,3] 1\n"
                               "const d float32[8,1,3,3] 1\n"
                               "a = Conv(x, w) pads=[1,1,1,1]\n"
                               "b = Conv(a, d) group=8 strides=[2,1] pads=[1,1,1,1]\n"
                               "c = MaxPool(b) kernel_shape=[3,3] auto_pad=\"SAME_UPPER\"\n"
                               "e = GlobalAveragePool(c)\n"
                               "out e\n");
    expect_type(model, "a", "float32[N,8,H,W]");
    expect_type(model, "b", "float32[N,8,?,W]");
    expect_type(model, "c", "float32[N,8,?,W]");
    expect_type(model, "e", "float32[N,8,1,1]");
    ck_assert_uint_eq(macs_of(model, "a"), 8 * 3 * 3 * 3); // unknown sizes count as 1
    ck_assert_uint_eq(macs_of(model, "b"), 8 * 3 * 3);
    ck_assert_uint_eq(macs_of(model, "c"), 0);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(products_know_their_shapes_and_their_work) {
    oq_mem mem = {0};
    oq_model *model = inferred(&mem, 13,
                               "in x float32[N,4,6]\n"
                               "in y float32[1,6,5]\n"
                               "const w float32[7,6] 1\n"
                               "const c float32[5] 1\n"
                               "const t float32[2,3,2,2] 1\n"
                               "in i float32[1,2,5,5]\n"
                               "a = MatMul(x, y)\n"
                               "in m float32[M,6]\n"
                               "b = Gemm(m, w) transB=1\n"
                               "d = Einsum(x, y) equation=\"bik,bkj->bji\"\n"
                               "e = ConvTranspose(i, t) strides=[2,2]\n"
                               "out a b d e\n");
    expect_type(model, "a", "float32[N,4,5]");
    expect_type(model, "b", "float32[M,7]");
    expect_type(model, "d", "float32[N,5,4]");
    expect_type(model, "e", "float32[1,3,10,10]");
    ck_assert_uint_eq(macs_of(model, "a"), 4 * 6 * 5);
    ck_assert_uint_eq(macs_of(model, "b"), 6 * 7);
    ck_assert_uint_eq(macs_of(model, "d"), 4 * 6 * 5);
    ck_assert_uint_eq(macs_of(model, "e"), 2 * 25 * 3 * 4);
    oq_model_free(model);
}
END_TEST

START_TEST(contradictions_are_found_before_the_run) {
    static const char *const texts[] = {
        "in x float32[2,3]\nin y float32[4,5]\nz = MatMul(x, y)\nout z\n",
        "in x float32[2,3]\nin y float32[3,5]\nz = Gemm(x, y) transA=1\nout z\n",
        "in x float32[1,3,4,4]\nconst w float32[2,3,5,5] 1\nz = Conv(x, w)\nout z\n",
        "in x float32[1,3,4,4]\nz = MaxPool(x) kernel_shape=[2]\nout z\n",
        "in x float32[2,3]\nin y float32[3,2]\nz = Einsum(x, y) equation=\"ij,jk->il\"\nout z\n",
        "in x float32[2,3]\nin y float32[4,2]\nz = Einsum(x, y) equation=\"ij,jk->ik\"\nout z\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        oq_mem mem = {0};
        oq_error err = {0};
        oq_model *model = test_graph(&mem, 13, texts[i]);
        ck_assert_int_eq(oq_infer_graph(model->graph, &err), ONNXQ_BAD_MODEL);
        ck_assert_uint_gt(strlen(err.message), 10);
        oq_model_free(model);
    }
}
END_TEST

// Rewrites the node that makes `value` from the version before `to` to that of `to`.
static oq_status upgrade(oq_model *model, const char *value, int64_t to, oq_error *err) {
    oq_node *node = test_producer(model, value);
    const oq_op_version *version = oq_op_at(oq_op_find("", node->op_type), to);
    ck_assert_int_eq(version->since, to);
    if (!version->upgrade) return ONNXQ_OK;
    oq_upgrade_context context = {.graph = model->graph, .node = node, .from = to - 1, .to = to};
    return version->upgrade(&context, err);
}

START_TEST(attributes_that_lost_their_meaning_go) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_model *model =
        test_graph(&mem, 6,
                   "in x float32[2,3]\nin w float32[3,4]\nin c float32[4]\nin v float32[1,2,3]\n"
                   "in s float32[2]\n"
                   "y = Gemm(x, w, c) broadcast=1\n"
                   "b = BatchNormalization(v, s, s, s, s) is_test=1 spatial=1\n"
                   "p = LpPool(v) kernel_shape=[2] p=3.0\n"
                   "out y b p\n");
    CK_OK(upgrade(model, "y", 7, &err), &err);
    ck_assert_ptr_null(oq_node_attr(test_producer(model, "y"), "broadcast"));
    CK_OK(upgrade(model, "b", 7, &err), &err);
    CK_OK(upgrade(model, "b", 9, &err), &err);
    CK_OK(upgrade(model, "b", 14, &err), &err);
    ck_assert_uint_eq(test_producer(model, "b")->attr_count, 0);
    CK_OK(upgrade(model, "p", 2, &err), &err);
    ck_assert_int_eq(oq_node_int(test_producer(model, "p"), "p", 0), 3);
    oq_model_free(model);
}
END_TEST

START_TEST(what_has_no_new_form_is_refused_with_a_reason) {
    static const struct {
        const char *node;
        int64_t to;
    } cases[] = {{"b = BatchNormalization(v, s, s, s, s)", 7},
                 {"b = BatchNormalization(v, s, s, s, s) spatial=0", 9},
                 {"b = LpPool(v) kernel_shape=[2] p=2.5", 2},
                 {"b = GroupNormalization(v, s, s) num_groups=2", 21}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        oq_mem mem = {0};
        oq_error err = {0};
        char text[256];
        snprintf(text, sizeof text, "in v float32[1,4,3]\nin s float32[2]\n%s\nout b\n", cases[i].node);
        oq_model *model = test_graph(&mem, 6, text);
        ck_assert_int_eq(upgrade(model, "b", cases[i].to, &err), ONNXQ_UNSUPPORTED);
        oq_model_free(model);
    }
}
END_TEST

START_TEST(group_scales_are_repeated_for_their_channels) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 18,
                                 "in v float32[1,4,3]\nconst s float32[2] 1 2\nconst b float32[2] 3 4\n"
                                 "y = GroupNormalization(v, s, b) num_groups=2\nout y\n");
    CK_OK(upgrade(model, "y", 21, &err), &err);
    const oq_node *node = test_producer(model, "y");
    for (size_t input = 1; input < 3; input++) {
        oq_tensor values = {0};
        const oq_constant *constant = oq_graph_constant(model->graph, node->inputs[input]);
        ck_assert_ptr_nonnull(constant);
        CK_OK(oq_constant_load(&mem, constant, &values, &err), &err);
        ck_assert_int_eq(oq_tensor_count(&values), 4);
        for (int64_t i = 0; i < 4; i++) {
            ck_assert_double_eq(oq_tensor_get_f64(&values, i), (double)(input * 2 - 1) + (double)(i / 2));
        }
        oq_tensor_release(&values);
    }
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_types");
    TCase *tcase = tcase_create("product_types");
    tcase_add_test(tcase, names_of_dimensions_survive_where_windows_keep_them);
    tcase_add_test(tcase, products_know_their_shapes_and_their_work);
    tcase_add_test(tcase, contradictions_are_found_before_the_run);
    tcase_add_test(tcase, attributes_that_lost_their_meaning_go);
    tcase_add_test(tcase, what_has_no_new_form_is_refused_with_a_reason);
    tcase_add_test(tcase, group_scales_are_repeated_for_their_channels);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
