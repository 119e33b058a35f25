// Lockstep: running one part on the samples of both streams.
#include "grid/layout.h"
#include "kernels/rows.h"
#include "tune/lockstep.h"

#include <string.h>

// One parameter for all elements, or one per channel.
static oq_status layout_of(const oq_tensor_plan *plan, const oq_tensor *tensor, oq_layout *out,
                           oq_error *err) {
    const oq_granularity granularity = {.kind = plan->axis < 0 ? OQ_PER_TENSOR : OQ_PER_CHANNEL,
                                        .axis = plan->axis};
    return oq_layout_make(&tensor->shape, &granularity, out, NULL, err);
}

static bool is_byte(const oq_tensor_plan *tensor) { return oq_dtype_bytes(tensor->carrier) == 1; }

static bool is_signed(const oq_tensor_plan *tensor) { return oq_dtype_info(tensor->carrier)->min < 0; }

oq_status oq_lockstep_quantize(const oq_lockstep *l, oq_value_id value, const oq_tensor *x, oq_value *out,
                               oq_error *err) {
    const oq_tensor_plan *tensor = oq_plan_tensor(l->plan, value);
    oq_layout layout;
    oq_tensor q;
    OQ_TRY(layout_of(tensor, x, &layout, err));
    OQ_TRY(oq_tensor_new(l->mem, tensor->carrier, &x->shape, &q, err));
    if (tensor->grid.bits == 8 && tensor->axis < 0)
        oq_rows_quantize_8(x->data, tensor->params[0].scale, tensor->params[0].zero_point, is_signed(tensor),
                           q.data, (size_t)oq_tensor_count(x));
    else
        oq_layout_quantize(&layout, &tensor->grid, tensor->params, x->data, tensor->carrier, q.data);
    *out = oq_value_of_tensor(q);
    return ONNXQ_OK;
}

static oq_status dequantize(const oq_lockstep *l, oq_value_id value, const oq_tensor *q, oq_value *out,
                            oq_error *err) {
    const oq_tensor_plan *tensor = oq_plan_tensor(l->plan, value);
    oq_layout layout;
    oq_tensor x;
    OQ_TRY(layout_of(tensor, q, &layout, err));
    OQ_TRY(oq_tensor_new(l->mem, ONNXQ_FLOAT, &q->shape, &x, err));
    if (is_byte(tensor) && tensor->axis < 0)
        oq_rows_dequantize_8(q->data, tensor->params[0].scale, tensor->params[0].zero_point,
                             is_signed(tensor), x.data, (size_t)oq_tensor_count(q));
    else
        oq_layout_dequantize(&layout, tensor->params, tensor->carrier, q->data, x.data);
    *out = oq_value_of_tensor(x);
    return ONNXQ_OK;
}

oq_status oq_lockstep_input(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                            int stream, oq_value *out, oq_error *err) {
    const oq_value_id id = part->inputs[input];
    const oq_value *value = oq_lockstep_at(l, sample, stream, id);
    oq_value q;
    if (stream == OQ_STREAM_QUANTIZED && oq_plan_made_integer(l->plan, id))
        return dequantize(l, id, &value->tensor, out, err);
    if (stream == OQ_STREAM_QUANTIZED && part->integer[input]) {
        OQ_TRY(oq_lockstep_quantize(l, id, &value->tensor, &q, err));
        const oq_status status = dequantize(l, id, &q.tensor, out, err);
        oq_value_release(&q);
        return status;
    }
    *out = oq_value_retain(value);
    return ONNXQ_OK;
}

oq_status oq_lockstep_peek(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                           int stream, oq_value *out, float *table, bool *bytes, oq_error *err) {
    const oq_value_id id = part->inputs[input];
    const oq_tensor_plan *tensor = oq_plan_tensor(l->plan, id);
    *bytes = stream == OQ_STREAM_QUANTIZED && oq_plan_made_integer(l->plan, id) && is_byte(tensor) &&
             tensor->axis < 0;
    if (!*bytes) return oq_lockstep_input(l, part, input, sample, stream, out, err);
    for (int i = 0; i < 256; i++)
        table[i] = oq_dequantize_one(tensor->params[0], is_signed(tensor) ? (int8_t)i : i);
    *out = oq_value_retain(oq_lockstep_at(l, sample, stream, id));
    return ONNXQ_OK;
}

oq_status oq_lockstep_runner_begin(oq_lockstep_runner *r, oq_lockstep *l, const oq_lockstep_part *part,
                                   oq_value_id weight, const oq_value_id *outputs, size_t output_count,
                                   oq_error *err) {
    *r = (oq_lockstep_runner){.l = l, .part = part, .output_count = output_count};
    oq_value_id *inputs = oq_mem_calloc(l->mem, part->input_count + 1, sizeof *inputs, err);
    r->workers = oq_mem_calloc(l->mem, oq_pool_threads(l->pool), sizeof(oq_worker *), err);
    oq_status status = inputs && r->workers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) {
        memcpy(inputs, part->inputs, part->input_count * sizeof *inputs);
        inputs[part->input_count] = weight;
        const oq_program_options options = {.inputs = inputs,
                                            .input_count = part->input_count + (weight != OQ_NONE),
                                            .outputs = outputs,
                                            .output_count = output_count};
        status = oq_program_new(l->graph, &options, &r->program, err);
    }
    oq_mem_free(l->mem, inputs);
    return status;
}

