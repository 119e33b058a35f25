// Scan: states carried over the slices of the scanned inputs; version 8 does so for every sample of a batch.
#include "ops/lib/elementwise.h"
#include "ops/lib/lists.h"
#include "ops/lib/scan_plan.h"

#include <string.h>

// Tensors and axes of the scanned inputs, which must agree in their number of steps.
static oq_status scanned_inputs(oq_run_context *context, const oq_scan_plan *scan, oq_tensor *tensors,
                                int *axes, int64_t *steps, oq_error *err) {
    for (size_t k = 0; k < scan->scanned; ++k) {
        const oq_tensor *tensor;
        OQ_TRY(oq_need(context, scan->states + k, &tensor, err));
        OQ_TRY(oq_axis(context, oq_scan_plan_at(scan->in_axes, k), tensor->shape.rank, &axes[k], err));
        tensors[k] = *tensor;
        const int64_t size = tensor->shape.dim[axes[k]];
        if (k && size != *steps)
            return oq_fail(err, ONNXQ_BAD_DATA, "Scan over inputs of %lld and %lld steps", (long long)*steps,
                           (long long)size);
        *steps = size;
    }
    return ONNXQ_OK;
}

static oq_status finish(oq_run_context *context, const oq_scan_plan *scan, oq_value *states,
                        const oq_collection *collections, oq_error *err) {
    for (size_t k = 0; k < scan->states; ++k) {
        oq_out_take(context, k, states[k]);
        states[k] = (oq_value){0};
    }
    for (size_t k = 0; k < scan->collected; ++k) {
        const oq_type type = oq_body_output_type(scan->body, scan->states + k);
        OQ_TRY(oq_collection_stack(context, scan->states + k, &collections[k],
                                   oq_scan_plan_at(scan->out_axes, k),
                                   oq_scan_plan_at(scan->out_directions, k) != 0, &type, err));
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_scan_plan scan;
    OQ_TRY(oq_scan_plan_read(context->node, context->input_count, context->output_count, &scan, err));
    oq_tensor *tensors = oq_scratch(context, (scan.scanned + 1) * sizeof *tensors, err);
    int *axes = oq_scratch(context, (scan.scanned + 1) * sizeof *axes, err);
    oq_collection *collections = oq_scratch(context, (scan.collected + 1) * sizeof *collections, err);
    oq_value *states;
    int64_t steps = 0;
    if (!tensors || !axes || !collections) return ONNXQ_NO_MEMORY;
    OQ_TRY(scanned_inputs(context, &scan, tensors, axes, &steps, err));
    OQ_TRY(oq_values_new(context, scan.states, &states, err));
    memset(collections, 0, scan.collected * sizeof *collections);
    for (size_t k = 0; k < scan.states; ++k)
        if (context->in[k]) states[k] = oq_value_retain(context->in[k]);
    oq_status status = oq_scan_plan_run(context, &scan, states, tensors, axes, steps, collections, err);
    if (status == ONNXQ_OK) status = finish(context, &scan, states, collections, err);
    for (size_t k = 0; k < scan.collected; ++k) oq_collection_free(context, &collections[k]);
    oq_values_free(context, states, scan.states);
    return status;
}

// --- version 8: axis 0 is the batch, axis 1 the steps; samples may have fewer of them ---

typedef struct batch {
    const oq_scan_plan *scan;
    int64_t samples, steps;
    const int64_t *lengths; // or NULL: all steps
    oq_value *finals;       // [samples * states]
    oq_collection *stacks;  // [collected]: one tensor [steps, ...] per sample
} batch;

static oq_status read_batch(oq_run_context *context, batch *b, oq_error *err) {
    size_t count;
    for (size_t i = 1; i < context->input_count; ++i) {
        const oq_tensor *tensor;
        OQ_TRY(oq_need(context, i, &tensor, err));
        const bool scanned = i > b->scan->states;
        const bool fits = tensor->shape.rank > scanned && (i == 1 || tensor->shape.dim[0] == b->samples) &&
                          (!scanned || i == b->scan->states + 1 || tensor->shape.dim[1] == b->steps);
        if (!fits) return oq_fail(err, ONNXQ_BAD_DATA, "input %zu of Scan does not fit the batch", i);
        b->samples = tensor->shape.dim[0];
        if (scanned) b->steps = tensor->shape.dim[1];
    }
    OQ_TRY(oq_list_input(context, 0, &b->lengths, &count, err));
    for (size_t k = 0; b->lengths && k < count; ++k)
        if ((int64_t)count != b->samples || b->lengths[k] < 0 || b->lengths[k] > b->steps)
            return oq_fail(err, ONNXQ_BAD_DATA, "sequence lengths of Scan do not fit the batch");
    return ONNXQ_OK;
}

// Steps that a shorter sample does not have are zero.
static oq_status pad_stack(oq_run_context *context, const batch *b, oq_collection *steps, oq_error *err) {
    while (steps->count && (int64_t)steps->count < b->steps) {
        oq_tensor zero;
        const oq_tensor *like = &steps->items[0].tensor;
        if (like->dtype == ONNXQ_STRING)
            return oq_fail(err, ONNXQ_UNSUPPORTED, "Scan of shorter sequences of strings is not supported");
        OQ_TRY(oq_tensor_new(context->mem, like->dtype, &like->shape, &zero, err));
        memset(zero.data, 0, oq_tensor_bytes(&zero));
        OQ_TRY(oq_collect(context, steps, oq_value_of_tensor(zero), err));
    }
    return ONNXQ_OK;
}

static oq_status run_sample(oq_run_context *context, batch *b, int64_t sample, oq_tensor *inputs, int *axes,
                            oq_collection *steps, oq_error *err) {
    const oq_scan_plan *scan = b->scan;
    oq_value *states = b->finals + (size_t)sample * scan->states;
    oq_status status = ONNXQ_OK;
    for (size_t k = 0; k < scan->states && status == ONNXQ_OK; ++k) {
        oq_tensor part = {0};
        status = oq_tensor_part(context->mem, oq_in(context, 1 + k), 0, sample, 1, true, &part, err);
        states[k] = oq_value_of_tensor(part);
    }
    for (size_t k = 0; k < scan->scanned && status == ONNXQ_OK; ++k) {
        const oq_tensor *whole = oq_in(context, 1 + scan->states + k);
        status = oq_tensor_part(context->mem, whole, 0, sample, 1, true, &inputs[k], err);
        axes[k] = 0;
    }
    const int64_t length = b->lengths ? b->lengths[sample] : b->steps;
    if (status == ONNXQ_OK)
        status = oq_scan_plan_run(context, scan, states, inputs, axes, length, steps, err);
    for (size_t k = 0; k < scan->collected && status == ONNXQ_OK; ++k) {
        const oq_type type = oq_body_output_type(scan->body, scan->states + k);
        status = pad_stack(context, b, &steps[k], err);
        // The output serves as the place where this sample's steps are stacked.
        if (status == ONNXQ_OK)
            status = oq_collection_stack(context, scan->states + k, &steps[k], 0, false, &type, err);
        if (status != ONNXQ_OK) break;
        const oq_value stacked = context->out[scan->states + k];
        context->out[scan->states + k] = (oq_value){0};
        status = oq_collect(context, &b->stacks[k], stacked, err);
    }
    for (size_t k = 0; k < scan->scanned; ++k) oq_tensor_release(&inputs[k]);
    for (size_t k = 0; k < scan->collected; ++k) oq_collection_free(context, &steps[k]);
    return status;
}

static oq_status stack_states(oq_run_context *context, const batch *b, oq_error *err) {
    for (size_t k = 0; k < b->scan->states; ++k) {
        oq_collection finals = {0};
        oq_status status = ONNXQ_OK;
        const oq_type type = oq_body_output_type(b->scan->body, k);
        for (int64_t s = 0; s < b->samples && status == ONNXQ_OK; ++s)
            status = oq_collect(context, &finals,
                                oq_value_retain(&b->finals[(size_t)s * b->scan->states + k]), err);
        if (status == ONNXQ_OK) status = oq_collection_stack(context, k, &finals, 0, false, &type, err);
        oq_collection_free(context, &finals);
        OQ_TRY(status);
    }
    return ONNXQ_OK;
}

static oq_status run_8(oq_run_context *context, oq_error *err) {
    oq_scan_plan scan;
    batch b = {.scan = &scan};
    OQ_TRY(oq_scan_plan_read(context->node, context->input_count - 1, context->output_count, &scan, err));
    OQ_TRY(read_batch(context, &b, err));
    oq_tensor *inputs = oq_scratch(context, (scan.scanned + 1) * sizeof *inputs, err);
    int *axes = oq_scratch(context, (scan.scanned + 1) * sizeof *axes, err);
    oq_collection *steps = oq_scratch(context, (scan.collected + 1) * sizeof *steps, err);
    b.stacks = oq_scratch(context, (scan.collected + 1) * sizeof *b.stacks, err);
    if (!inputs || !axes || !steps || !b.stacks) return ONNXQ_NO_MEMORY;
    memset(inputs, 0, scan.scanned * sizeof *inputs);
    memset(steps, 0, scan.collected * sizeof *steps);
    memset(b.stacks, 0, scan.collected * sizeof *b.stacks);
    size_t finals;
    if (!oq_mul_size((size_t)b.samples, scan.states, &finals))
        return oq_fail(err, ONNXQ_NO_MEMORY, "batch too large");
    OQ_TRY(oq_values_new(context, finals, &b.finals, err));
    oq_status status = ONNXQ_OK;
    for (int64_t s = 0; s < b.samples && status == ONNXQ_OK; ++s)
        status = run_sample(context, &b, s, inputs, axes, steps, err);
    if (status == ONNXQ_OK) status = stack_states(context, &b, err);
    for (size_t k = 0; k < scan.collected && status == ONNXQ_OK; ++k) {
        const oq_type type = oq_body_output_type(scan.body, scan.states + k);
        status = oq_collection_stack(context, scan.states + k, &b.stacks[k], 0, false, &type, err);
    }
    for (size_t k = 0; k < scan.collected; ++k) oq_collection_free(context, &b.stacks[k]);
    oq_values_free(context, b.finals, finals);
    return status;
}

// --- inference ---

static void drop_axis(oq_type *type, int axis) {
    for (int d = axis; d < type->rank - 1; ++d) type->dim[d] = type->dim[d + 1];
    --type->rank;
}

static void add_axis(oq_type *type, int axis, oq_dim dim) {
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 0 || type->rank >= OQ_MAX_RANK) return;
    for (int d = type->rank; d > axis; --d) type->dim[d] = type->dim[d - 1];
    type->dim[axis] = dim;
    ++type->rank;
}

