// Tests of graph: bodies and their captures, clones, types, constants in files, failing allocations.
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static oq_mem mem;
static oq_model *model;
static oq_graph *graph;
static oq_error err;

static void begin(void) {
    oq_error_clear(&err);
    CK_OK(oq_model_new(&mem, &model, &err), &err);
    graph = model->graph;
}

static void end(void) {
    CK_OK(oq_graph_check(graph, &err), &err);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}

static oq_value_id value(oq_graph *g, const char *name) {
    oq_value_id id = oq_graph_find(g, name);
    if (id == OQ_NONE) CK_OK(oq_graph_add_value(g, name, &id, &err), &err);
    return id;
}

static oq_node *unary(oq_graph *g, const char *type, const char *from, const char *to) {
    const oq_value_id in = value(g, from);
    const oq_value_id out = value(g, to);
    oq_node *node = NULL;
    CK_OK(oq_graph_add_node(g, "", type, "", &in, 1, &out, 1, &node, &err), &err);
    return node;
}

static void input(oq_graph *g, const char *name) { CK_OK(oq_graph_add_input(g, value(g, name), &err), &err); }
static void output(oq_graph *g, const char *name) {
    CK_OK(oq_graph_add_output(g, value(g, name), &err), &err);
}

// A body of `owner`: result = type(outer).
static oq_graph *body_of(oq_node *owner, const char *attr, const char *type, oq_value_id outer,
                         const char *result) {
    oq_graph *body = NULL;
    oq_value_id inner = OQ_NONE;
    CK_OK(oq_graph_new(model, owner->graph, &body, &err), &err);
    CK_OK(oq_graph_capture(body, owner, outer, &inner, &err), &err);
    const char *name = body->values[inner]->name;
    unary(body, type, name, result);
    output(body, result);
    CK_OK(oq_node_set_graph(owner->graph, owner, attr, body, &err), &err);
    return body;
}

// x, c -> a = Relu(x), b = Neg(x); y = If(c){then: Abs(a), else: Sign(b)}
typedef struct branching {
    oq_node *branch;
    oq_graph *then_body, *else_body;
} branching;

static branching make_branching(void) {
    input(graph, "x"), input(graph, "c");
    unary(graph, "Relu", "x", "a");
    unary(graph, "Neg", "x", "b");
    branching f = {.branch = unary(graph, "If", "c", "y")};
    f.then_body = body_of(f.branch, "then_branch", "Abs", value(graph, "a"), "t");
    f.else_body = body_of(f.branch, "else_branch", "Sign", value(graph, "b"), "e");
    output(graph, "y");
    return f;
}

START_TEST(captures_are_inputs) {
    const branching f = make_branching();
    ck_assert_uint_eq(f.branch->capture_count, 2);
    ck_assert_int_eq(f.branch->captures[0], value(graph, "a"));
    ck_assert_int_eq(f.else_body->captures[0], OQ_NONE); // the other body's
    ck_assert_uint_eq(graph->values[value(graph, "b")]->use_count, 1);
    ck_assert_int_eq(graph->values[value(graph, "b")]->uses[0].input, 2); // one input, then captures
    oq_value_id again = OQ_NONE;
    CK_OK(oq_graph_capture(f.then_body, f.branch, value(graph, "a"), &again, &err), &err);
    ck_assert_int_eq(again, f.then_body->captures[0]);
    ck_assert_uint_eq(f.branch->capture_count, 2);
    CK_OK(oq_graph_sweep(graph, true, &err), &err); // nothing goes: a and b are needed
    ck_assert(!graph->nodes[0]->dead && !graph->nodes[1]->dead);
    CK_OK(oq_node_set_input(graph, f.branch, 2, value(graph, "x"), &err), &err); // captures move behind
    ck_assert_int_eq(graph->values[value(graph, "b")]->uses[0].input, 4);
}
END_TEST

START_TEST(renaming_reaches_into_bodies) {
    const branching f = make_branching();
    value(f.then_body, "fresh"); // a local value in the way
    CK_OK(oq_graph_rename(graph, value(graph, "a"), "fresh", &err), &err);
    ck_assert_str_eq(f.then_body->values[f.then_body->captures[0]]->name, "fresh");
    ck_assert_int_ne(oq_graph_find(f.then_body, "fresh_2"), OQ_NONE);
    ck_assert_int_eq(oq_graph_rename(f.then_body, f.then_body->captures[0], "z", NULL), ONNXQ_INTERNAL);
}
END_TEST

