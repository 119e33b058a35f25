// Scan: a body run over the slices of its scan inputs, one step after the other.
#include "ops/lib/scan_plan.h"

static oq_status read_list(const oq_node *node, const char *name, size_t count, const int64_t **list,
                           oq_error *err) {
    size_t given;
    *list = oq_node_ints(node, name, &given);
    if (!given) *list = NULL;
    if (!*list || given == count) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of Scan has %zu entries for %zu values", name, given, count);
}

oq_status oq_scan_plan_read(const oq_node *node, size_t values, size_t outputs, oq_scan_plan *out,
                            oq_error *err) {
    const int64_t scanned = oq_node_int(node, "num_scan_inputs", 0);
    *out = (oq_scan_plan){0};
    OQ_TRY(oq_body_of(node, "body", &out->body, err));
    if (scanned < 1 || (uint64_t)scanned > values || outputs < values - (size_t)scanned ||
        out->body->input_count != values || out->body->output_count != outputs)
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "Scan of %zu values, %lld of them scanned, with %zu outputs has a body of %zu inputs and %zu "
            "outputs",
            values, (long long)scanned, outputs, out->body->input_count, out->body->output_count);
    out->scanned = (size_t)scanned;
    out->states = values - out->scanned;
    out->collected = outputs - out->states;
    const char *directions = oq_node_attr(node, "directions") ? "directions" : "scan_input_directions";
    OQ_TRY(read_list(node, "scan_input_axes", out->scanned, &out->in_axes, err));
    OQ_TRY(read_list(node, directions, out->scanned, &out->in_directions, err));
    OQ_TRY(read_list(node, "scan_output_axes", out->collected, &out->out_axes, err));
    return read_list(node, "scan_output_directions", out->collected, &out->out_directions, err);
}

static oq_status step(oq_run_context *context, const oq_scan_plan *scan, oq_value *states, oq_value *inputs,
                      oq_value *outputs, oq_collection *collections, oq_error *err) {
    const size_t output_count = scan->states + scan->collected;
    for (size_t k = 0; k < scan->states; ++k) inputs[k] = states[k]; // borrowed
    OQ_TRY(context->run_graph(context, scan->body, inputs, scan->states + scan->scanned, outputs,
                              output_count, err));
    for (size_t k = 0; k < scan->states; ++k) {
        oq_value_release(&states[k]);
        states[k] = outputs[k];
        outputs[k] = (oq_value){0};
    }
    for (size_t k = 0; k < scan->collected; ++k) {
        const oq_value taken = outputs[scan->states + k];
        outputs[scan->states + k] = (oq_value){0};
        OQ_TRY(oq_collect(context, &collections[k], taken, err));
    }
    return ONNXQ_OK;
}

oq_status oq_scan_plan_run(oq_run_context *context, const oq_scan_plan *scan, oq_value *states,
                           const oq_tensor *inputs, const int *axes, int64_t steps,
                           oq_collection *collections, oq_error *err) {
    const size_t output_count = scan->states + scan->collected;
    oq_value *given = NULL, *outputs = NULL;
    oq_status status = oq_values_new(context, scan->states + scan->scanned, &given, err);
    if (status == ONNXQ_OK) status = oq_values_new(context, output_count, &outputs, err);
    for (int64_t t = 0; t < steps && status == ONNXQ_OK; ++t) {
        for (size_t k = 0; k < scan->scanned && status == ONNXQ_OK; ++k) {
            const int64_t at = oq_scan_plan_at(scan->in_directions, k) ? steps - 1 - t : t;
            oq_tensor slice = {0};
            status = oq_tensor_part(context->mem, &inputs[k], axes[k], at, 1, true, &slice, err);
            if (status == ONNXQ_OK) given[scan->states + k] = oq_value_of_tensor(slice);
        }
        if (status == ONNXQ_OK) status = step(context, scan, states, given, outputs, collections, err);
        for (size_t k = 0; k < scan->scanned; ++k) oq_value_release(&given[scan->states + k]);
    }
    for (size_t k = 0; given && k < scan->states; ++k) given[k] = (oq_value){0};
    oq_values_free(context, given, scan->states + scan->scanned);
    oq_values_free(context, outputs, output_count);
    return status;
}
