// Laws of the rewrites on random small graphs: outputs stay, a second time there is nothing to do, names of
// inputs and outputs stay; and what each rewrite must and must not touch. The hash says what it should depend
// on.
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static oq_mem mem;

static uint64_t state;

static size_t below(size_t limit) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(state >> 33) % limit;
}

// A graph of `count` nodes over values of shape [2,4,5,5]: some constant, some doing nothing, some products.
static void random_text(char *text, size_t size, uint64_t seed, size_t count) {
    static const char *const unary[] = {"Relu(%s)",
                                        "Identity(%s)",
                                        "Dropout(%s)",
                                        "Sigmoid(%s)",
                                        "Cast(%s) to=1",
                                        "Reshape(%s, same)",
                                        "Pad(%s, none)",
                                        "Pad(%s, shift)",
                                        "Transpose(%s) perm=[0,1,2,3]",
                                        "Concat(%s) axis=1",
                                        "Conv(%s, w)",
                                        "Mul(%s, c)",
                                        "Add(%s, c)",
                                        "Expand(%s, same)",
                                        "BatchNormalization(%s, s, s, s, v)",
                                        "Conv(%s, w) auto_pad=\"SAME_UPPER\""};
    state = seed;
    int at =
        snprintf(text, size,
                 "in x float32[2,4,5,5]\nrandom k float32[2,4,5,5] %llu 1\nrandom w float32[4,4,1,1] 2 1\n"
                 "random c float32[4,1,1] 3 1\nrandom s float32[4] 4 1\nconst v float32[4] 0.5\n"
                 "const same int64[4] 2 4 5 5\nconst none int64[8] 0\nconst shift int64[8] 0 0 1 0 0 0 -1 0\n"
                 "v0 = Relu(x)\nv1 = Neg(k)\n",
                 (unsigned long long)seed);
    for (size_t i = 2; i < count; i++) {
        char a[16], node[128];
        snprintf(a, sizeof a, "v%zu", i - 1 - below(i < 4 ? i : 4));
        if (below(5) == 0) {
            snprintf(node, sizeof node, "%s(%s, v%zu)", below(2) ? "Add" : "Mul", a, below(i));
        } else {
            const size_t kind = below(sizeof unary / sizeof unary[0]);
            snprintf(node, sizeof node, unary[kind], a);
        }
        at += snprintf(text + at, size - (size_t)at, "v%zu = %s\n", i, node);
    }
    snprintf(text + at, size - (size_t)at, "out v%zu v%zu v%zu\n", count - 1, count - 2, below(count - 2));
}

typedef oq_status (*graph_pass)(oq_graph *graph, oq_error *err);

static oq_status prepare(oq_graph *graph, oq_error *err) {
    oq_regions regions;
    const oq_status status = oq_prepare_model(graph->model, &regions, err);
    oq_regions_release(&regions);
    return status;
}

static const graph_pass passes[] = {oq_pass_fold_constants, oq_pass_remove_no_ops, oq_pass_fold_batch_norm,
                                    prepare};

START_TEST(outputs_stay_and_twice_is_once) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        char text[4096], name[32];
        random_text(text, sizeof text, seed, 6 + seed % 20);
        snprintf(name, sizeof name, "pass %d, seed %d", _i, (int)seed);
        oq_model *model = test_graph(&mem, 15, text);
        oq_error err = {0};
        test_outputs before, after;
        CK_OK(oq_infer_graph(model->graph, &err), &err);
        test_outputs_run(model, seed, &before);
        CK_OK(passes[_i](model->graph, &err), &err);
        CK_OK(oq_graph_check(model->graph, &err), &err);
        test_outputs_run(model, seed, &after);
        test_outputs_equal(&before, &after, 1e-5, name);
        oq_text once = test_graph_text(model);
        CK_OK(passes[_i](model->graph, &err), &err);
        oq_text twice = test_graph_text(model);
        ck_assert_msg(!strcmp(oq_text_get(&once), oq_text_get(&twice)), "%s: not idempotent:\n%s\nthen\n%s",
                      name, oq_text_get(&once), oq_text_get(&twice));
        oq_text_release(&once);
        oq_text_release(&twice);
        test_outputs_release(&before);
        test_outputs_release(&after);
        oq_model_free(model);
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

static size_t nodes_left(const char *text, graph_pass pass) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 15, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(pass(model->graph, &err), &err);
    size_t left = 0;
    for (size_t i = 0; i < model->graph->node_count; i++) left += !model->graph->nodes[i]->dead;
    oq_model_free(model);
    return left;
}

