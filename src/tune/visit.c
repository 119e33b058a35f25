// One product on its way through the lockstep.
#include "tune/visit.h"

#include "kernels/rows.h"

// One product and what it runs on.
typedef struct visit {
    oq_lockstep *l;
    oq_lockstep_runner runner;
    const oq_lockstep_part *part;
    const oq_layer *layer;
    size_t from;
    oq_value weight[OQ_STREAMS]; // of the constant operand, if there is one
    float *shift;                // [channels] what the plan has changed of the float model's bias
    size_t channels;             // 0: it gives none
} visit;

// A sum as [outer, channels, inner]: convolutions [N, C, ...], matrices [..., C]. False when it is not of
// that form.
static bool view(const visit *v, const oq_tensor *sum, size_t *outer, size_t *inner) {
    const int axis = v->layer->shape == OQ_LAYER_CONV ? 1 : sum->shape.rank - 1;
    *outer = *inner = 0;
    if (sum->dtype != ONNXQ_FLOAT || axis < 0 || axis >= sum->shape.rank ||
        sum->shape.dim[axis] != (int64_t)v->channels)
        return false;
    *outer = (size_t)oq_shape_range_count(&sum->shape, 0, axis);
    *inner = (size_t)oq_shape_range_count(&sum->shape, axis + 1, sum->shape.rank);
    return true;
}

static oq_status load_weights(visit *v, oq_value_id *weight, oq_error *err) {
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

static oq_status begin(visit *v, oq_error *err) {
    oq_value_id weight;
    v->layer = oq_plan_layer(v->l->plan, (size_t)v->part->layer);
    v->channels = oq_plan_bias_count(v->l->plan, v->layer);
    v->shift = oq_mem_calloc(v->l->mem, v->channels + 1, sizeof *v->shift, err);
    if (!v->shift) return ONNXQ_NO_MEMORY;
    oq_plan_bias_shift(v->l->plan, v->layer, v->shift);
    OQ_TRY(load_weights(v, &weight, err));
    return oq_lockstep_runner_begin(&v->runner, v->l, v->part, weight, &v->layer->sum, 1, err);
}

static void end(visit *v) {
    for (int stream = 0; stream < OQ_STREAMS; stream++) oq_value_release(&v->weight[stream]);
    if (v->runner.l) oq_lockstep_runner_end(&v->runner);
    oq_mem_free(v->l->mem, v->shift);
}

static void shift_channels(const visit *v, oq_tensor *sum) {
    size_t outer, inner;
    if (!view(v, sum, &outer, &inner)) return;
    float *x = sum->data;
    for (size_t o = 0; o < outer; o++) {
        if (inner == 1) oq_rows_binary_f32(OQ_ROWS_ADD, x, 1, v->shift, 1, x, v->channels);
        for (size_t c = 0; inner != 1 && c < v->channels; c++)
            oq_rows_binary_f32(OQ_ROWS_ADD, x + c * inner, 1, v->shift + c, 0, x + c * inner, inner);
        x += v->channels * inner;
    }
}

static oq_status run_stream(visit *v, size_t sample, int stream, size_t worker, oq_error *err) {
    oq_value *at = oq_lockstep_at(v->l, sample, stream, v->layer->output), sum = {0};
    const oq_value *weight = v->weight[stream].kind == OQ_VALUE_NONE ? NULL : &v->weight[stream];
    OQ_TRY(oq_lockstep_run(&v->runner, sample, stream, weight, worker, &sum, err));
    oq_tensor *t = &sum.tensor;
    if (stream == OQ_STREAM_QUANTIZED) shift_channels(v, t);
    if (v->layer->clip_node != OQ_NONE)
        oq_rows_clamp(t->data, (float)v->layer->low, (float)v->layer->high, t->data,
                      (size_t)oq_tensor_count(t));
    if (stream == OQ_STREAM_FLOAT || !v->layer->integer) {
        *at = sum;
        return ONNXQ_OK;
    }
    const oq_status status = oq_lockstep_quantize(v->l, v->layer->output, t, at, err);
    oq_value_release(&sum);
    return status;
}

static oq_status run_sample(void *self, size_t index, size_t worker, oq_error *err) {
    visit *v = self;
    for (int stream = 0; stream < OQ_STREAMS; stream++)
        OQ_TRY(run_stream(v, v->from + index, stream, worker, err));
    oq_lockstep_bury(v->l, v->part, v->from + index);
    return ONNXQ_OK;
}

oq_status oq_lockstep_visit(oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                            oq_error *err) {
    visit v = {.l = l, .part = part, .from = from};
    oq_status status = begin(&v, err);
    if (status == ONNXQ_OK) status = oq_pool_run(l->pool, count, run_sample, &v, err);
    end(&v);
    return status;
}
