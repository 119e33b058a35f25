// Models of other float types as ones of float32: the same outputs within their own precision, the same types
// outside.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static oq_mem mem;

// `T` stands for the type, N for its number.
static const char *const graphs[] = {
    "in x T[4,6]\nrandom w T[6,5] 3 0.4\nrandom b T[5] 4 1\np = MatMul(x, w)\nq = Add(p, b)\ny = "
    "Relu(q)\nout y\n",
    "in x T[4,6]\nin k float32[4,6]\nrandom w T[6,5] 3 0.4\nc = Cast(k) to=N\ns = Add(x, c)\ny = Gemm(s, "
    "w)\nz = Cast(y) to=1\n"
    "out y z\n",
    "in x T[1,2,4,4]\nrandom w T[3,2,3,3] 3 0.4\ny = Conv(x, w)\nz = Shape(y)\nout y z\n",
};

static oq_model *build(const char *text, oq_dtype dtype, oq_error *err) {
    char out[1024], *at = out;
    for (; *text; text++) {
        const bool alone = text[1] == '[' || text[1] == '\n' || text[1] == ' ';
        if (*text == 'T' && alone)
            at += sprintf(at, "%s", onnxq_dtype_name(dtype));
        else if (*text == 'N' && alone)
            at += sprintf(at, "%d", (int)dtype);
        else
            *at++ = *text;
    }
    *at = 0;
    oq_model *model = test_graph(&mem, 22, out);
    CK_OK(oq_infer_graph(model->graph, err), err);
    return model;
}

START_TEST(outputs_and_types_stay) {
    static const struct {
        oq_dtype dtype;
        double tolerance;
    } types[] = {{ONNXQ_FLOAT16, 4e-3}, {ONNXQ_BFLOAT16, 3e-2}, {ONNXQ_DOUBLE, 1e-5}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        oq_error err = {0};
        const oq_dtype dtype = types[i].dtype;
        oq_model *given = build(graphs[_i], dtype, &err), *model = build(graphs[_i], dtype, &err);
        bool changed;
        ck_assert_int_eq(oq_pass_product_type(model->graph), dtype);
        CK_OK(oq_pass_to_float32(model->graph, dtype, &changed, &err), &err);
        ck_assert(changed);
        CK_OK(oq_graph_check(model->graph, &err), &err);
        CK_OK(oq_check_graph(model->graph, false, &err), &err);
        ck_assert_int_eq(oq_pass_product_type(model->graph), ONNXQ_FLOAT);
        test_outputs before, after;
        test_outputs_run(given, 5, &before);
        test_outputs_run(model, 5, &after);
        test_outputs_equal(&before, &after, types[i].tolerance, onnxq_dtype_name(dtype));
        test_outputs_release(&before);
        test_outputs_release(&after);
        oq_model_free(given);
        oq_model_free(model);
        ck_assert_uint_eq(atomic_load(&mem.used), 0);
    }
}
END_TEST

START_TEST(float32_models_stay) {
    oq_error err = {0};
    bool changed;
    oq_model *model = build(graphs[0], ONNXQ_FLOAT, &err);
    CK_OK(oq_pass_to_float32(model->graph, oq_pass_product_type(model->graph), &changed, &err), &err);
    ck_assert(!changed);
    ck_assert_uint_eq(test_count(model, "Cast"), 0);
    oq_model_free(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("to_float32");
    TCase *c = tcase_create("to_float32");
    tcase_add_loop_test(c, outputs_and_types_stay, 0, sizeof graphs / sizeof *graphs);
    tcase_add_test(c, float32_models_stay);
    suite_add_tcase(suite, c);
    return test_main(suite);
}