START_TEST(replaced_uses_reach_into_bodies) {
    const branching f = make_branching();
    unary(graph, "Exp", "x", "d");
    CK_OK(oq_graph_replace_uses(graph, value(graph, "a"), value(graph, "d"), true, &err), &err);
    ck_assert_str_eq(f.then_body->values[f.then_body->captures[0]]->name, "d");
    ck_assert_int_eq(f.branch->captures[0], value(graph, "d"));
    CK_OK(oq_graph_check(graph, &err), &err);
    // Both bodies read one value now: one capture for both.
    CK_OK(oq_graph_replace_uses(graph, value(graph, "d"), value(graph, "b"), true, &err), &err);
    ck_assert_uint_eq(f.branch->capture_count, 1);
    ck_assert_str_eq(f.then_body->values[f.then_body->captures[0]]->name, "b");
    ck_assert_uint_eq(graph->values[value(graph, "b")]->use_count, 1);
    CK_OK(oq_graph_check(graph, &err), &err);
    CK_OK(oq_graph_sweep(graph, true, &err), &err);
    ck_assert_int_eq(oq_graph_find(graph, "a"), OQ_NONE);
}
END_TEST

// One body reads two outer values that become one.
START_TEST(captures_merge_inside_a_body) {
    const branching f = make_branching();
    oq_value_id inner = OQ_NONE;
    CK_OK(oq_graph_capture(f.then_body, f.branch, value(graph, "b"), &inner, &err), &err);
    unary(f.then_body, "Exp", "b", "t2");
    output(f.then_body, "t2");
    CK_OK(oq_graph_replace_uses(graph, value(graph, "a"), value(graph, "b"), false, &err), &err);
    ck_assert_uint_eq(f.branch->capture_count, 1);
    ck_assert_uint_eq(f.then_body->values[f.then_body->captures[0]]->use_count, 2);
    ck_assert_int_eq(oq_graph_find(f.then_body, "a"), OQ_NONE);
}
END_TEST

START_TEST(sweep_drops_unused_captures) {
    const branching f = make_branching();
    oq_value_id x = OQ_NONE;
    CK_OK(oq_graph_capture(f.then_body, f.branch, value(graph, "x"), &x, &err), &err);
    oq_node *abs = f.then_body->nodes[0];
    CK_OK(oq_node_set_input(f.then_body, abs, 0, x, &err), &err);
    CK_OK(oq_graph_sweep(graph, true, &err), &err);
    ck_assert_uint_eq(f.branch->capture_count, 2); // b and x
    ck_assert(graph->nodes[0]->dead);              // a = Relu(x) went with its capture
    ck_assert_int_eq(oq_graph_find(graph, "a"), OQ_NONE);
    ck_assert_str_eq(f.else_body->values[f.else_body->captures[0]]->name, "b");
}
END_TEST

START_TEST(edits_inside_touch_the_way_out) {
    const branching f = make_branching();
    graph->changed = f.then_body->changed = f.else_body->changed = false;
    f.branch->origin.size = f.then_body->origin.size = f.else_body->origin.size = graph->origin.size = 9;
    CK_OK(oq_node_set_int(f.then_body, f.then_body->nodes[0], "k", 1, &err), &err);
    ck_assert_uint_eq(f.then_body->origin.size, 0);
    ck_assert_uint_eq(f.branch->origin.size, 0);
    ck_assert_uint_eq(graph->origin.size, 0);
    ck_assert_uint_eq(f.else_body->origin.size, 9);
    ck_assert(graph->changed && !f.else_body->changed);
}
END_TEST

START_TEST(constants_are_seen_from_inside) {
    const branching f = make_branching();
    oq_value_id w = OQ_NONE;
    oq_value_id inner = OQ_NONE;
    const oq_tensor tensor = test_tensor_f32(&mem, OQ_SHAPE(1), (float[]){3});
    CK_OK(oq_graph_add_initializer(graph, "w", tensor, &w, &err), &err);
    CK_OK(oq_graph_capture(f.else_body, f.branch, w, &inner, &err), &err);
    ck_assert_ptr_eq(oq_graph_constant(f.else_body, inner), graph->values[w]->initializer);
    ck_assert_ptr_null(oq_graph_constant(f.else_body, f.else_body->captures[1])); // b
    CK_OK(oq_node_set_input(f.else_body, f.else_body->nodes[0], 0, inner, &err), &err);
}
END_TEST

