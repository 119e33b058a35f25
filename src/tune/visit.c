// One product on its way through the lockstep.
#include "tune/visit.h"

#include "kernels/rows.h"

bool oq_visit_view(const oq_visit *v, const oq_tensor *sum, size_t *outer, size_t *inner) {
    const int axis = v->layer->shape == OQ_LAYER_CONV ? 1 : sum->shape.rank - 1;
    *outer = *inner = 0;
    if (sum->dtype != ONNXQ_FLOAT || axis < 0 || axis >= sum->shape.rank ||
        sum->shape.dim[axis] != (int64_t)v->channels)
        return false;
    *outer = (size_t)oq_shape_range_count(&sum->shape, 0, axis);
    *inner = (size_t)oq_shape_range_count(&sum->shape, axis + 1, sum->shape.rank);
    return true;
}

static oq_status load_weights(oq_visit *v, oq_value_id *weight, oq_error *err) {
    *weight = OQ_NONE;
    for (int i = 0; i < 2; i++) {
        const oq_operand *operand = &v->layer->operand[i];
        oq_tensor was = {0}, is = {0};
        if (!operand->weight) continue;
        *weight = operand->value;
        OQ_TRY(oq_constant_load(v->l->mem, operand->constant, &was, err));
        v->weight[OQ_STREAM_FLOAT] = oq_value_of_tensor(was);
        OQ_TRY(oq_plan_dequantized(v->l->plan, v->layer, i, &is, err));
        v->weight[OQ_STREAM_QUANTIZED] = oq_value_of_tensor(is);
    }
    return ONNXQ_OK;
}

oq_status oq_visit_begin(oq_visit *v, oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                         oq_error *err) {
    *v = (oq_visit){.l = l, .part = part, .from = from, .count = count};
    v->layer = oq_plan_layer(l->plan, (size_t)part->layer);
    v->channels = oq_plan_bias_count(l->plan, v->layer);
    oq_value_id weight;
    OQ_TRY(load_weights(v, &weight, err));
    OQ_TRY(oq_lockstep_runner_begin(&v->runner, l, part, weight, &v->layer->sum, 1, err));
    v->sums = oq_mem_calloc(l->mem, count * OQ_STREAMS + 1, sizeof *v->sums, err);
    v->shift = oq_mem_calloc(l->mem, v->channels + 1, sizeof *v->shift, err);
    return v->sums && v->shift ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

void oq_visit_end(oq_visit *v) {
    oq_mem *mem = v->l->mem;
    for (size_t i = 0; v->sums && i < v->count * OQ_STREAMS; i++) oq_value_release(&v->sums[i]);
    for (int stream = 0; stream < OQ_STREAMS; stream++) oq_value_release(&v->weight[stream]);
    if (v->runner.l) oq_lockstep_runner_end(&v->runner);
    oq_mem_free(mem, v->sums);
    oq_mem_free(mem, v->shift);
}

static oq_status compute(void *self, size_t index, size_t worker, oq_error *err) {
    oq_visit *v = self;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        const oq_value *weight = v->weight[stream].kind == OQ_VALUE_NONE ? NULL : &v->weight[stream];
        OQ_TRY(oq_lockstep_run(&v->runner, v->from + index, stream, weight, worker,
                               &v->sums[index * OQ_STREAMS + (size_t)stream], err));
    }
    oq_lockstep_bury(v->l, v->part, v->from + index);
    return ONNXQ_OK;
}

oq_status oq_visit_compute(oq_visit *v, oq_error *err) {
    return oq_pool_run(v->l->pool, v->count, compute, v, err);
}

static void shift_channels(const oq_visit *v, oq_tensor *sum) {
    size_t outer, inner;
    if (!oq_visit_view(v, sum, &outer, &inner)) return;
    float *x = sum->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t c = 0; c < v->channels; c++)
            for (size_t i = 0; i < inner; i++) *x++ += v->shift[c];
}

static oq_status finish(void *self, size_t index, size_t worker, oq_error *err) {
    oq_visit *v = self;
    (void)worker;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        oq_value *sum = &v->sums[index * OQ_STREAMS + (size_t)stream];
        oq_tensor *t = &sum->tensor;
        const size_t count = (size_t)oq_tensor_count(t);
        if (stream == OQ_STREAM_QUANTIZED) shift_channels(v, t);
        if (v->layer->clip_node != OQ_NONE)
            oq_rows_clamp(t->data, (float)v->layer->low, (float)v->layer->high, t->data, count);
        oq_value *at = oq_lockstep_at(v->l, v->from + index, stream, v->layer->output);
        if (stream == OQ_STREAM_QUANTIZED && v->layer->integer) {
            OQ_TRY(oq_lockstep_quantize(v->l, v->layer->output, t, at, err));
            oq_value_release(sum);
        } else {
            *at = *sum;
            *sum = (oq_value){0};
        }
    }
    return ONNXQ_OK;
}

oq_status oq_visit_finish(oq_visit *v, oq_error *err) {
    oq_plan_bias_shift(v->l->plan, v->layer, v->shift);
    return oq_pool_run(v->l->pool, v->count, finish, v, err);
}
