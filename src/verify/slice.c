// Finds what lies between values of a graph, and runs it.
#include "verify/slice.h"

// `visited` by value id.
typedef struct walk {
    const oq_graph *graph;
    const int32_t *ends;
    bool *visited;
    oq_value_id *stack, *found;
    size_t depth, count;
    bool open; // something above is neither an end nor constant
} walk;

static void visit(walk *w, oq_value_id value) {
    if (value == OQ_NONE || w->visited[value]) return;
    w->visited[value] = true;
    w->stack[w->depth++] = value;
}

static void step(walk *w, oq_value_id value, bool is_target) {
    const oq_gvalue *v = oq_graph_value(w->graph, value);
    if (!is_target && w->ends[value] >= 0) {
        w->found[w->count++] = value;
        return;
    }
    if (v->producer == OQ_NONE) {
        if (!v->initializer) w->open = true; // an integer graph input and the like
        return;
    }
    const oq_node *node = oq_graph_node(w->graph, v->producer);
    for (size_t i = 0; i < node->input_count; i++) visit(w, node->inputs[i]);
    for (size_t i = 0; i < node->capture_count; i++) visit(w, node->captures[i]);
}

static oq_status walk_up(oq_mem *mem, oq_value_id target, walk *w, oq_error *err) {
    const size_t values = w->graph->value_count;
    w->visited = oq_mem_calloc(mem, values, sizeof *w->visited, err);
    w->stack = oq_mem_calloc(mem, values, sizeof *w->stack, err);
    w->found = oq_mem_calloc(mem, values, sizeof *w->found, err);
    if (!w->visited || !w->stack || !w->found) return ONNXQ_NO_MEMORY;
    visit(w, target);
    while (w->depth) {
        const oq_value_id value = w->stack[--w->depth];
        step(w, value, value == target);
    }
    return ONNXQ_OK;
}

oq_status oq_slice_make(oq_mem *mem, oq_graph *graph, oq_value_id target, const int32_t *ends,
                        bool saturate_pairs, oq_slice *out, oq_error *err) {
    walk w = {.graph = graph, .ends = ends};
    oq_status status;
    *out = (oq_slice){0};
    OQ_TRY_DONE(walk_up(mem, target, &w, err));
    if (w.open || !w.count) goto done; // without inputs of its own there is nothing to run it on
    const oq_program_options options = {.outputs = &target,
                                        .output_count = 1,
                                        .inputs = w.found,
                                        .input_count = w.count,
                                        .saturate_pairs = saturate_pairs};
    OQ_TRY_DONE(oq_program_new(graph, &options, &out->program, err));
    const oq_value_id *inputs = oq_program_inputs(out->program, &out->input_count);
    out->inputs = oq_mem_calloc(mem, out->input_count, sizeof *out->inputs, err);
    if (!out->inputs) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < out->input_count; i++) out->inputs[i] = ends[inputs[i]];
done:
    oq_mem_free(mem, w.visited);
    oq_mem_free(mem, w.stack);
    oq_mem_free(mem, w.found);
    return status;
}

void oq_slice_release(oq_mem *mem, oq_slice *slice) {
    oq_program_free(slice->program);
    oq_mem_free(mem, slice->inputs);
    *slice = (oq_slice){0};
}

// With a worker of its own each time: as many slices as there are layers would keep the buffers of all of
// them.
oq_status oq_slice_run(const oq_slice *slice, const oq_value *inputs, oq_value *output, oq_error *err) {
    oq_worker *worker;
    OQ_TRY(oq_worker_new(slice->program, &worker, err));
    const oq_status status = oq_worker_run(worker, inputs, output, NULL, NULL, err);
    oq_worker_free(worker);
    return status;
}
