// Tests of graph: building, looking, editing, order, check, print, clone.
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static oq_mem mem;
static oq_model *model;
static oq_graph *graph;
static oq_error err;

static void begin(void) {
    oq_error_clear(&err);
    CK_OK(oq_model_new(&mem, &model, &err), &err);
    graph = model->graph;
}

// Every test ends in a graph that passes the check, and gives all memory back.
static void end(void) {
    CK_OK(oq_graph_check(graph, &err), &err);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}

static oq_value_id value_in(oq_graph *g, const char *name) {
    oq_value_id id = oq_graph_find(g, name);
    if (id == OQ_NONE) CK_OK(oq_graph_add_value(g, name, &id, &err), &err);
    return id;
}

static oq_value_id value(const char *name) { return value_in(graph, name); }

static oq_value_id input(const char *name) {
    const oq_value_id id = value(name);
    CK_OK(oq_graph_add_input(graph, id, &err), &err);
    graph->values[id]->type = oq_type_tensor(ONNXQ_FLOAT, 1, (oq_dim[]){oq_dim_of(4)});
    return id;
}

// One node "to = type(from...)"; `from` names are separated by blanks, "-" leaves an input out.
static oq_node *node_in(oq_graph *g, const char *type, const char *from, const char *to) {
    char text[256];
    snprintf(text, sizeof text, "%s", from);
    oq_value_id inputs[8];
    size_t count = 0;
    for (char *rest = text, *name = strtok_r(rest, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        inputs[count++] = strcmp(name, "-") == 0 ? OQ_NONE : value_in(g, name);
    const oq_value_id output = value_in(g, to);
    oq_node *node = NULL;
    CK_OK(oq_graph_add_node(g, "", type, "", inputs, count, &output, 1, &node, &err), &err);
    return node;
}

static oq_node *node(const char *type, const char *from, const char *to) {
    return node_in(graph, type, from, to);
}

static void output(const char *name) { CK_OK(oq_graph_add_output(graph, value(name), &err), &err); }

static oq_value_id initializer(const char *name) {
    oq_value_id id = OQ_NONE;
    const oq_tensor tensor = test_tensor_f32(&mem, OQ_SHAPE(2), (float[]){1, 2});
    CK_OK(oq_graph_add_initializer(graph, name, tensor, &id, &err), &err);
    return id;
}

static void expect_order(const char *wanted) {
    oq_node_id *order = NULL;
    size_t count = 0;
    char text[256] = "";
    CK_OK(oq_graph_order(graph, &order, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? " %d" : "%d", order[i]);
    ck_assert_str_eq(text, wanted);
    oq_mem_free(&mem, order);
}

START_TEST(values_and_nodes_are_found) {
    const oq_value_id x = input("x");
    oq_node *relu = node("Relu", "x", "y");
    output("y");
    ck_assert_int_eq(oq_graph_find(graph, "x"), x);
    ck_assert_int_eq(oq_graph_find(graph, "z"), OQ_NONE);
    ck_assert_ptr_eq(oq_graph_producer_is(graph, value("y"), "Relu"), relu);
    ck_assert_ptr_null(oq_graph_producer_is(graph, value("y"), "Conv"));
    ck_assert_ptr_null(oq_graph_producer_is(graph, x, "Relu"));
    ck_assert_ptr_null(oq_graph_producer_is(graph, OQ_NONE, "Relu"));
    ck_assert_ptr_eq(oq_graph_only_consumer(graph, x), relu);
    ck_assert_ptr_null(oq_graph_only_consumer(graph, value("y"))); // a graph output
    char label[32];
    ck_assert_str_eq(oq_node_label(relu, label, sizeof label), "Relu_0");
    ck_assert_int_eq(oq_graph_find_node(graph, "absent"), OQ_NONE);
    oq_value_id twice;
    ck_assert_int_eq(oq_graph_add_value(graph, "x", &twice, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "'x' twice"));
    oq_error_clear(&err);
}
END_TEST

START_TEST(a_value_has_one_producer) {
    input("x");
    node("Relu", "x", "y");
    oq_node *second = NULL;
    const oq_value_id ends[] = {value("y"), value("x"), initializer("w")};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(oq_graph_add_node(graph, "n", "Abs", "", NULL, 0, &ends[i], 1, &second, &err),
                         ONNXQ_BAD_MODEL);
    const oq_value_id same[] = {value("z"), value("z")};
    ck_assert_int_eq(oq_graph_add_node(graph, "n", "Split", "", NULL, 0, same, 2, &second, NULL),
                     ONNXQ_BAD_MODEL);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(oq_graph_add_input(graph, value("y"), NULL), ONNXQ_BAD_MODEL);
    ck_assert_int_eq(oq_graph_add_input(graph, value("x"), NULL), ONNXQ_BAD_MODEL);
    oq_error_clear(&err);
}
END_TEST

START_TEST(attributes) {
    input("x");
    oq_node *n = node("Op", "x", "y");
    CK_OK(oq_node_set_int(graph, n, "axis", 3, &err), &err);
    CK_OK(oq_node_set_float(graph, n, "alpha", 0.5F, &err), &err);
    CK_OK(oq_node_set_string(graph, n, "mode", "linear", &err), &err);
    CK_OK(oq_node_set_ints(graph, n, "pads", (int64_t[]){1, 2, 3}, 3, &err), &err);
    CK_OK(oq_node_set_int(graph, n, "axis", -1, &err), &err); // replaces
    ck_assert_uint_eq(n->attr_count, 4);
    ck_assert_int_eq(oq_node_int(n, "axis", 7), -1);
    ck_assert_int_eq(oq_node_int(n, "absent", 7), 7);
    ck_assert_int_eq(oq_node_int(n, "alpha", 7), 7); // another kind
    ck_assert(oq_node_float(n, "alpha", 0) == 0.5F);
    ck_assert_str_eq(oq_node_string(n, "mode", ""), "linear");
    size_t count = 0;
    const int64_t *pads = oq_node_ints(n, "pads", &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(pads[2], 3);
    oq_node_remove_attr(n, "alpha");
    oq_node_remove_attr(n, "absent");
    ck_assert_ptr_null(oq_node_attr(n, "alpha"));
    ck_assert_int_eq(oq_node_int(n, "axis", 7), -1);
}
END_TEST

START_TEST(edits_keep_the_use_lists) {
    input("a"), input("b");
    oq_node *n = node("Add", "a a", "y");
    oq_node *m = node("Neg", "a", "z");
    output("y"), output("z");
    ck_assert_uint_eq(graph->values[value("a")]->use_count, 3);
    CK_OK(oq_node_set_input(graph, n, 1, value("b"), &err), &err);
    CK_OK(oq_graph_check(graph, &err), &err);
    CK_OK(oq_node_set_input(graph, m, 3, value("b"), &err), &err); // grows with left-out inputs
    ck_assert_uint_eq(m->input_count, 4);
    ck_assert_int_eq(m->inputs[1], OQ_NONE);
    CK_OK(oq_graph_replace_uses(graph, value("a"), value("b"), false, &err), &err);
    ck_assert_uint_eq(graph->values[value("a")]->use_count, 0);
    ck_assert_uint_eq(graph->values[value("b")]->use_count, 4);
    CK_OK(oq_graph_replace_uses(graph, value("y"), value("a"), true, &err), &err);
    ck_assert_int_eq(graph->outputs[0], value("a"));
    ck_assert(!graph->values[value("y")]->is_output && graph->values[value("a")]->is_output);
}
END_TEST

START_TEST(outputs_can_be_moved_between_values) {
    input("x");
    oq_node *n = node("Relu", "x", "y");
    output("y");
    CK_OK(oq_node_set_output(graph, n, 0, value("y_raw"), &err), &err);
    ck_assert_int_eq(graph->values[value("y")]->producer, OQ_NONE);
    ck_assert_int_eq(oq_graph_check(graph, &err), ONNXQ_BAD_MODEL); // output y has no producer now
    oq_error_clear(&err);
    node("Clip", "y_raw", "y");
    ck_assert_int_eq(oq_node_set_output(graph, n, 0, value("y"), NULL), ONNXQ_INTERNAL);
    expect_order("0 1");
}
END_TEST

START_TEST(sweep_removes_what_nobody_needs) {
    input("x"), input("unused");
    initializer("w"), initializer("v");
    node("Add", "x w", "y");
    oq_node *dead = node("Mul", "y v", "z");
    node("Neg", "z", "z2");
    output("y");
    CK_OK(oq_graph_sweep(graph, false, &err), &err);
    ck_assert(!dead->dead);
    CK_OK(oq_graph_sweep(graph, true, &err), &err);
    ck_assert(dead->dead);
    ck_assert_int_eq(oq_graph_find(graph, "v"), OQ_NONE);
    ck_assert_int_eq(oq_graph_find(graph, "z"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(graph, "w"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(graph, "unused"), OQ_NONE);
    expect_order("0");
}
END_TEST

START_TEST(order_moves_late_producers_ahead) {
    input("x");
    node("A", "b", "a"); // 0 needs 3
    node("C", "x", "c"); // 1
    node("D", "c a", "d");
    node("B", "x", "b");
    output("d");
    expect_order("3 0 1 2");
}
END_TEST

START_TEST(cycles_are_named) {
    input("x");
    node("A", "x c", "a");
    node("B", "a", "b");
    oq_node *last = node("C", "b", "c");
    oq_node_id *order = NULL;
    size_t count = 0;
    ck_assert_int_eq(oq_graph_order(graph, &order, &count, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "cycle of 3 nodes"));
    ck_assert_ptr_nonnull(strstr(err.message, "'B_1' (B)"));
    oq_error_clear(&err);
    CK_OK(oq_node_set_input(graph, last, 0, last->outputs[0], &err), &err); // its own output
    ck_assert_int_eq(oq_graph_check(graph, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "cycle of 1 node:"));
    oq_error_clear(&err);
    oq_graph_remove_node(graph, last);
    CK_OK(oq_node_set_input(graph, graph->nodes[0], 1, OQ_NONE, &err), &err);
}
END_TEST

// A chain of 100 000 nodes listed backwards: no recursion, near-linear time.
START_TEST(long_chains) {
    enum { LENGTH = 100000 };
    oq_value_id before = OQ_NONE;
    char name[32];
    for (int i = LENGTH; i >= 0; i--) {
        oq_value_id id;
        snprintf(name, sizeof name, "v%d", i);
        CK_OK(oq_graph_add_value(graph, name, &id, &err), &err);
        oq_node *n = NULL;
        if (before != OQ_NONE)
            CK_OK(oq_graph_add_node(graph, "", "Relu", "", &id, 1, &before, 1, &n, &err), &err);
        before = id;
    }
    CK_OK(oq_graph_add_input(graph, before, &err), &err);
    output("v100000");
    oq_node_id *order = NULL;
    size_t count = 0;
    CK_OK(oq_graph_order(graph, &order, &count, &err), &err);
    ck_assert_uint_eq(count, LENGTH);
    ck_assert_int_eq(order[0], LENGTH - 1);
    ck_assert_int_eq(order[LENGTH - 1], 0);
    oq_mem_free(&mem, order);
    CK_OK(oq_graph_sweep(graph, true, &err), &err);
}
END_TEST

START_TEST(dangling_inputs_are_named) {
    input("x");
    oq_node *n = node("Add", "x ghost", "y");
    output("y");
    ck_assert_int_eq(oq_graph_check(graph, &err), ONNXQ_BAD_MODEL);
    ck_assert_str_eq(err.tensor, "ghost");
    ck_assert_str_eq(err.op_type, "Add");
    ck_assert_ptr_nonnull(strstr(err.message, "node 'Add_0' (Add): it uses 'ghost'"));
    oq_error_clear(&err);
    CK_OK(oq_node_set_input(graph, n, 1, value("x"), &err), &err);
}
END_TEST

START_TEST(names_are_made_unique_and_changed) {
    input("x");
    const char *name = NULL;
    CK_OK(oq_graph_unique_name(graph, "y", &name, &err), &err);
    ck_assert_str_eq(name, "y");
    value("y"), value("y_2");
    CK_OK(oq_graph_unique_name(graph, "y", &name, &err), &err);
    ck_assert_str_eq(name, "y_3");
    ck_assert_int_eq(oq_graph_rename(graph, value("y"), "x", NULL), ONNXQ_INTERNAL);
    const oq_value_id y = value("y");
    CK_OK(oq_graph_rename(graph, y, "z", &err), &err);
    ck_assert_int_eq(oq_graph_find(graph, "z"), y);
    ck_assert_int_eq(oq_graph_find(graph, "y"), OQ_NONE);
}
END_TEST

START_TEST(edits_forget_the_origin) {
    input("x");
    oq_node *n = node("Relu", "x", "y");
    oq_node *m = node("Relu", "y", "z");
    output("z");
    n->origin.size = m->origin.size = graph->origin.size = 10;
    graph->changed = false;
    CK_OK(oq_node_set_int(graph, n, "k", 1, &err), &err);
    ck_assert_uint_eq(n->origin.size, 0);
    ck_assert_uint_eq(graph->origin.size, 0);
    ck_assert(graph->changed);
    ck_assert_uint_eq(m->origin.size, 10);
    CK_OK(oq_graph_rename(graph, value("y"), "why", &err), &err);
    ck_assert_uint_eq(m->origin.size, 0);
}
END_TEST

START_TEST(constants_behind_values) {
    input("x");
    const oq_value_id w = initializer("w");
    node("Identity", "w", "w2");
    oq_node *c = node("Constant", "", "c");
    CK_OK(oq_node_set_ints(graph, c, "value_ints", (int64_t[]){4, 5}, 2, &err), &err);
    ck_assert_ptr_eq(oq_graph_constant(graph, w), graph->values[w]->initializer);
    ck_assert_ptr_eq(oq_graph_constant(graph, value("w2")), graph->values[w]->initializer);
    ck_assert_ptr_null(oq_graph_constant(graph, value("x")));
    const oq_constant *made = oq_graph_constant(graph, value("c"));
    ck_assert_ptr_nonnull(made);
    ck_assert_ptr_eq(made, oq_graph_constant(graph, value("c")));
    ck_assert_int_eq(oq_tensor_get_i64(&made->tensor, 1), 5);
    CK_OK(oq_node_set_ints(graph, c, "value_ints", (int64_t[]){6}, 1, &err), &err);
    made = oq_graph_constant(graph, value("c"));
    ck_assert_int_eq(oq_tensor_get_i64(&made->tensor, 0), 6);
    CK_OK(oq_graph_add_input(graph, w, &err), &err); // a default, no constant
    ck_assert_ptr_null(oq_graph_constant(graph, w));
    oq_tensor loaded;
    CK_OK(oq_constant_load(&mem, made, &loaded, &err), &err);
    ck_assert(oq_tensor_equal(&loaded, &made->tensor));
    oq_tensor_release(&loaded);
}
END_TEST

START_TEST(print_is_readable) {
    input("x");
    initializer("w");
    oq_node *n = node("Gemm", "x w -", "y");
    CK_OK(oq_node_set_int(graph, n, "transB", 1, &err), &err);
    CK_OK(oq_node_set_string(graph, n, "note", "a\"\n", &err), &err);
    output("y");
    oq_text text;
    oq_text_init(&text, &mem);
    CK_OK(oq_graph_print(graph, &text, &err), &err);
    ck_assert_str_eq(oq_text_get(&text), "graph (%x:float32[4]) -> (%y)\n"
                                         "  %w:float32[2] initializer\n"
                                         "  %y = Gemm(%x, %w, _) {transB=1, note=\"a\\\"\\x0a\"}\n");
    oq_text_release(&text);
}
END_TEST

START_TEST(metadata_and_opsets) {
    ck_assert_int_eq(oq_model_opset(model, ""), 0);
    CK_OK(oq_model_set_opset(model, "ai.onnx", 13, &err), &err);
    CK_OK(oq_model_set_opset(model, "", 21, &err), &err);
    CK_OK(oq_model_set_opset(model, "ai.onnx.ml", 3, &err), &err);
    ck_assert_uint_eq(model->import_count, 2);
    ck_assert_int_eq(oq_model_opset(model, "ai.onnx"), 21);
    ck_assert_int_eq(oq_model_opset(model, "ai.onnx.ml"), 3);
    CK_OK(oq_model_set_metadata(model, "a", "1", &err), &err);
    CK_OK(oq_model_set_metadata(model, "b", "2", &err), &err);
    CK_OK(oq_model_set_metadata(model, "a", "3", &err), &err);
    ck_assert_str_eq(oq_model_metadata(model, "a"), "3");
    ck_assert_ptr_null(oq_model_metadata(model, "c"));
    const char *symbol = oq_model_intern(model, "batch", &err);
    char copy[] = "batch";
    ck_assert_ptr_eq(oq_model_intern(model, copy, &err), symbol);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graph edit");
    TCase *tcase = tcase_create("edit");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, values_and_nodes_are_found);
    tcase_add_test(tcase, a_value_has_one_producer);
    tcase_add_test(tcase, attributes);
    tcase_add_test(tcase, edits_keep_the_use_lists);
    tcase_add_test(tcase, outputs_can_be_moved_between_values);
    tcase_add_test(tcase, sweep_removes_what_nobody_needs);
    tcase_add_test(tcase, order_moves_late_producers_ahead);
    tcase_add_test(tcase, cycles_are_named);
    tcase_add_test(tcase, long_chains);
    tcase_add_test(tcase, dangling_inputs_are_named);
    tcase_add_test(tcase, names_are_made_unique_and_changed);
    tcase_add_test(tcase, edits_forget_the_origin);
    tcase_add_test(tcase, constants_behind_values);
    tcase_add_test(tcase, print_is_readable);
    tcase_add_test(tcase, metadata_and_opsets);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
