// Functions written out in primitives are found in every form that exporters write, and nothing else is.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static oq_mem mem;

#define NONE (-1)

// `body` turns x into y; `kind` NONE: no region may be found. Every node must belong to it unless `rest` are
// free.
typedef struct form {
    int kind;
    size_t rest;
    const char *body;
} form;

static const form forms[] = {
    // GELU by erf
    {OQ_REGION_GELU, 0, "d = Div(x, r2)\ne = Erf(d)\np = Add(e, one)\nm = Mul(x, p)\ny = Mul(m, half)"},
    {OQ_REGION_GELU, 0, "d = Mul(ir2, x)\ne = Erf(d)\np = Add(one, e)\nh = Mul(half, p)\ny = Mul(h, x)"},
    {OQ_REGION_GELU, 0, "d = Div(x, r2)\ne = Erf(d)\np = Add(e, one)\nh = Mul(x, half)\ny = Mul(p, h)"},
    // GELU by tanh: cube by Pow, by products, nested as JAX does
    {OQ_REGION_GELU_TANH, 0,
     "q = Pow(x, three)\nk = Mul(q, k44)\ns = Add(x, k)\nt = Mul(s, k79)\nu = Tanh(t)\np = Add(u, one)\n"
     "m = Mul(x, p)\ny = Mul(half, m)"},
    {OQ_REGION_GELU_TANH, 0,
     "q = Mul(x, x)\nq3 = Mul(q, x)\nk = Mul(k44, q3)\ns = Add(k, x)\nt = Mul(k79, s)\nu = Tanh(t)\n"
     "p = Add(one, u)\nh = Mul(half, x)\ny = Mul(h, p)"},
    {OQ_REGION_GELU_TANH, 0,
     "a = Mul(k44, x)\nb = Mul(x, a)\nk = Mul(x, b)\ns = Add(x, k)\nt = Mul(k79, s)\nu = Tanh(t)\n"
     "p = Add(one, u)\nh = Mul(half, p)\ny = Mul(x, h)"},
    {OQ_REGION_SILU, 0, "s = Sigmoid(x)\ny = Mul(x, s)"},
    {OQ_REGION_SILU, 0, "b = Mul(x, k79)\ns = Sigmoid(b)\ny = Mul(s, x)"},
    // HardSwish
    {OQ_REGION_HARD_SWISH, 0, "a = Add(x, three)\nc = Clip(a, zero, six)\nm = Mul(x, c)\ny = Div(m, six)"},
    {OQ_REGION_HARD_SWISH, 0, "a = Add(x, three)\nc = Clip(a, zero, six)\nd = Div(c, six)\ny = Mul(d, x)"},
    {OQ_REGION_HARD_SWISH, 0,
     "a = Add(three, x)\nb = Relu(a)\nc = Min(b, six)\nd = Mul(c, sixth)\ny = Mul(x, d)"},
    {OQ_REGION_HARD_SWISH, 0, "h = HardSigmoid(x) alpha=0.1666667 beta=0.5\ny = Mul(x, h)"},
    {OQ_REGION_HARD_SWISH, 0, "y = HardSwish(x)"},
    {OQ_REGION_HARD_SIGMOID, 0, "a = Add(x, three)\nc = Clip(a, zero, six)\ny = Div(c, six)"},
    // LayerNormalization: variance by Pow, by Mul; RMSNorm; softmax arithmetic
    {OQ_REGION_LAYER_NORM, 0,
     "a = ReduceMean(x) axes=[-1]\nd = Sub(x, a)\nq = Pow(d, two)\nv = ReduceMean(q) axes=[-1]\ne = Add(v, "
     "eps)\n"
     "s = Sqrt(e)\nn = Div(d, s)\ng = Mul(n, gamma)\ny = Add(g, gamma)"},
    {OQ_REGION_LAYER_NORM, 0,
     "a = ReduceMean(x) axes=[-1]\nd = Sub(x, a)\nq = Mul(d, d)\nv = ReduceMean(q) axes=[-1]\ne = Add(eps, "
     "v)\n"
     "s = Sqrt(e)\nr = Reciprocal(s)\nn = Mul(d, r)\ny = Mul(gamma, n)"},
    {OQ_REGION_RMS_NORM, 0,
     "q = Pow(x, two)\nv = ReduceMean(q) axes=[-1]\ne = Add(v, eps)\ns = Sqrt(e)\nr = Div(one, s)\nn = "
     "Mul(x, r)\n"
     "y = Mul(gamma, n)"},
    {OQ_REGION_SOFTMAX, 0,
     "m = ReduceMax(x) axes=[-1]\nd = Sub(x, m)\ne = Exp(d)\ns = ReduceSum(e)\ny = Div(e, s)"},
    // what only looks like one
    {NONE, 5, "d = Div(x, r2)\ne = Erf(d)\np = Add(e, one)\nm = Mul(x, p)\ny = Mul(m, two)"},
    {NONE, 5, "d = Div(x, r2)\ne = Erf(d)\np = Add(e, one)\nm = Mul(z, p)\ny = Mul(m, half)"},
    {NONE, 2, "s = Sigmoid(x)\ny = Mul(z, s)"},
    {NONE, 2, "h = HardSigmoid(x) alpha=0.2 beta=0.5\ny = Mul(x, h)"},
    {NONE, 1, "y = Mul(x, x)"},
};