// Versions differ in `batched`: axis 0 of everything is then the batch, and goes away inside the body.
static oq_status infer_any(oq_infer_context *context, bool batched, oq_error *err) {
    const size_t first = batched ? 1 : 0;
    oq_scan_plan scan;
    if (context->input_count <= first) return ONNXQ_OK;
    OQ_TRY(oq_scan_plan_read(context->node, context->input_count - first, context->output_count, &scan, err));
    const size_t count = scan.states + scan.scanned;
    oq_type *types = oq_arena_calloc(&context->model->arena, count + 1, sizeof *types, err);
    if (!types) return ONNXQ_NO_MEMORY;
    oq_dim steps = OQ_DIM_ANONYMOUS, samples = OQ_DIM_ANONYMOUS;
    for (size_t i = 0; i < count; ++i) {
        const oq_type *in = oq_infer_in(context, first + i);
        if (!in) continue;
        types[i] = *in;
        if (batched && in->rank > 0) {
            samples = in->dim[0];
            drop_axis(&types[i], 0);
        }
        if (i < scan.states || types[i].rank < 1) continue;
        int axis;
        OQ_TRY(oq_infer_axis(context, oq_scan_plan_at(scan.in_axes, i - scan.states), types[i].rank, &axis,
                             err));
        steps = types[i].dim[axis];
        drop_axis(&types[i], axis);
    }
    OQ_TRY(context->infer_graph(context, scan.body, types, count, err));
    for (size_t o = 0; o < context->output_count; ++o) {
        oq_type type = oq_body_output_type(scan.body, o);
        int axis = 0;
        if (o >= scan.states && type.rank >= 0) {
            OQ_TRY(oq_infer_axis(context, oq_scan_plan_at(scan.out_axes, o - scan.states), type.rank + 1,
                                 &axis, err));
            add_axis(&type, axis, steps);
        }
        // A state keeps its shape from step to step: where the body does not say, that of the first holds.
        if (o < scan.states && type.kind == OQ_TYPE_TENSOR && types[o].rank >= 0) {
            if (type.rank < 0) type = oq_type_tensor(type.dtype, types[o].rank, NULL);
            for (int d = 0; type.rank == types[o].rank && d < type.rank; ++d)
                if (!oq_dim_known(type.dim[d]) && !type.dim[d].symbol) type.dim[d] = types[o].dim[d];
        }
        if (batched) add_axis(&type, 0, samples);
        oq_infer_set_type(context, o, &type);
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) { return infer_any(context, false, err); }
static oq_status infer_8(oq_infer_context *context, oq_error *err) { return infer_any(context, true, err); }

// Input `i` without the axis of its one sample.
static oq_status squeeze_input(oq_upgrade_context *context, size_t i, int64_t zero, oq_value_id *out,
                               oq_error *err) {
    oq_node *squeeze;
    OQ_TRY(oq_upgrade_new_node(context, "Squeeze", &context->node->inputs[i], 1, "_sample", &squeeze, err));
    *out = squeeze->outputs[0];
    return oq_node_set_ints(context->graph, squeeze, "axes", &zero, 1, err);
}

// The node writes output `o` under a new name, and Unsqueeze gives the axis of the sample back to it.
static oq_status unsqueeze_output(oq_upgrade_context *context, size_t o, int64_t zero, oq_error *err) {
    oq_graph *graph = context->graph;
    const oq_value_id old = context->node->outputs[o];
    const char *name;
    oq_value_id fresh;
    oq_node *unsqueeze;
    if (old == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_graph_unique_name(graph, oq_graph_value(graph, old)->name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &fresh, err));
    OQ_TRY(oq_node_set_output(graph, context->node, o, fresh, err));
    OQ_TRY(oq_graph_add_node(graph, "", "Unsqueeze", "", &fresh, 1, &old, 1, &unsqueeze, err));
    return oq_node_set_ints(graph, unsqueeze, "axes", &zero, 1, err);
}

// Version 9 knows no batch: a batch of one sample loses its axis around the node.
static oq_status upgrade_9(oq_upgrade_context *context, oq_error *err) {
    oq_graph *graph = context->graph;
    oq_node *node = context->node;
    size_t count;
    const int64_t *directions = oq_node_ints(node, "directions", &count);
    for (size_t i = 1; i < node->input_count; ++i) {
        const oq_type *type = &oq_graph_value(graph, node->inputs[i])->type;
        if (node->inputs[0] == OQ_NONE && type->rank > 0 && type->dim[0].size == 1) continue;
        return oq_fail(
            err, ONNXQ_UNSUPPORTED,
            "Scan of opset 8 works on a batch; it can be upgraded when the batch is known to be one "
            "sample and there are no sequence lengths: fix the first dimension of '%s' to 1",
            oq_graph_value(graph, node->inputs[i])->name);
    }
    for (size_t i = 1; i < node->input_count; ++i) {
        oq_value_id sample;
        OQ_TRY(squeeze_input(context, i, 0, &sample, err));
        OQ_TRY(oq_node_set_input(graph, node, i - 1, sample, err));
    }
    OQ_TRY(oq_node_keep_inputs(graph, node, node->input_count - 1, err));
    for (size_t o = 0; o < node->output_count; ++o) OQ_TRY(unsqueeze_output(context, o, 0, err));
    if (directions) OQ_TRY(oq_node_set_ints(graph, node, "scan_input_directions", directions, count, err));
    oq_node_remove_attr(node, "directions");
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET, UPGRADE)                                                                         \
    {                                                                                                        \
        .since = SINCE,                                                                                      \
        .signature = "initial_state_and_scan_inputs+~:V -> final_state_and_scan_outputs+~:V",                \
        .types = OQ_TYPES({"V", SET}),                                                                       \
        .attrs = OQ_ATTRS(                                                                                   \
            {"body", OQ_ATTR_GRAPH, true}, {"num_scan_inputs", OQ_ATTR_INT, true},                           \
            {"scan_input_axes", OQ_ATTR_INTS, false}, {"scan_input_directions", OQ_ATTR_INTS, false},        \
            {"scan_output_axes", OQ_ATTR_INTS, false}, {"scan_output_directions", OQ_ATTR_INTS, false}),     \
        .infer = infer, .run = run, .upgrade = UPGRADE                                                       \
    }

static const oq_op_version versions[] = {
    {.since = 8,
     .signature = "sequence_lens?:I, initial_state_and_scan_inputs+~:V -> final_state_and_scan_outputs+~:V",
     .types = OQ_TYPES({"V", OQ_T_ALL1}, {"I", OQ_T(INT64)}),
     .attrs = OQ_ATTRS({"body", OQ_ATTR_GRAPH, true}, {"directions", OQ_ATTR_INTS, false},
                       {"num_scan_inputs", OQ_ATTR_INT, true}),
     .infer = infer_8,
     .run = run_8},
    VERSION(9, OQ_T_ALL1, upgrade_9),
    VERSION(11, OQ_T_ALL1, NULL),
    VERSION(16, OQ_T_ALL13, NULL),
    VERSION(19, OQ_T_ALL19, NULL),
    VERSION(21, OQ_T_ALL21, NULL),
    VERSION(23, OQ_T_ALL23, NULL),
    VERSION(24, OQ_T_ALL24, NULL),
    VERSION(25, OQ_T_ALL25, NULL),
};

OQ_OP(ai_onnx, Scan, "", versions, OQ_OP_BODY);
