// Constant folding: what depends on constants alone is computed once, by the executor itself.
#include "passes/passes.h"

#include <string.h>

static const uint64_t most_bytes = 16 << 20; // of one result

// Folding DequantizeLinear would turn stored integers back into floats: a quantized weight stays one, unless
// the operator is asked for. `only`, ended by NULL: the operators to fold, of any size; NULL: all others,
// within the limit.
static bool is_wanted(const oq_node *node, const char *const *only) {
    if (!only) return !oq_node_is(node, "DequantizeLinear") && !oq_node_is(node, "QuantizeLinear");
    while (*only && !oq_node_is(node, *only)) only++;
    return *only != NULL;
}

static bool fits(const oq_type *type) {
    oq_shape shape;
    size_t bytes;
    return type->kind == OQ_TYPE_TENSOR && oq_type_static(type, &shape) &&
           oq_shape_check(&shape, oq_dtype_bytes(type->dtype) ? oq_dtype_bytes(type->dtype) : 1, &bytes,
                          NULL) == ONNXQ_OK &&
           bytes <= most_bytes;
}

static bool is_constant(const oq_graph *graph, const bool *folded, oq_value_id id) {
    if (id == OQ_NONE) return true;
    const oq_gvalue *value = oq_graph_value(graph, id);
    return folded[id] || (value->initializer && !value->is_input);
}

// Random at some depth.
static bool is_random(oq_graph *graph, const oq_node *node) {
    if (oq_op_is_random(graph, node)) return true;
    for (size_t a = 0; a < node->attr_count; a++) {
        const oq_attr *attr = &node->attrs[a];
        const size_t count = attr->kind == OQ_ATTR_GRAPH ? 1 : attr->kind == OQ_ATTR_GRAPHS ? attr->count : 0;
        for (size_t g = 0; g < count; g++) {
            oq_graph *body = attr->kind == OQ_ATTR_GRAPH ? attr->graph : attr->graphs[g];
            for (size_t i = 0; i < body->node_count; i++)
                if (!body->nodes[i]->dead && is_random(body, body->nodes[i])) return true;
        }
    }
    return false;
}

static bool can_fold(oq_graph *graph, const bool *folded, const oq_node *node, const char *const *only) {
    const oq_op *op;
    const oq_op_version *version = oq_op_of_node(graph->model, node, &op);
    if (!version || !version->run || is_random(graph, node) || !is_wanted(node, only)) return false;
    for (size_t i = 0; i < node->input_count; i++)
        if (!is_constant(graph, folded, node->inputs[i])) return false;
    for (size_t i = 0; i < node->capture_count; i++)
        if (!is_constant(graph, folded, node->captures[i])) return false;
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == OQ_NONE) continue;
        const oq_gvalue *value = oq_graph_value(graph, node->outputs[i]);
        if (value->is_output || (!only && !fits(&value->type)))
            return false; // a graph output keeps its node and name
    }
    return node->output_count > 0;
}

static bool is_folded(const bool *folded, const oq_node *node) {
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != OQ_NONE) return folded[node->outputs[i]];
    return false;
}

static bool used_by_others(const oq_graph *graph, const bool *folded, const oq_gvalue *value) {
    for (size_t u = 0; u < value->use_count; u++)
        if (!is_folded(folded, oq_graph_node(graph, value->uses[u].node))) return true;
    return false;
}

// Runs what is foldable; results[k] belongs to ids[k].
static oq_status compute(oq_graph *graph, const oq_value_id *ids, size_t count, oq_value *results,
                         oq_error *err) {
    static const oq_value_id no_inputs[1];
    const oq_program_options options = {
        .outputs = ids, .output_count = count, .inputs = no_inputs, .input_count = 0};
    oq_program *program = NULL;
    oq_worker *worker = NULL;
    oq_status status;
    OQ_TRY_DONE(oq_program_new(graph, &options, &program, err));
    OQ_TRY_DONE(oq_worker_new(program, &worker, err));
    OQ_TRY_DONE(oq_worker_run(worker, NULL, results, NULL, NULL, err));
done:
    oq_worker_free(worker);
    oq_program_free(program);
    return status;
}

static oq_status replace(oq_graph *graph, oq_value_id id, oq_value *result, oq_error *err) {
    oq_value_id constant;
    const oq_tensor tensor = result->tensor;
    *result = (oq_value){0}; // the initializer takes the reference over
    OQ_TRY(oq_graph_add_initializer(graph, oq_graph_value(graph, id)->name, tensor, &constant, err));
    oq_graph_value(graph, constant)->type = oq_graph_value(graph, id)->type;
    return oq_graph_replace_uses(graph, id, constant, false, err);
}

// Marks foldable nodes by their outputs and lists those outputs that somebody else reads.
static oq_status find(oq_graph *graph, const char *const *only, bool *folded, oq_value_id *ids, size_t *count,
                      oq_error *err) {
    oq_node_id *order = NULL;
    size_t nodes;
    OQ_TRY(oq_graph_order(graph, &order, &nodes, err));
    for (size_t i = 0; i < nodes; i++) {
        const oq_node *node = oq_graph_node(graph, order[i]);
        const bool fold = can_fold(graph, folded, node, only);
        for (size_t k = 0; fold && k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE) folded[node->outputs[k]] = true;
    }
    for (size_t v = 0; v < graph->value_count; v++)
        if (folded[v] && used_by_others(graph, folded, graph->values[v])) ids[(*count)++] = (oq_value_id)v;
    oq_mem_free(graph->model->mem, order);
    return ONNXQ_OK;
}

static oq_status fold(oq_graph *graph, const char *const *only, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    const size_t values = graph->value_count;
    bool *folded = oq_mem_calloc(mem, values, sizeof *folded, err);
    oq_value_id *ids = oq_mem_calloc(mem, values, sizeof *ids, err);
    oq_value *results = oq_mem_calloc(mem, values, sizeof *results, err);
    size_t count = 0;
    oq_status status =
        folded && ids && results ? find(graph, only, folded, ids, &count, err) : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK && count) status = compute(graph, ids, count, results, err);
    for (size_t k = 0; k < count && status == ONNXQ_OK; k++)
        status = replace(graph, ids[k], &results[k], err);
    for (size_t k = 0; results && k < count; k++) oq_value_release(&results[k]);
    oq_mem_free(mem, results);
    oq_mem_free(mem, ids);
    oq_mem_free(mem, folded);
    return status == ONNXQ_OK ? oq_graph_sweep(graph, true, err) : status;
}

oq_status oq_pass_fold_constants(oq_graph *graph, oq_error *err) { return fold(graph, NULL, err); }

oq_status oq_pass_fold_quantized(oq_graph *graph, oq_error *err) {
    static const char *const only[] = {"QuantizeLinear", "Constant", NULL};
    return fold(graph, only, err);
}

oq_status oq_pass_fold_dequantized(oq_graph *graph, oq_error *err) {
    static const char *const only[] = {"DequantizeLinear", "QuantizeLinear", "Cast", "Transpose",
                                       "Reshape",          "Constant",       NULL};
    return fold(graph, only, err);
}
