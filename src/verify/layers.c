// Errors layer by layer. A layer is what lies in the second model between one common value and the common
// values next above it.
#include "verify/layers.h"
#include "verify/compare.h"

#include <string.h>

struct oq_layer {
    oq_value_id reference, model; // the value in both graphs
    oq_program *program; // of the second model: from `inputs` to `model`; NULL when nothing lies between
    oq_value_id *inputs; // in the reference, in the order of the program's inputs
    size_t input_count;
    oq_worker **workers; // [threads], made when first needed
};

static bool is_float_tensor(const oq_gvalue *value) {
    return value->type.kind == OQ_TYPE_TENSOR && oq_dtype_info(value->type.dtype)->is_float;
}

// The value of the reference with the same name when both are float activations, else OQ_NONE.
static oq_value_id common_value(const oq_layers *l, oq_value_id in_model) {
    const oq_gvalue *value = oq_graph_value(l->model, in_model);
    if (!is_float_tensor(value) || value->initializer) return OQ_NONE;
    const oq_value_id id = oq_graph_find(l->reference, value->name);
    if (id == OQ_NONE || !is_float_tensor(oq_graph_value(l->reference, id))) return OQ_NONE;
    return oq_graph_value(l->reference, id)->initializer ? OQ_NONE : id;
}

// Collects the common values next above `value`; `visited` by value id. A graph input of any type ends the
// walk as well.
typedef struct walk {
    const oq_layers *layers;
    bool *visited;
    oq_value_id *stack, *found;
    size_t depth, count;
    bool open; // something above is neither common nor constant: the layer cannot stand alone
} walk;

static void visit(walk *w, oq_value_id value) {
    if (value == OQ_NONE || w->visited[value]) return;
    w->visited[value] = true;
    w->stack[w->depth++] = value;
}

static void step(walk *w, oq_value_id value, bool is_target) {
    const oq_graph *graph = w->layers->model;
    const oq_gvalue *v = oq_graph_value(graph, value);
    if (!is_target && common_value(w->layers, value) != OQ_NONE) {
        w->found[w->count++] = value;
        return;
    }
    if (v->producer == OQ_NONE) {
        if (!v->initializer) w->open = true; // an integer graph input and the like
        return;
    }
    const oq_node *node = oq_graph_node(graph, v->producer);
    for (size_t i = 0; i < node->input_count; i++) visit(w, node->inputs[i]);
    for (size_t i = 0; i < node->capture_count; i++) visit(w, node->captures[i]);
}

static oq_status walk_up(const oq_layers *l, oq_value_id target, walk *w, oq_error *err) {
    const size_t values = l->model->value_count;
    *w = (walk){.layers = l};
    w->visited = oq_mem_calloc(l->mem, values, sizeof *w->visited, err);
    w->stack = oq_mem_calloc(l->mem, values, sizeof *w->stack, err);
    w->found = oq_mem_calloc(l->mem, values, sizeof *w->found, err);
    if (!w->visited || !w->stack || !w->found) return ONNXQ_NO_MEMORY;
    visit(w, target);
    while (w->depth) {
        const oq_value_id value = w->stack[--w->depth];
        step(w, value, value == target);
    }
    return ONNXQ_OK;
}

static void walk_release(const oq_layers *l, walk *w) {
    oq_mem_free(l->mem, w->visited);
    oq_mem_free(l->mem, w->stack);
    oq_mem_free(l->mem, w->found);
}

static oq_status make_layer(oq_layers *l, oq_layer *layer, oq_error *err) {
    walk w = {0};
    oq_status status;
    OQ_TRY_DONE(walk_up(l, layer->model, &w, err));
    if (w.open || !w.count) goto done; // without inputs of its own there is nothing to run it on
    const oq_program_options options = {
        .outputs = &layer->model, .output_count = 1, .inputs = w.found, .input_count = w.count};
    OQ_TRY_DONE(oq_program_new(l->model, &options, &layer->program, err));
    const oq_value_id *inputs = oq_program_inputs(layer->program, &layer->input_count);
    layer->inputs = oq_mem_calloc(l->mem, layer->input_count, sizeof *layer->inputs, err);
    layer->workers = oq_mem_calloc(l->mem, l->threads, sizeof(oq_worker *), err);
    if (!layer->inputs || !layer->workers) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < layer->input_count; i++) layer->inputs[i] = common_value(l, inputs[i]);