START_TEST(names_are_unique_in_all_scopes) {
    const branching f = make_branching();
    const char *name = NULL;
    CK_OK(oq_graph_unique_name(graph, "t", &name, &err), &err); // used inside
    ck_assert_str_eq(name, "t_2");
    CK_OK(oq_graph_unique_name(f.then_body, "y", &name, &err), &err); // used around
    ck_assert_str_eq(name, "y_2");
    CK_OK(oq_graph_unique_name(f.then_body, "e", &name, &err), &err); // a sibling's does not matter
    ck_assert_str_eq(name, "e");
}
END_TEST

// `depth` bodies inside each other, each capturing through all of them.
static void nest(oq_graph *g, oq_value_id outer, int depth) {
    if (!depth) return;
    char name[32];
    snprintf(name, sizeof name, "r%d", depth);
    oq_node *owner = unary(g, "If", g->values[outer]->name, name);
    output(g, name);
    oq_graph *body = NULL;
    oq_value_id inner = OQ_NONE;
    CK_OK(oq_graph_new(model, g, &body, &err), &err);
    CK_OK(oq_node_set_graph(g, owner, "then_branch", body, &err), &err);
    CK_OK(oq_graph_capture(body, owner, outer, &inner, &err), &err);
    nest(body, inner, depth - 1);
    if (depth == 1) output(body, body->values[inner]->name);
}

START_TEST(deep_nesting) {
    input(graph, "x");
    nest(graph, value(graph, "x"), 100);
    CK_OK(oq_graph_check(graph, &err), &err);
    CK_OK(oq_graph_rename(graph, value(graph, "x"), "renamed", &err), &err);
    CK_OK(oq_graph_check(graph, &err), &err);
    oq_model *copy = NULL;
    CK_OK(oq_model_clone(model, &copy, &err), &err);
    CK_OK(oq_graph_check(copy->graph, &err), &err);
    oq_model_free(copy);
    oq_model *deeper = model; // one more level is refused
    CK_OK(oq_model_new(&mem, &model, &err), &err);
    graph = model->graph;
    input(graph, "x");
    nest(graph, value(graph, "x"), 101);
    ck_assert_int_eq(oq_graph_check(graph, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "nested more than 100 deep"));
    oq_error_clear(&err);
    oq_model_free(model);
    model = deeper;
    graph = model->graph;
}
END_TEST

static void expect_same_print(const oq_model *a, const oq_model *b) {
    oq_text one;
    oq_text two;
    oq_text_init(&one, &mem);
    oq_text_init(&two, &mem);
    CK_OK(oq_graph_print(a->graph, &one, &err), &err);
    CK_OK(oq_graph_print(b->graph, &two, &err), &err);
    ck_assert_str_eq(oq_text_get(&one), oq_text_get(&two));
    oq_text_release(&one);
    oq_text_release(&two);
}

