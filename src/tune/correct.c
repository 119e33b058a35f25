// Sequential bias correction: each layer's bias takes up the mean error that it has when all before it is
// quantized.
#include "kernels/rows.h"
#include "passes/passes.h"
#include "tune/lockstep.h"
#include "tune/samples.h"
#include "tune/tune.h"
#include "verify/verify.h"

#include <math.h>

// Samples that a layer is fitted on, what both streams of all of them may keep, and samples that judge.
enum { MOST_SAMPLES = 24, MOST_JUDGES = 16 };
#define MOST_BYTES ((size_t)128 << 20)
#define BEST_SQNR  200.0 // dB of equal outputs, so that means stay finite

// One product on the way through the lockstep.
typedef struct visit {
    oq_lockstep *l;
    oq_lockstep_runner runner;
    const oq_lockstep_part *part;
    const oq_layer *layer;
    oq_value weight[OQ_STREAMS]; // of the constant operand, if there is one
    oq_value *sums;              // [samples][OQ_STREAMS] what the layer gives before its clip
    size_t done;                 // samples computed before
    size_t channels;             // of the bias; 0: nothing to correct
    double *total;               // [samples][OQ_STREAMS][channels] sums over a sample
    double *positions;           // [samples] numbers per channel
    float *shift;                // [channels] what the bias was changed by, or NULL
} visit;

// --- sums of a layer ---

// A tensor as [outer, channels, inner]: convolutions [N, C, ...], matrices [..., C].
static bool channel_view(const visit *v, const oq_tensor *t, size_t *outer, size_t *inner) {
    const int axis = v->layer->shape == OQ_LAYER_CONV ? 1 : t->shape.rank - 1;
    *outer = *inner = 0;
    if (t->dtype != ONNXQ_FLOAT || axis < 0 || axis >= t->shape.rank ||
        t->shape.dim[axis] != (int64_t)v->channels)
        return false;
    *outer = (size_t)oq_shape_range_count(&t->shape, 0, axis);
    *inner = (size_t)oq_shape_range_count(&t->shape, axis + 1, t->shape.rank);
    return true;
}

static void add_channels(const visit *v, const oq_tensor *t, double *total) {
    size_t outer, inner;
    if (!channel_view(v, t, &outer, &inner)) return;
    const float *x = t->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t c = 0; c < v->channels; c++)
            for (size_t i = 0; i < inner; i++) total[c] += (double)*x++;
}

static void shift_channels(const visit *v, oq_tensor *t) {
    size_t outer, inner;
    if (!v->shift || !channel_view(v, t, &outer, &inner)) return;
    float *x = t->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t c = 0; c < v->channels; c++)
            for (size_t i = 0; i < inner; i++) *x++ += v->shift[c];
}

static oq_status compute(void *self, size_t index, size_t worker, oq_error *err) {
    visit *v = self;
    const size_t sample = v->done + index;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        oq_value *sum = &v->sums[sample * OQ_STREAMS + (size_t)stream];
        const oq_value *weight = v->weight[stream].kind == OQ_VALUE_NONE ? NULL : &v->weight[stream];
        OQ_TRY(oq_lockstep_run(&v->runner, sample, stream, weight, worker, sum, err));
        if (v->channels)
            add_channels(v, &sum->tensor, v->total + (sample * OQ_STREAMS + (size_t)stream) * v->channels);
    }
    if (v->channels) {
        size_t outer, inner;
        channel_view(v, &v->sums[sample * OQ_STREAMS].tensor, &outer, &inner);
        v->positions[sample] = (double)outer * (double)inner;
    }
    oq_lockstep_bury(v->l, v->part, sample);
    return ONNXQ_OK;
}

