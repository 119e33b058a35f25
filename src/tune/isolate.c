// One layer alone quantized, cut out of the graph.
#include "tune/isolate.h"

#include <string.h>

// A search through the clone, from what unchanged nodes read to what unchanged nodes make.
typedef struct cut {
    const oq_graph *was;
    oq_graph *is;
    bool *changed;                         // [nodes of the clone] differs from the float graph's node
    bool *visited;                         // [values of the clone]
    oq_value_id *stack, *inputs, *outputs; // [values of the clone]
    size_t depth, input_count, output_count;
} cut;

static bool same_ids(const oq_value_id *a, size_t a_count, const oq_value_id *b, size_t b_count) {
    return a_count == b_count && (!a_count || memcmp(a, b, a_count * sizeof *a) == 0);
}

// Emission edits nodes by pointing them at other values; new nodes have new ids.
static bool is_changed(const cut *c, const oq_node *node) {
    if ((size_t)node->id >= c->was->node_count) return true;
    const oq_node *before = oq_graph_node(c->was, node->id);
    return before->dead || strcmp(before->op_type, node->op_type) != 0 ||
           !same_ids(before->inputs, before->input_count, node->inputs, node->input_count) ||
           !same_ids(before->outputs, before->output_count, node->outputs, node->output_count);
}

static oq_status open_cut(cut *c, oq_error *err) {
    oq_mem *mem = c->is->model->mem;
    const size_t values = c->is->value_count + 1;
    c->changed = oq_mem_calloc(mem, c->is->node_count + 1, sizeof *c->changed, err);
    c->visited = oq_mem_calloc(mem, values, sizeof *c->visited, err);
    c->stack = oq_mem_calloc(mem, values, sizeof *c->stack, err);
    c->inputs = oq_mem_calloc(mem, values, sizeof *c->inputs, err);
    c->outputs = oq_mem_calloc(mem, values, sizeof *c->outputs, err);
    return c->changed && c->visited && c->stack && c->inputs && c->outputs ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void close_cut(cut *c) {
    oq_mem *mem = c->is->model->mem;
    oq_mem_free(mem, c->changed);
    oq_mem_free(mem, c->visited);
    oq_mem_free(mem, c->stack);
    oq_mem_free(mem, c->inputs);
    oq_mem_free(mem, c->outputs);
}

static bool made_by_changed(const cut *c, oq_value_id id) {
    const oq_node_id producer = oq_graph_value(c->is, id)->producer;
    return producer != OQ_NONE && c->changed[producer];
}

// A value that an unchanged node reads, or an output: made by a changed node it ends the part.
static void note_end(cut *c, oq_value_id id) {
    if (id == OQ_NONE || c->visited[id] || !made_by_changed(c, id)) return;
    c->visited[id] = true;
    c->outputs[c->output_count++] = id;
    c->stack[c->depth++] = id;
}

// A value that a changed node reads: made by another changed one, constant, or where the part begins.
static void note_read(cut *c, oq_value_id id) {
    if (id == OQ_NONE || c->visited[id]) return;
    c->visited[id] = true;
    if (made_by_changed(c, id))
        c->stack[c->depth++] = id;
    else if (!oq_graph_constant(c->is, id))
        c->inputs[c->input_count++] = id;
}

static void find_ends(cut *c) {
    for (size_t n = 0; n < c->is->node_count; n++) {
        const oq_node *node = oq_graph_node(c->is, (oq_node_id)n);
        if (node->dead || c->changed[n]) continue;
        for (size_t i = 0; i < node->input_count; i++) note_end(c, node->inputs[i]);
        for (size_t i = 0; i < node->capture_count; i++) note_end(c, node->captures[i]);
    }
    for (size_t i = 0; i < c->is->output_count; i++) note_end(c, c->is->outputs[i]);
}

static void find_begins(cut *c) {
    while (c->depth) {
        const oq_node *node = oq_graph_node(c->is, oq_graph_value(c->is, c->stack[--c->depth])->producer);
        for (size_t i = 0; i < node->input_count; i++) note_read(c, node->inputs[i]);
        for (size_t i = 0; i < node->capture_count; i++) note_read(c, node->captures[i]);
    }
}

static oq_status cut_out(const oq_graph *was, oq_isolated *out, oq_error *err) {
    cut c = {.was = was, .is = out->clone->graph};
    oq_status status;
    OQ_TRY_DONE(open_cut(&c, err));
    for (size_t n = 0; n < c.is->node_count; n++)
        c.changed[n] = !c.is->nodes[n]->dead && is_changed(&c, c.is->nodes[n]);
    find_ends(&c);
    find_begins(&c);
    if (!c.output_count) goto done;
    const oq_program_options options = {.inputs = c.inputs,
                                        .input_count = c.input_count,
                                        .outputs = c.outputs,
                                        .output_count = c.output_count};
    OQ_TRY_DONE(oq_program_new(c.is, &options, &out->program, err));
    out->inputs = oq_program_inputs(out->program, &out->input_count);
    out->outputs = oq_program_outputs(out->program, &out->output_count);
done:
    close_cut(&c);
    return status;
}

static oq_status write_storage(const oq_quantization *q, oq_graph *clone, oq_error *err) {
    oq_storage *storage = NULL;
    oq_status status = oq_storage_make(q->model->graph, q->stats, &q->quant, &storage, err);
    if (status == ONNXQ_OK) status = oq_storage_emit(storage, clone, err);
    oq_storage_free(storage);
    return status;
}

static oq_status write_plan(const oq_quantization *q, oq_graph *clone, oq_error *err) {
    oq_plan *plan = NULL;
    oq_status status = oq_quantization_plan(q, NULL, NULL, &plan, NULL, err);
    if (status == ONNXQ_OK) status = oq_quantization_write(plan, clone, err);
    oq_plan_free(plan);
    return status;
}

oq_status oq_isolate(const oq_quantization *q, oq_isolated *out, oq_error *err) {
    const bool stores = q->quant.mode == OQ_MODE_WEIGHT_ONLY;
    *out = (oq_isolated){0};
    OQ_TRY(oq_model_clone(q->model, &out->clone, err));
    OQ_TRY((stores ? write_storage : write_plan)(q, out->clone->graph, err));
    OQ_TRY(oq_infer_graph(out->clone->graph, err));
    return cut_out(q->model->graph, out, err);
}

void oq_isolated_release(oq_isolated *isolated) {
    oq_program_free(isolated->program);
    oq_model_free(isolated->clone);
    *isolated = (oq_isolated){0};
}