done:
    walk_release(l, &w);
    return status;
}

// A layer for each common value that a node makes, in the reference's topological order.
static oq_status find_layers(oq_layers *l, oq_error *err) {
    oq_node_id *order = NULL;
    size_t nodes;
    OQ_TRY(oq_graph_order(l->reference, &order, &nodes, err));
    l->items = oq_mem_calloc(l->mem, l->reference->value_count, sizeof *l->items, err);
    for (size_t i = 0; l->items && i < nodes; i++) {
        const oq_node *node = oq_graph_node(l->reference, order[i]);
        for (size_t k = 0; k < node->output_count; k++) {
            if (node->outputs[k] == OQ_NONE) continue;
            const oq_value_id in_model =
                oq_graph_find(l->model, oq_graph_value(l->reference, node->outputs[k])->name);
            if (in_model == OQ_NONE || common_value(l, in_model) != node->outputs[k]) continue;
            if (oq_graph_value(l->model, in_model)->producer == OQ_NONE) continue;
            l->items[l->count++] = (oq_layer){.reference = node->outputs[k], .model = in_model};
            l->in_reference[node->outputs[k]] = l->in_model[in_model] = true;
        }
    }
    oq_mem_free(l->reference->model->mem, order);
    return l->items ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void watch_inputs(oq_layers *l) {
    for (size_t i = 0; i < l->reference->input_count; i++) l->in_reference[l->reference->inputs[i]] = true;
}

oq_status oq_layers_init(oq_layers *layers, oq_mem *mem, oq_graph *reference, oq_graph *model,
                         const oq_dataset *data, size_t samples, size_t threads, oq_error *err) {
    *layers = (oq_layers){.mem = mem,
                          .reference = reference,
                          .model = model,
                          .data = data,
                          .threads = threads,
                          .samples = samples};
    layers->in_reference = oq_mem_calloc(mem, reference->value_count, sizeof(bool), err);
    layers->in_model = oq_mem_calloc(mem, model->value_count, sizeof(bool), err);
    if (!layers->in_reference || !layers->in_model) return ONNXQ_NO_MEMORY;
    watch_inputs(layers);
    OQ_TRY(find_layers(layers, err));
    for (size_t i = 0; i < layers->count; i++) OQ_TRY(make_layer(layers, &layers->items[i], err));
    size_t cells;
    if (!oq_mul_size(samples, layers->count, &cells))
        return oq_fail(err, ONNXQ_NO_MEMORY, "too many samples for a layer report");
    layers->results = oq_mem_calloc(mem, cells, sizeof *layers->results, err);
    return layers->results ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

void oq_layers_release(oq_layers *layers) {
    if (!layers->mem) return;
    for (size_t i = 0; layers->items && i < layers->count; i++) {
        oq_layer *layer = &layers->items[i];
        for (size_t t = 0; layer->workers && t < layers->threads; t++) oq_worker_free(layer->workers[t]);
        oq_program_free(layer->program);
        oq_mem_free(layers->mem, layer->workers);
        oq_mem_free(layers->mem, layer->inputs);
    }
    oq_mem_free(layers->mem, layers->items);
    oq_mem_free(layers->mem, layers->results);
    oq_mem_free(layers->mem, layers->in_reference);
    oq_mem_free(layers->mem, layers->in_model);
    *layers = (oq_layers){0};
}

static oq_status keep(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    (void)err;
    oq_layers_sample *sample = self;
    oq_value_release(&sample->seen[id]);
    sample->seen[id] = oq_value_retain(value);
    return ONNXQ_OK;
}

static oq_status difference_at(const oq_layers_sample *sample, const oq_layer *layer, const oq_value *value,
                               oq_difference *out, oq_error *err) {
    const oq_layers *l = sample->layers;
    size_t real, rows;
    const oq_value *reference = &sample->seen[layer->reference];
    if (reference->kind != OQ_VALUE_TENSOR || value->kind != OQ_VALUE_TENSOR) return ONNXQ_OK;
    oq_dataset_rows(l->data, sample->data_index, &real, &rows);
    return oq_compare_tensors(&reference->tensor, &value->tensor, real, rows,
                              oq_graph_value(l->reference, layer->reference)->name, out, err);
}

static oq_status compare_seen(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    oq_layers_sample *sample = self;
    oq_layers *l = sample->layers;
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].model == id)
            return difference_at(sample, &l->items[i], value, &l->results[sample->index * l->count + i].total,
                                 err);
    return ONNXQ_OK;
}