START_TEST(what_does_nothing_goes) {
    static const struct {
        size_t left;
        const char *nodes;
    } cases[] = {
        {1, "a = Identity(x)\ny = Relu(a)\n"},
        {1, "a = Relu(x)\ny = Identity(a)\n"},
        {1, "y = Identity(x)\n"}, // an output that is an input needs a node between them
        {1, "a = Dropout(x, ratio, no)\ny = Relu(a)\n"},
        {2, "a = Dropout(x, ratio, yes)\ny = Relu(a)\n"},
        {1, "a = Cast(x) to=1\ny = Relu(a)\n"},
        {2, "a = Cast(x) to=11\ny = Relu(a)\n"},
        {1, "a = Pad(x, zeros)\ny = Relu(a)\n"},
        {2, "a = Pad(x, shift)\ny = Relu(a)\n"},
        {1, "a = Reshape(x, same)\ny = Relu(a)\n"},
        {2, "a = Reshape(x, other)\ny = Relu(a)\n"},
        {2, "a = Transpose(x)\ny = Relu(a)\n"},
        {1, "a = Slice(x, begin, ends)\ny = Relu(a)\n"},
        {2, "a = Slice(x, none, two, one)\ny = Relu(a)\n"},
        {1, "a = Slice(x, none, two, none)\ny = Relu(a)\n"},
        {1, "a = Slice(x, none, far, minus)\ny = Relu(a)\n"},
        {2, "a = Slice(x, one, far, minus)\ny = Relu(a)\n"},
        {2, "a = Slice(x, none, far, minus, two)\ny = Relu(a)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "in x float32[2,3]\nconst ratio float32[] 0.5\nconst no bool[] 0\nconst yes bool[] 1\n"
                 "const zeros int64[4] 0\nconst begin int64[2] 0\nconst shift int64[4] 0 1 0 -1\nconst same "
                 "int64[2] 2 3\n"
                 "const other int64[2] 3 2\nconst ends int64[2] 2 9\nconst none int64[1] 0\n"
                 "const one int64[1] 1\nconst two int64[1] 2\nconst far int64[1] 9999999\n"
                 "const minus int64[1] -1\n%sout y\n",
                 cases[i].nodes);
        const size_t left = nodes_left(text, oq_pass_remove_no_ops);
        ck_assert_msg(left == cases[i].left, "%zu nodes left of\n%s", left, cases[i].nodes);
    }
}
END_TEST

