// Whether a graph can be run: operators that are not known count wherever they stand.
#include "support/net.h"

#include <string.h>

// A node `op_type` of a domain that nobody knows, or of ai.onnx.
static oq_node *add_node(oq_graph *graph, const char *op_type, bool known, oq_value_id from, const char *to) {
    oq_error err = {0};
    oq_node *node;
    const oq_value_id out = test_net_value(graph, to);
    CK_OK(oq_graph_add_node(graph, to, op_type, known ? "" : "own", &from, 1, &out, 1, &node, &err), &err);
    return node;
}

static void expect_unknown(oq_graph *graph, const char *node) {
    oq_error err = {0};
    ck_assert_int_eq(oq_graph_can_run(graph, &err), ONNXQ_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, "operator Swirl of domain own is not known") != NULL, "%s",
                  err.message);
    ck_assert_str_eq(err.node, node);
    ck_assert_str_eq(err.op_type, "Swirl");
}

START_TEST(an_unknown_operator_is_named) {
    test_net net;
    oq_error err = {0};
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(2));
    const oq_node *relu = add_node(net.graph, "Relu", true, x, "relu");
    CK_OK(oq_graph_can_run(net.graph, &err), &err);
    test_net_output(&net, add_node(net.graph, "Swirl", false, relu->outputs[0], "y")->outputs[0]);
    expect_unknown(net.graph, "y");
    test_net_release(&net);
}
END_TEST

START_TEST(bodies_count) {
    test_net net;
    oq_error err = {0};
    oq_graph *body;
    test_net_init(&net, 21);
    const oq_value_id c = test_net_input(&net, "c", ONNXQ_BOOL, (oq_shape){0});
    oq_node *node = add_node(net.graph, "If", true, c, "y");
    CK_OK(oq_graph_new(net.model, net.graph, &body, &err), &err);
    const oq_value_id inside = test_net_value(body, "inside");
    CK_OK(oq_graph_add_output(body, add_node(body, "Swirl", false, inside, "out")->outputs[0], &err), &err);
    CK_OK(oq_node_set_graph(net.graph, node, "then_branch", body, &err), &err);
    expect_unknown(net.graph, "out");
    test_net_release(&net);
}
END_TEST

// Of a function only its calls count; each is looked into once.
START_TEST(functions_count_when_they_are_called) {
    test_net net;
    oq_error err = {0};
    test_net_init(&net, 21);
    oq_import imports[] = {{.domain = "", .version = 16}, {.domain = "own", .version = 1}};
    oq_function f = {.domain = "own", .name = "Twice", .overload = "", .imports = imports, .import_count = 2};
    CK_OK(oq_graph_new(net.model, NULL, &f.body, &err), &err);
    const oq_value_id in = test_net_value(f.body, "in");
    CK_OK(oq_graph_add_input(f.body, in, &err), &err);
    CK_OK(oq_graph_add_output(f.body, add_node(f.body, "Swirl", false, in, "out")->outputs[0], &err), &err);
    net.model->functions = &f;
    net.model->function_count = 1;
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(2));
    const oq_node *relu = add_node(net.graph, "Relu", true, x, "relu");
    CK_OK(oq_graph_can_run(net.graph, &err), &err);
    add_node(net.graph, "Twice", false, relu->outputs[0], "y");
    expect_unknown(net.graph, "out");
    net.model->function_count = 0;
    test_net_release(&net);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("resolve");
    TCase *tcase = tcase_create("resolve");
    tcase_add_test(tcase, an_unknown_operator_is_named);
    tcase_add_test(tcase, bodies_count);
    tcase_add_test(tcase, functions_count_when_they_are_called);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