oq_status oq_layers_begin(oq_layers *layers, size_t index, size_t data_index, size_t worker,
                          oq_layers_sample *out, oq_error *err) {
    *out = (oq_layers_sample){.index = index, .data_index = data_index, .worker = worker};
    if (!layers->mem) return ONNXQ_OK;
    out->layers = layers;
    out->reference = (oq_observer){out, keep};
    out->model = (oq_observer){out, compare_seen};
    out->seen = oq_mem_calloc(layers->mem, layers->reference->value_count, sizeof *out->seen, err);
    return out->seen ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

const oq_observer *oq_layers_observe_reference(oq_layers_sample *sample) {
    return sample->layers ? &sample->reference : NULL;
}
const oq_observer *oq_layers_observe_model(oq_layers_sample *sample) {
    return sample->layers ? &sample->model : NULL;
}

static oq_status run_alone(oq_layers_sample *sample, oq_layer *layer, oq_difference *out, oq_error *err) {
    oq_layers *l = sample->layers;
    oq_worker **worker = &layer->workers[sample->worker];
    if (!*worker) OQ_TRY(oq_worker_new(layer->program, worker, err));
    oq_value *inputs = oq_mem_calloc(l->mem, layer->input_count, sizeof *inputs, err), output = {0};
    if (!inputs) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < layer->input_count; i++) inputs[i] = sample->seen[layer->inputs[i]]; // borrowed
    oq_status status = oq_worker_run(*worker, inputs, &output, NULL, NULL, err);
    if (status == ONNXQ_OK) status = difference_at(sample, layer, &output, out, err);
    oq_value_release(&output);
    oq_mem_free(l->mem, inputs);
    return status;
}

oq_status oq_layers_arising(oq_layers_sample *sample, oq_error *err) {
    oq_layers *l = sample->layers;
    for (size_t i = 0; l && i < l->count; i++)
        if (l->items[i].program)
            OQ_TRY(run_alone(sample, &l->items[i], &l->results[sample->index * l->count + i].arising, err));
    return ONNXQ_OK;
}

void oq_layers_end(oq_layers_sample *sample) {
    if (!sample->layers) return;
    for (size_t i = 0; sample->seen && i < sample->layers->reference->value_count; i++)
        oq_value_release(&sample->seen[i]);
    oq_mem_free(sample->layers->mem, sample->seen);
    sample->seen = NULL;
}

oq_status oq_layers_combine(const oq_layers *layers, oq_layer_difference **out, size_t *count,
                            oq_error *err) {
    if (!layers->mem) return ONNXQ_OK;
    *out = oq_mem_calloc(layers->mem, layers->count, sizeof **out, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    *count = layers->count;
    for (size_t i = 0; i < layers->count; i++) {
        const oq_gvalue *value = oq_graph_value(layers->reference, layers->items[i].reference);
        (*out)[i].name = value->name;
        (*out)[i].op_type = oq_graph_node(layers->reference, value->producer)->op_type;
        for (size_t s = 0; s < layers->samples; s++) {
            oq_difference_add(&(*out)[i].total, &layers->results[s * layers->count + i].total);
            oq_difference_add(&(*out)[i].arising, &layers->results[s * layers->count + i].arising);
        }
    }
    return ONNXQ_OK;
}