// Clip and grid, then into the frontier.
static oq_status finish(void *self, size_t sample, size_t worker, oq_error *err) {
    visit *v = self;
    (void)worker;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        oq_value *sum = &v->sums[sample * OQ_STREAMS + (size_t)stream];
        oq_tensor *t = &sum->tensor;
        const size_t count = (size_t)oq_tensor_count(t);
        if (stream == OQ_STREAM_QUANTIZED) shift_channels(v, t);
        if (v->layer->clip_node != OQ_NONE)
            oq_rows_clamp(t->data, (float)v->layer->low, (float)v->layer->high, t->data, count);
        oq_value *at = oq_lockstep_at(v->l, sample, stream, v->layer->output);
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

// --- one layer ---

static oq_status open_visit(visit *v, oq_error *err) {
    oq_lockstep *l = v->l;
    oq_value_id weight = OQ_NONE;
    for (int i = 0; i < 2; i++) {
        const oq_operand *operand = &v->layer->operand[i];
        oq_tensor was = {0}, is = {0};
        if (!operand->weight) continue;
        weight = operand->value;
        OQ_TRY(oq_constant_load(l->mem, operand->constant, &was, err));
        v->weight[OQ_STREAM_FLOAT] = oq_value_of_tensor(was);
        OQ_TRY(oq_plan_dequantized(l->plan, v->layer, i, &is, err));
        v->weight[OQ_STREAM_QUANTIZED] = oq_value_of_tensor(is);
    }
    OQ_TRY(oq_lockstep_runner_begin(&v->runner, l, v->part, weight, &v->layer->sum, 1, err));
    v->channels = oq_plan_bias_count(l->plan, v->layer);
    v->sums = oq_mem_calloc(l->mem, l->samples * OQ_STREAMS, sizeof *v->sums, err);
    v->total = oq_mem_calloc(l->mem, l->samples * OQ_STREAMS, (v->channels + 1) * sizeof *v->total, err);
    v->positions = oq_mem_calloc(l->mem, l->samples, sizeof *v->positions, err);
    return v->sums && v->total && v->positions ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void close_visit(visit *v, size_t samples) {
    oq_mem *mem = v->l->mem;
    for (size_t i = 0; v->sums && i < samples * OQ_STREAMS; i++) oq_value_release(&v->sums[i]);
    for (int stream = 0; stream < OQ_STREAMS; stream++) oq_value_release(&v->weight[stream]);
    oq_lockstep_runner_end(&v->runner);
    oq_mem_free(mem, v->sums);
    oq_mem_free(mem, v->total);
    oq_mem_free(mem, v->positions);
    oq_mem_free(mem, v->shift);
}

// Mean of the float stream less that of the other, over all samples in their order.
static oq_status correct(visit *v, size_t *changed, oq_error *err) {
    const size_t n = v->channels;
    double positions = 0;
    for (size_t s = 0; s < v->l->samples; s++) positions += v->positions[s];
    if (!n || positions == 0) return ONNXQ_OK;
    v->shift = oq_mem_calloc(v->l->mem, n, sizeof *v->shift, err);
    if (!v->shift) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; c < n; c++) {
        double error = 0;
        for (size_t s = 0; s < v->l->samples; s++) {
            const double *total = v->total + s * OQ_STREAMS * n;
            error += total[OQ_STREAM_FLOAT * n + c] - total[OQ_STREAM_QUANTIZED * n + c];
        }
        v->shift[c] = (float)(error / positions);
    }
    OQ_TRY(oq_plan_shift_bias(v->l->plan, (size_t)v->part->layer, v->shift, err));
    bool any = false;
    for (size_t c = 0; c < n; c++) any |= v->shift[c] != 0;
    *changed += any;
    return ONNXQ_OK;
}

// The first sample tells what all will keep behind this layer; samples beyond the limit stay behind.
static oq_status compute_all(visit *v, oq_error *err) {
    oq_lockstep *l = v->l;
    OQ_TRY(compute(v, 0, 0, err));
    const oq_tensor *sum = &v->sums[0].tensor;
    const size_t made = oq_tensor_bytes(sum); // of each stream
    oq_lockstep_fit(l, oq_lockstep_bytes(l, 0) + OQ_STREAMS * made, MOST_BYTES);
    v->done = 1;
    return oq_pool_run(l->pool, l->samples - 1, compute, v, err);
}

static oq_status visit_layer(oq_lockstep *l, const oq_lockstep_part *part, size_t *changed, oq_error *err) {
    visit v = {.l = l, .part = part, .layer = oq_plan_layer(l->plan, (size_t)part->layer)};
    const size_t samples = l->samples;
    oq_status status = open_visit(&v, err);
    if (status == ONNXQ_OK) status = compute_all(&v, err);
    if (status == ONNXQ_OK) status = correct(&v, changed, err);
    if (status == ONNXQ_OK) status = oq_pool_run(l->pool, l->samples, finish, &v, err);
    close_visit(&v, samples);
    return status;
}

// --- the whole graph ---

static oq_status walk(oq_lockstep *l, const oq_progress *progress, oq_correction *out, oq_error *err) {
    size_t last = 0; // behind the last bias nothing needs to run
    for (size_t p = 0; p < l->part_count; p++)
        if (l->parts[p].layer >= 0 &&
            oq_plan_bias_count(l->plan, oq_plan_layer(l->plan, (size_t)l->parts[p].layer)))
            last = p + 1;
    for (size_t p = 0; p < last; p++) {
        const oq_lockstep_part *part = &l->parts[p];
        if (part->layer >= 0)
            OQ_TRY(visit_layer(l, part, &out->layers, err));
        else
            OQ_TRY(oq_lockstep_pass(l, part, err));
        oq_lockstep_fit(l, oq_lockstep_bytes(l, 0), MOST_BYTES);
        oq_progress_step(progress, "correcting", p + 1, last);
    }
    out->samples = l->samples;
    return ONNXQ_OK;
}

static oq_status fit(oq_plan *plan, oq_graph *graph, const oq_dataset *data,
                     const oq_correct_options *options, oq_correction *out, oq_error *err) {
    size_t indices[MOST_SAMPLES];
    oq_lockstep l;
    const size_t count = oq_samples_choose(data, MOST_SAMPLES, indices);
    oq_status status = oq_lockstep_begin(&l, plan, graph, options->pool, data, indices, count, err);
    if (status == ONNXQ_OK) status = walk(&l, options->progress, out, err);
    oq_lockstep_end(&l);
    return status;
}

// --- judgement ---

static double mean_sqnr(const oq_verify_result *result) {
    double sum = 0;
    for (size_t i = 0; i < result->output_count; i++) {
        const double sqnr = oq_difference_sqnr(&result->outputs[i].all);
        sum += isnan(sqnr) ? 0 : fmin(sqnr, BEST_SQNR);
    }
    return result->output_count ? sum / (double)result->output_count : 0;
}

// What the plan as it is costs at the outputs, by the very model that it would be written as.
static oq_status judge(oq_plan *plan, oq_model *model, const oq_dataset *data, bool hold_out,
                       const oq_correct_options *options, double *sqnr, size_t *samples, oq_error *err) {
    const oq_verify_options verify = {.limit = MOST_JUDGES,
                                      .first = hold_out ? OQ_HOLD_OUT_EVERY - 1 : 0,
                                      .stride = hold_out ? OQ_HOLD_OUT_EVERY : 1,
                                      .pool = options->pool};
    oq_model *clone = NULL;
    oq_verify_result result = {0};
    oq_status status;
    OQ_TRY_DONE(oq_model_clone(model, &clone, err));
    OQ_TRY_DONE(oq_plan_emit(plan, clone->graph, err));
    OQ_TRY_DONE(oq_infer_graph(clone->graph, err));
    OQ_TRY_DONE(oq_verify(model->graph, clone->graph, data, &verify, &result, err));
    *sqnr = mean_sqnr(&result);
    *samples = result.samples;
done:
    oq_verify_release(&result);
    oq_model_free(clone);
    return status;
}

oq_status oq_correct_plan(oq_plan *plan, oq_model *model, const oq_dataset *data,
                          const oq_correct_options *options, oq_correction *out, oq_error *err) {
    const bool hold_out = oq_samples_hold_out(data);
    *out = (oq_correction){0};
    if (oq_dataset_count(data) == 0) return ONNXQ_OK;
    OQ_TRY(judge(plan, model, data, hold_out, options, &out->before, &out->judged, err));
    OQ_TRY(fit(plan, model->graph, data, options, out, err));
    out->after = out->before;
    if (!out->layers) return ONNXQ_OK;
    OQ_TRY(judge(plan, model, data, hold_out, options, &out->after, &out->judged, err));
    out->kept = out->after > out->before;
    if (!out->kept) oq_plan_revert(plan);
    return ONNXQ_OK;
}