START_TEST(clones_are_equal_and_independent) {
    const branching f = make_branching();
    oq_value_id w = OQ_NONE;
    const oq_tensor tensor = test_tensor_f32(&mem, OQ_SHAPE(2), (float[]){3, 4});
    CK_OK(oq_graph_add_initializer(graph, "w", tensor, &w, &err), &err);
    CK_OK(oq_graph_add_output(graph, w, &err), &err);
    oq_node *n = unary(graph, "Op", "a", "z");
    CK_OK(oq_node_set_floats(graph, n, "floats", (float[]){1, 2}, 2, &err), &err);
    CK_OK(oq_node_set_string(graph, n, "text", "hello", &err), &err);
    CK_OK(oq_node_set_tensor(graph, n, "value", test_tensor_f32(&mem, OQ_SHAPE(1), (float[]){7}), &err),
          &err);
    graph->values[value(graph, "x")]->type =
        oq_type_tensor(ONNXQ_FLOAT, 1, &(oq_dim){.size = -1, .symbol = oq_model_intern(model, "N", &err)});
    CK_OK(oq_model_set_opset(model, "", 21, &err), &err);
    CK_OK(oq_model_set_metadata(model, "k", "v", &err), &err);
    model->functions = oq_arena_calloc(&model->arena, 1, sizeof *model->functions, &err);
    model->functions[0] = (oq_function){.domain = "d", .name = "F", .overload = "", .doc = ""};
    CK_OK(oq_graph_new(model, NULL, &model->functions[0].body, &err), &err);
    model->function_count = 1;
    oq_graph_remove_node(graph, unary(graph, "Dead", "x", "dead"));

    oq_model *copy = NULL;
    CK_OK(oq_model_clone(model, &copy, &err), &err);
    CK_OK(oq_graph_check(copy->graph, &err), &err);
    expect_same_print(model, copy);
    ck_assert_ptr_eq(copy->graph->values[w]->initializer->tensor.data,
                     graph->values[w]->initializer->tensor.data); // shared bytes
    ck_assert_str_eq(oq_model_metadata(copy, "k"), "v");
    ck_assert_int_eq(oq_model_opset(copy, ""), 21);
    ck_assert_uint_eq(copy->function_count, 1);
    ck_assert_ptr_ne(copy->functions[0].body, model->functions[0].body);
    const oq_dim dim = copy->graph->values[value(graph, "x")]->type.dim[0];
    ck_assert_ptr_eq(dim.symbol, oq_model_intern(copy, "N", &err));
    // An edit of the copy, inside a body too, leaves the original alone.
    oq_graph *then_body = oq_node_attr(copy->graph->nodes[f.branch->id], "then_branch")->graph;
    CK_OK(oq_node_set_int(then_body, then_body->nodes[0], "k", 1, &err), &err);
    ck_assert_ptr_null(oq_node_attr(f.then_body->nodes[0], "k"));
    CK_OK(oq_graph_rename(copy->graph, value(graph, "a"), "q", &err), &err);
    ck_assert_int_eq(oq_graph_find(graph, "q"), OQ_NONE);
    oq_model_free(copy);
}
END_TEST

START_TEST(clones_survive_failing_allocations) {
    make_branching();
    const size_t before = mem.used;
    for (long long n = 1;; n++) {
        ck_assert_int_lt(n, 200);
        mem.fail_after = n;
        oq_model *copy = NULL;
        const oq_status status = oq_model_clone(model, &copy, NULL);
        mem.fail_after = 0;
        oq_model_free(copy);
        ck_assert_uint_eq(mem.used, before);
        if (status == ONNXQ_OK) break;
        ck_assert_ptr_null(copy);
    }
}
END_TEST

// Edits that run out of memory leave a graph that still passes the check.
START_TEST(edits_survive_failing_allocations) {
    const branching f = make_branching();
    unary(graph, "Exp", "x", "d");
    for (long long n = 1;; n++) {
        ck_assert_int_lt(n, 50);
        mem.fail_after = n;
        oq_status status = oq_graph_replace_uses(graph, value(graph, "a"), value(graph, "d"), true, NULL);
        oq_value_id id = OQ_NONE;
        for (int i = 0; i < 40 && status == ONNXQ_OK; i++) {
            char name[32];
            snprintf(name, sizeof name, "more_%lld_%d", n, i);
            status = oq_graph_add_value(graph, name, &id, NULL);
            if (status == ONNXQ_OK) status = oq_node_set_input(graph, f.branch, 3, id, NULL);
        }
        mem.fail_after = 0;
        CK_OK(oq_node_set_input(graph, f.branch, 3, OQ_NONE, &err), &err);
        CK_OK(oq_graph_check(graph, &err), &err);
        if (status == ONNXQ_OK) break;
    }
}
END_TEST