static oq_model *model_of(const form *f) {
    char text[2048];
    snprintf(
        text, sizeof text,
        "in x float32[2,8]\nin z float32[2,8]\nconst r2 float32[] 1.4142135\nconst ir2 float32[1] "
        "0.70710677\n"
        "const one float32[1,1] 1\nconst half float32[] 0.5\nconst two float32[] 2\nconst three float32[] 3\n"
        "const zero float32[] 0\nconst six float32[] 6\nconst sixth float32[] 0.16666667\n"
        "const k44 float32[] 0.044715\nconst k79 float32[] 0.7978846\nconst eps float32[] 1e-6\n"
        "const gamma float32[8] 1.5\n%s\nout y\n",
        f->body);
    return test_graph(&mem, 17, text);
}

START_TEST(forms_are_found) {
    const form *f = &forms[_i];
    oq_model *model = model_of(f);
    oq_regions regions;
    oq_error err = {0};
    CK_OK(oq_pass_find_regions(model->graph, &regions, &err), &err);
    size_t outside = 0;
    for (size_t i = 0; i < model->graph->node_count; i++)
        outside += model->graph->nodes[i]->region == OQ_NONE;
    ck_assert_msg(outside == f->rest, "%zu nodes outside of\n%s", outside, f->body);
    ck_assert_uint_eq(regions.count, f->kind == NONE ? 0 : 1);
    if (f->kind != NONE) {
        ck_assert_int_eq(regions.items[0].kind, f->kind);
        ck_assert_int_eq(regions.items[0].input, test_value(model, "x"));
        ck_assert_int_eq(regions.items[0].output, test_value(model, "y"));
    }
    oq_regions_release(&regions);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(clip_attributes_of_old_opsets_count) {
    oq_model *model =
        test_graph(&mem, 9,
                   "in x float32[2,8]\nconst three float32[] 3\nconst six float32[] 6\n"
                   "a = Add(x, three)\nc = Clip(a) min=0.0 max=6.0\nm = Mul(x, c)\ny = Div(m, six)\nout y\n");
    oq_regions regions;
    oq_error err = {0};
    CK_OK(oq_pass_find_regions(model->graph, &regions, &err), &err);
    ck_assert_uint_eq(regions.count, 1);
    ck_assert_int_eq(regions.items[0].kind, OQ_REGION_HARD_SWISH);
    oq_regions_release(&regions);
    oq_model_free(model);
}
END_TEST

START_TEST(two_in_a_row_stay_apart) {
    oq_model *model = test_graph(
        &mem, 17, "in x float32[2,8]\ns = Sigmoid(x)\nh = Mul(x, s)\nt = Sigmoid(h)\ny = Mul(t, h)\nout y\n");
    oq_regions regions;
    oq_error err = {0};
    CK_OK(oq_pass_find_regions(model->graph, &regions, &err), &err);
    ck_assert_uint_eq(regions.count, 2);
    ck_assert_int_ne(test_producer(model, "h")->region, test_producer(model, "y")->region);
    ck_assert_int_eq(test_producer(model, "s")->region, test_producer(model, "h")->region);
    oq_regions_release(&regions);
    oq_model_free(model);
}
END_TEST

// The floors are where the functions are nearly 0, and below them they stay there.
START_TEST(floors_are_near_zero) {
    ck_assert_double_eq(oq_region_floor(OQ_REGION_HARD_SWISH), -3);
    ck_assert(isinf(oq_region_floor(OQ_REGION_LAYER_NORM)));
    ck_assert(isinf(oq_region_floor(OQ_REGION_SOFTMAX)));
    for (double x = -40; x <= oq_region_floor(OQ_REGION_GELU); x += 0.25)
        ck_assert_double_lt(fabs(0.5 * x * (1 + erf(x / sqrt(2)))), 2e-4);
    for (double x = -40; x <= oq_region_floor(OQ_REGION_SILU); x += 0.25)
        ck_assert_double_lt(fabs(x / (1 + exp(-x))), 3e-3);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("regions");
    TCase *tcase = tcase_create("regions");
    tcase_add_loop_test(tcase, forms_are_found, 0, sizeof forms / sizeof *forms);
    tcase_add_test(tcase, clip_attributes_of_old_opsets_count);
    tcase_add_test(tcase, two_in_a_row_stay_apart);
    tcase_add_test(tcase, floors_are_near_zero);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