// HardSigmoid becomes part of the product before it, also behind a bias of its own, unless x is wanted beside
// it.
START_TEST(hard_sigmoid_goes_into_the_product) {
    static const struct {
        size_t left;
        const char *nodes;
    } cases[] = {
        {2, "c = Conv(x, w)\ny = HardSigmoid(c) alpha=.3 beta=.4\nout y\n"},
        {2, "c = Conv(x, w)\na = Add(c, b)\ny = HardSigmoid(a) alpha=.3 beta=.4\nout y\n"},
        {3, "c = Conv(x, w)\na = Add(c, b)\nh = HardSigmoid(a) alpha=.3 beta=.4\ny = Mul(a, h)\nout y\n"},
        {2, "c = Relu(x)\ny = HardSigmoid(c)\nout y\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        oq_error err = {0};
        test_outputs before, after;
        snprintf(text, sizeof text,
                 "in x float32[1,3,4,4]\nrandom w float32[5,3,1,1] 1 .5\nrandom b float32[1,5,1,1] 2 1\n%s",
                 cases[i].nodes);
        ck_assert_uint_eq(nodes_left(text, prepare), cases[i].left);
        oq_model *model = test_graph(&mem, 15, text);
        test_outputs_run(model, 7, &before);
        CK_OK(prepare(model->graph, &err), &err);
        test_outputs_run(model, 7, &after);
        test_outputs_equal(&before, &after, 1e-5, text);
        test_outputs_release(&before);
        test_outputs_release(&after);
        oq_model_free(model);
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(constants_fold_where_they_may) {
    static const struct {
        size_t left;
        const char *text;
    } cases[] = {
        {1, "a = Add(k, k)\nb = Neg(a)\ny = Mul(x, b)\nout y\n"},
        {2, "a = Add(x, k)\nb = Neg(a)\nout b\n"},
        {1, "a = Neg(k)\nout a\n"},                             // a graph output keeps its node
        {2, "a = RandomNormalLike(k)\ny = Mul(x, a)\nout y\n"}, // random
        {2, "a = Dropout(k, k0, yes)\ny = Mul(x, a)\nout y\n"}, // random in training
        {1, "a = Dropout(k, k0, no)\ny = Mul(x, a)\nout y\n"},
        {1, "a = Dropout(k)\ny = Mul(x, a)\nout y\n"},
        {2, "a = DequantizeLinear(q, k0)\ny = Mul(x, a)\nout y\n"},
        // A result of 24 MB is not kept.
        {3, "a = ConstantOfShape(large)\nb = Neg(a)\ny = Add(x, b)\nout y\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(
            text, sizeof text,
            "in x float32[2,3]\nconst k float32[3] 1 2 3\nconst k0 float32[] 0.5\nconst q int8[3] 1 2 3\n"
            "const large int64[3] 2000000 1 3\nconst no bool[] 0\nconst yes bool[] 1\n%s",
            cases[i].text);
        const size_t left = nodes_left(text, oq_pass_fold_constants);
        ck_assert_msg(left == cases[i].left, "%zu nodes left of\n%s", left, cases[i].text);
    }
}
END_TEST

// --- the hash ---

static oq_hash hash_of(oq_model *model) {
    oq_hash hash;
    oq_error err = {0};
    CK_OK(oq_graph_hash(model->graph, &hash, &err), &err);
    return hash;
}

static oq_hash hash_of_text(int64_t opset, const char *text) {
    oq_model *model = test_graph(&mem, opset, text);
    const oq_hash hash = hash_of(model);
    oq_model_free(model);
    return hash;
}

START_TEST(the_hash_depends_on_meaning) {
    static const char *const base =
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Mul(x, k)\ny = Elu(a) alpha=0.5\nout y\n";
    static const char *const others[] = {
        "in x float32[2,3]\nconst k float32[3] 1 2 4\na = Mul(x, k)\ny = Elu(a) alpha=0.5\nout y\n",
        "in x float32[2,3]\nconst k float32[3,1] 1 2 3\na = Mul(x, k)\ny = Elu(a) alpha=0.5\nout y\n",
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Add(x, k)\ny = Elu(a) alpha=0.5\nout y\n",
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Mul(k, x)\ny = Elu(a) alpha=0.5\nout y\n",
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Mul(x, k)\ny = Elu(a) alpha=0.6\nout y\n",
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Mul(x, k)\ny = Elu(a)\nout y\n",
        "in x float32[2,3]\nconst k float32[3] 1 2 3\na = Mul(x, k)\nz = Elu(a) alpha=0.5\nout z\n",
    };
    const oq_hash hash = hash_of_text(15, base);
    ck_assert(oq_hash_equal(hash, hash_of_text(15, base)));
    ck_assert(!oq_hash_equal(hash, hash_of_text(16, base)));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!oq_hash_equal(hash, hash_of_text(15, others[i])), "%s", others[i]);
    oq_model *model = test_graph(&mem, 15, base);
    model->doc = model->producer_name = "other";
    model->graph->nodes[0]->name = "other";
    model->graph->nodes[0]->doc = "other";
    ck_assert(oq_hash_equal(hash, hash_of(model)));
    oq_model_free(model);
}
END_TEST

START_TEST(the_hash_is_the_same_from_a_file) {
    oq_error err = {0};
    char folder[256], path[300];
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    oq_model *model =
        test_graph(&mem, 15, "in x float32[2,3000]\nrandom k float32[3000] 1 1\ny = Mul(x, k)\nout y\n");
    const oq_hash hash = hash_of(model);
    CK_OK(oq_onnx_save(model, path, NULL, &err), &err);
    oq_model_free(model);
    CK_OK(oq_onnx_load(&mem, path, &model, &err), &err);
    const oq_value_id k = oq_graph_find(model->graph, "k");
    ck_assert_int_eq(oq_graph_value(model->graph, k)->initializer->tensor.dtype, ONNXQ_UNDEFINED);
    ck_assert(oq_hash_equal(hash, hash_of(model)));
    oq_model_free(model);
    test_remove_folder(folder);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes rewrites");
    TCase *tcase = tcase_create("rewrites");
    tcase_add_loop_test(tcase, outputs_stay_and_twice_is_once, 0, (int)(sizeof passes / sizeof passes[0]));
    tcase_add_test(tcase, what_does_nothing_goes);
    tcase_add_test(tcase, hard_sigmoid_goes_into_the_product);
    tcase_add_test(tcase, constants_fold_where_they_may);
    tcase_add_test(tcase, the_hash_depends_on_meaning);
    tcase_add_test(tcase, the_hash_is_the_same_from_a_file);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