void oq_lockstep_runner_end(oq_lockstep_runner *r) {
    for (size_t i = 0; r->workers && i < oq_pool_threads(r->l->pool); i++) oq_worker_free(r->workers[i]);
    oq_mem_free(r->l->mem, r->workers);
    oq_program_free(r->program);
}

oq_status oq_lockstep_run(oq_lockstep_runner *r, size_t sample, int stream, const oq_value *weight,
                          size_t worker, oq_value *outputs, oq_error *err) {
    oq_lockstep *l = r->l;
    const size_t count = r->part->input_count;
    oq_value *given = oq_mem_calloc(l->mem, count + 1, sizeof *given, err);
    oq_status status = given ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++)
        status = oq_lockstep_input(l, r->part, i, sample, stream, &given[i], err);
    if (status == ONNXQ_OK && weight) given[count] = oq_value_retain(weight);
    if (status == ONNXQ_OK && !r->workers[worker])
        status = oq_worker_new(r->program, &r->workers[worker], err);
    if (status == ONNXQ_OK) status = oq_worker_run(r->workers[worker], given, outputs, NULL, NULL, err);
    for (size_t i = 0; given && i <= count; i++) oq_value_release(&given[i]);
    oq_mem_free(l->mem, given);
    return status;
}

// --- parts without product ---

// Both streams hold the very same values: one run serves both.
static bool streams_agree(const oq_lockstep *l, const oq_lockstep_part *part, size_t sample) {
    for (size_t i = 0; i < part->input_count; i++) {
        const oq_value *f = oq_lockstep_at(l, sample, OQ_STREAM_FLOAT, part->inputs[i]),
                       *q = oq_lockstep_at(l, sample, OQ_STREAM_QUANTIZED, part->inputs[i]);
        if (part->integer[i] || f->kind != OQ_VALUE_TENSOR || q->kind != OQ_VALUE_TENSOR ||
            !f->tensor.buffer || f->tensor.data != q->tensor.data)
            return false;
    }
    return true;
}

static oq_status keep_outputs(oq_lockstep_runner *r, size_t sample, int stream, oq_value *outputs,
                              oq_error *err) {
    oq_lockstep *l = r->l;
    for (size_t k = 0; k < r->output_count; k++) {
        const oq_value_id id = r->part->outputs[k];
        oq_value *at = oq_lockstep_at(l, sample, stream, id);
        if (stream == OQ_STREAM_QUANTIZED && oq_plan_made_integer(l->plan, id))
            OQ_TRY(oq_lockstep_quantize(l, id, &outputs[k].tensor, at, err));
        else
            *at = oq_value_retain(&outputs[k]);
    }
    return ONNXQ_OK;
}

static oq_status pass_stream(oq_lockstep_runner *r, size_t sample, int stream, bool both, size_t worker,
                             oq_error *err) {
    oq_value *outputs = oq_mem_calloc(r->l->mem, r->output_count + 1, sizeof *outputs, err);
    if (!outputs) return ONNXQ_NO_MEMORY;
    oq_status status = oq_lockstep_run(r, sample, stream, NULL, worker, outputs, err);
    if (status == ONNXQ_OK) status = keep_outputs(r, sample, stream, outputs, err);
    if (status == ONNXQ_OK && both) status = keep_outputs(r, sample, OQ_STREAM_QUANTIZED, outputs, err);
    for (size_t k = 0; k < r->output_count; k++) oq_value_release(&outputs[k]);
    oq_mem_free(r->l->mem, outputs);
    return status;
}

static oq_status pass_sample(void *self, size_t index, size_t worker, oq_error *err) {
    oq_lockstep_runner *r = self;
    const size_t sample = r->from + index;
    const bool both = streams_agree(r->l, r->part, sample);
    OQ_TRY(pass_stream(r, sample, OQ_STREAM_FLOAT, both, worker, err));
    if (!both) OQ_TRY(pass_stream(r, sample, OQ_STREAM_QUANTIZED, false, worker, err));
    oq_lockstep_bury(r->l, r->part, sample);
    return ONNXQ_OK;
}

oq_status oq_lockstep_pass(oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                           oq_error *err) {
    oq_lockstep_runner r;
    if (!part->output_count) return ONNXQ_OK;
    oq_status status = oq_lockstep_runner_begin(&r, l, part, OQ_NONE, part->outputs, part->output_count, err);
    r.from = from;
    if (status == ONNXQ_OK) status = oq_pool_run(l->pool, count, pass_sample, &r, err);
    oq_lockstep_runner_end(&r);
    return status;
}