START_TEST(types_print_and_merge) {
    const char *n = oq_model_intern(model, "N", &err);
    oq_type a = oq_type_tensor(ONNXQ_FLOAT, 3, (oq_dim[]){{-1, n}, {4, NULL}, {-1, NULL}});
    const oq_type b = oq_type_tensor(ONNXQ_UNDEFINED, 3, (oq_dim[]){{2, NULL}, {4, NULL}, {-1, n}});
    oq_text text;
    oq_text_init(&text, &mem);
    oq_type_format(&a, &text);
    ck_assert_str_eq(oq_text_get(&text), "float32[N,4,?]");
    CK_OK(oq_type_merge(&a, &b, "t", &err), &err);
    text.length = 0;
    oq_type_format(&a, &text);
    ck_assert_str_eq(oq_text_get(&text), "float32[2,4,N]");
    const oq_type other = oq_type_tensor(ONNXQ_INT8, 3, NULL);
    ck_assert_int_eq(oq_type_merge(&a, &other, "t", &err), ONNXQ_BAD_MODEL);
    ck_assert_str_eq(err.message, "value 't' cannot be both float32[2,4,N] and int8[?,?,?]");
    oq_error_clear(&err);
    const oq_type short_one = oq_type_tensor(ONNXQ_FLOAT, 2, NULL);
    ck_assert_int_eq(oq_type_merge(&a, &short_one, "t", NULL), ONNXQ_BAD_MODEL);
    const oq_type sequence = {.kind = OQ_TYPE_SEQUENCE, .elem = &a};
    const oq_type optional = {.kind = OQ_TYPE_OPTIONAL, .elem = &sequence};
    text.length = 0;
    oq_type_format(&optional, &text);
    ck_assert_str_eq(oq_text_get(&text), "optional(seq(float32[2,4,N]))");
    oq_type loose = {.kind = OQ_TYPE_SEQUENCE, .elem = &other};
    ck_assert_int_eq(oq_type_merge(&loose, &sequence, "t", NULL), ONNXQ_BAD_MODEL);
    const oq_type vague = {.kind = OQ_TYPE_SEQUENCE};
    loose = vague;
    CK_OK(oq_type_merge(&loose, &sequence, "t", &err), &err);
    ck_assert_ptr_eq(loose.elem, &a);
    oq_shape shape;
    ck_assert(!oq_type_static(&a, &shape));
    a.dim[2] = oq_dim_of(7);
    ck_assert(oq_type_static(&a, &shape) && shape.dim[2] == 7);
    ck_assert(oq_dim_same(oq_dim_of(3), oq_dim_of(3)) && !oq_dim_same(OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS));
    oq_text_release(&text);
}
END_TEST

START_TEST(constants_come_from_files) {
    char folder[512];
    char path[600];
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/data", folder);
    oq_writer *writer = NULL;
    CK_OK(oq_writer_open(&mem, path, &writer, &err), &err);
    CK_OK(oq_writer_write(writer, "..\x21\x83\x01", 5, &err), &err);
    CK_OK(oq_writer_commit(writer, &err), &err);
    oq_constant *c = NULL;
    CK_OK(oq_constant_new(model, &c, &err), &err);
    c->name = "w";
    c->dtype = ONNXQ_INT4;
    c->shape = OQ_SHAPE(5);
    CK_OK(oq_file_open(&mem, path, &c->file, &err), &err);
    c->offset = 2;
    c->length = 3;
    ck_assert_uint_eq(oq_constant_bytes(c), 3);
    oq_tensor tensor;
    CK_OK(oq_constant_load(&mem, c, &tensor, &err), &err);
    const int8_t wanted[] = {1, 2, 3, -8, 1};
    ck_assert_mem_eq(tensor.data, wanted, 5);
    oq_tensor_release(&tensor);
    c->dtype = ONNXQ_BOOL;
    c->shape = OQ_SHAPE(3);
    CK_OK(oq_constant_load(&mem, c, &tensor, &err), &err);
    ck_assert_mem_eq(tensor.data, "\1\1\1", 3);
    oq_tensor_release(&tensor);
    c->dtype = ONNXQ_FLOAT; // 12 bytes needed, 3 given
    ck_assert_int_eq(oq_constant_load(&mem, c, &tensor, &err), ONNXQ_BAD_MODEL);
    ck_assert_str_eq(err.tensor, "w");
    oq_error_clear(&err);
    c->length = 12; // more than the file has
    ck_assert_int_eq(oq_constant_load(&mem, c, &tensor, &err), ONNXQ_IO);
    oq_error_clear(&err);
    test_remove_folder(folder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graph body");
    TCase *tcase = tcase_create("body");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, captures_are_inputs);
    tcase_add_test(tcase, renaming_reaches_into_bodies);
    tcase_add_test(tcase, replaced_uses_reach_into_bodies);
    tcase_add_test(tcase, captures_merge_inside_a_body);
    tcase_add_test(tcase, sweep_drops_unused_captures);
    tcase_add_test(tcase, edits_inside_touch_the_way_out);
    tcase_add_test(tcase, constants_are_seen_from_inside);
    tcase_add_test(tcase, names_are_unique_in_all_scopes);
    tcase_add_test(tcase, deep_nesting);
    tcase_add_test(tcase, clones_are_equal_and_independent);
    tcase_add_test(tcase, clones_survive_failing_allocations);
    tcase_add_test(tcase, edits_survive_failing_allocations);
    tcase_add_test(tcase, types_print_and_merge);
    tcase_add_test(tcase, constants_come_from_files);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
