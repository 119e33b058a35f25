// Raising the opset: every node is taken through each version of its operator between the old number and the
// new.
#include "passes/passes.h"

#include <string.h>

// The least IR version in which an opset of ai.onnx was released.
static int64_t ir_of_opset(int64_t opset) {
    static const struct {
        int64_t opset, ir;
    } releases[] = {{8, 3},  {9, 4},   {10, 5},  {11, 6},  {14, 7}, {18, 8},
                    {20, 9}, {22, 10}, {23, 11}, {24, 12}, {28, 13}};
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
        if (opset <= releases[i].opset) return releases[i].ir;
    return 13;
}

typedef oq_status (*visit_graph)(oq_graph *graph, const void *self, oq_error *err);

static oq_status visit_bodies(oq_graph *graph, visit_graph visit, const void *self, oq_error *err) {
    OQ_TRY(visit(graph, self, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        for (size_t a = 0; !node->dead && a < node->attr_count; a++) {
            const oq_attr *attr = &node->attrs[a];
            if (attr->kind == OQ_ATTR_GRAPH) OQ_TRY(visit_bodies(attr->graph, visit, self, err));
            for (size_t g = 0; attr->kind == OQ_ATTR_GRAPHS && g < attr->count; g++)
                OQ_TRY(visit_bodies(attr->graphs[g], visit, self, err));
        }
    }
    return ONNXQ_OK;
}

// Takes the nodes of one graph from opset `version` - 1 to `version`. What an upgrade adds is of the new
// version already.
static oq_status step(oq_graph *graph, const void *self, oq_error *err) {
    const int64_t version = *(const int64_t *)self;
    const size_t count = graph->node_count;
    for (size_t i = 0; i < count; i++) {
        oq_node *node = graph->nodes[i];
        if (node->dead || *node->domain) continue;
        const oq_op *op = oq_op_find("", node->op_type);
        const oq_op_version *next = op ? oq_op_at(op, version) : NULL;
        if (!next || next->since != version || !next->upgrade) continue;
        oq_upgrade_context context = {.graph = graph, .node = node, .from = version - 1, .to = version};
        const oq_status status = next->upgrade(&context, err);
        if (status != ONNXQ_OK) {
            char label[160];
            oq_error_at_node(err, oq_node_label(node, label, sizeof label), node->op_type);
            return status;
        }
    }
    return ONNXQ_OK;
}

static oq_status check_known(oq_graph *graph, const void *self, oq_error *err) {
    const int64_t target = *(const int64_t *)self;
    char label[160];
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        if (node->dead || *node->domain || oq_op_find("", node->op_type)) continue;
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "cannot raise the model to opset %lld: node '%s' has the operator %s, of which onnxq "
                       "does not know how it changed",
                       (long long)target, oq_node_label(node, label, sizeof label), node->op_type);
    }
    return ONNXQ_OK;
}

// From IR 4 on, initializers need not be inputs; below, every initializer is one, which would make it look
// replaceable.
static void free_initializers(oq_graph *graph) {
    for (size_t i = graph->input_count; i-- > 0;)
        if (oq_graph_value(graph, graph->inputs[i])->initializer) oq_graph_remove_input(graph, i);
}

static void raise_ir(oq_model *model, int64_t ir) {
    if (model->ir_version >= ir) return;
    if (model->ir_version < 4 && ir >= 4) free_initializers(model->graph);
    model->ir_version = ir;
    model->changed = true;
}

oq_status oq_pass_upgrade_opset(oq_model *model, int64_t opset, oq_error *err) {
    const int64_t from = oq_model_opset(model, "");
    if (from >= opset) return ONNXQ_OK;
    OQ_TRY(visit_bodies(model->graph, check_known, &opset, err));
    for (int64_t version = from + 1; version <= opset; version++)
        OQ_TRY(visit_bodies(model->graph, step, &version, err));
    OQ_TRY(oq_model_set_opset(model, "", opset, err));
    raise_ir(model, ir_of_opset(opset));
    return ONNXQ_OK;
}
