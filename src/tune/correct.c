// Sequential bias correction: each layer's bias takes up the mean error that it has when all before it is
// quantized.
#include "tune/judge.h"
#include "tune/quantize.h"
#include "tune/round_layer.h"
#include "tune/samples.h"
#include "tune/tune.h"
#include "tune/visit.h"

enum { MOST_SAMPLES = 96 }; // that layers are fitted on
#define TABLES_BELOW 13.0   // dB between the plan's errors and those of tables that may be stored: .2 dB

// --- one layer ---

// Sums over a sample of what a layer gives, channel by channel.
typedef struct totals {
    const oq_visit *v;
    double *sum;       // [count][OQ_STREAMS][channels]
    double *positions; // [count] numbers per channel
} totals;

static oq_status add_up(void *self, size_t index, size_t worker, oq_error *err) {
    const totals *t = self;
    const oq_visit *v = t->v;
    (void)worker, (void)err;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        const oq_tensor *tensor = oq_visit_sum(v, v->from + index, stream);
        double *sum = t->sum + (index * OQ_STREAMS + (size_t)stream) * v->channels;
        size_t outer, inner;
        if (!oq_visit_view(v, tensor, &outer, &inner)) continue;
        const float *x = tensor->data;
        for (size_t o = 0; o < outer; o++)
            for (size_t c = 0; c < v->channels; c++)
                for (size_t i = 0; i < inner; i++) sum[c] += (double)*x++;
        t->positions[index] = (double)outer * (double)inner;
    }
    return ONNXQ_OK;
}

// Mean of the float stream less that of the other, over all samples in their order.
static void mean_errors(const totals *t, float *shift) {
    const size_t n = t->v->channels;
    double positions = 0;
    for (size_t s = 0; s < t->v->count; s++) positions += t->positions[s];
    for (size_t c = 0; c < n; c++) {
        double error = 0;
        for (size_t s = 0; s < t->v->count; s++) {
            const double *sum = t->sum + s * OQ_STREAMS * n;
            error += sum[OQ_STREAM_FLOAT * n + c] - sum[OQ_STREAM_QUANTIZED * n + c];
        }
        shift[c] = positions > 0 ? (float)(error / positions) : 0;
    }
}

static oq_status correct(const oq_visit *v, size_t *changed, oq_error *err) {
    oq_lockstep *l = v->l;
    totals t = {.v = v};
    float *shift = NULL;
    oq_status status = ONNXQ_NO_MEMORY;
    if (!v->channels) return ONNXQ_OK;
    t.sum = oq_mem_calloc(l->mem, v->count * OQ_STREAMS, (v->channels + 1) * sizeof *t.sum, err);
    t.positions = oq_mem_calloc(l->mem, v->count + 1, sizeof *t.positions, err);
    shift = oq_mem_calloc(l->mem, v->channels + 1, sizeof *shift, err);
    if (!t.sum || !t.positions || !shift) goto done;
    OQ_TRY_DONE(oq_pool_run(l->pool, v->count, add_up, &t, err));
    mean_errors(&t, shift);
    OQ_TRY_DONE(oq_plan_shift_bias(l->plan, (size_t)v->part->layer, shift, err));
    for (size_t c = 0; c < v->channels; c++)
        if (shift[c] != 0) {
            ++*changed;
            break;
        }
done:
    oq_mem_free(l->mem, t.sum);
    oq_mem_free(l->mem, t.positions);
    oq_mem_free(l->mem, shift);
    return status;
}

static oq_status tune_layer(oq_lockstep *l, const oq_lockstep_part *part, const oq_tuning *tuning,
                            oq_correction *out, oq_error *err) {
    oq_visit v;
    OQ_TRY(oq_round_layer(l, part, tuning, &out->rounding, err));
    oq_status status = oq_visit_begin(&v, l, part, 0, l->samples, err);
    if (status == ONNXQ_OK) status = oq_visit_compute(&v, err);
    if (status == ONNXQ_OK && tuning->biases) status = correct(&v, &out->layers, err);
    if (status == ONNXQ_OK) status = oq_visit_finish(&v, err);
    oq_visit_end(&v);
    return status;
}

// --- the whole graph ---

// Whether there is anything to change in a layer.
static bool concerns(const oq_plan *plan, const oq_layer *layer, const oq_tuning *tuning) {
    const char *reason;
    return (tuning->biases && oq_plan_bias_count(plan, layer)) ||
           (tuning->rounding != OQ_ROUNDING_NEAREST && oq_plan_has_rows(layer, &reason));
}

static oq_status walk(oq_lockstep *l, const oq_correct_options *options, oq_correction *out, oq_error *err) {
    const oq_progress *progress = options->progress;
    size_t last = 0; // behind the last change nothing needs to run
    for (size_t p = 0; p < l->part_count; p++)
        if (l->parts[p].layer >= 0 &&
            concerns(l->plan, oq_plan_layer(l->plan, (size_t)l->parts[p].layer), &options->tuning))
            last = p + 1;
    for (size_t p = 0; p < last; p++) {
        const oq_lockstep_part *part = &l->parts[p];
        OQ_TRY(oq_lockstep_join(l, p, err));
        if (part->layer >= 0)
            OQ_TRY(tune_layer(l, part, &options->tuning, out, err));
        else
            OQ_TRY(oq_lockstep_pass(l, part, 0, l->samples, err));
        oq_progress_step(progress, "correcting", p + 1, last);
    }
    out->samples = l->samples;
    return ONNXQ_OK;
}

oq_status oq_correct_layers(oq_plan *plan, oq_graph *graph, const oq_dataset *data,
                            const oq_correct_options *options, oq_correction *out, oq_error *err) {
    size_t indices[MOST_SAMPLES];
    oq_lockstep l;
    const size_t count = oq_samples_choose(data, MOST_SAMPLES, indices);
    oq_status status = oq_lockstep_begin(&l, plan, graph, options->pool, data, indices, count, err);
    if (status == ONNXQ_OK) status = walk(&l, options, out, err);
    oq_lockstep_end(&l);
    return status;
}

// --- judgement ---

// One way to tune, undone when the samples that judge do not prefer it to `verdict`, which becomes that of
// the tuned plan otherwise.
static oq_status try(oq_plan *plan, const oq_judge *judge, const oq_correct_options *options,
                     oq_verdict *verdict, oq_correction *out, oq_error *err) {
    oq_verdict after = {0};
    out->layers = 0;
    out->rounding = (oq_rounding_counts){0};
    out->after = out->before;
    OQ_TRY(oq_correct_layers(plan, judge->model->graph, judge->data, options, out, err));
    if (!out->layers && !out->rounding.kept) return ONNXQ_OK;
    const oq_status status = oq_judge_plan(judge, plan, &after, err);
    if (status == ONNXQ_OK) {
        out->after = after.sqnr;
        out->kept = oq_judge_prefers(judge, &after, verdict);
    }
    if (out->kept) {
        const oq_verdict worse = *verdict;
        *verdict = after;
        after = worse;
    } else {
        oq_plan_revert(plan);
    }
    oq_verdict_release(judge, &after);
    return status;
}

// What tables lose is measured without the plan, whose own errors fall otherwise with every change before
// them: the noise of the two adds up.
static oq_status judge_tables(const oq_judge *judge, const oq_quant_options *tables, const oq_verdict *plan,
                              oq_correction *out, oq_error *err) {
    oq_model *clone = NULL;
    oq_verdict alone = {0};
    oq_status status = oq_model_clone(judge->model, &clone, err);
    if (status == ONNXQ_OK) status = oq_tables_emit(clone->graph, tables, NULL, NULL, err);
    if (status == ONNXQ_OK) status = oq_infer_graph(clone->graph, err);
    if (status == ONNXQ_OK) status = oq_judge_graph(judge, clone->graph, &alone, err);
    if (status == ONNXQ_OK) {
        out->tables_judged = true;
        out->tables = alone.sqnr;
        out->tables_kept = alone.sqnr >= plan->sqnr + TABLES_BELOW;
    }
    oq_verdict_release(judge, &alone);
    oq_model_free(clone);
    return status;
}

oq_status oq_correct_plan(oq_plan *plan, oq_model *model, const oq_dataset *data,
                          const oq_correct_options *options, oq_correction *out, oq_error *err) {
    oq_correct_options less = *options;
    oq_judge judge = {0};
    oq_verdict verdict = {0};
    oq_status status;
    *out = (oq_correction){0};
    if (oq_dataset_count(data) == 0) return ONNXQ_OK;
    OQ_TRY_DONE(oq_judge_begin(&judge, model, data, OQ_CORRECT_JUDGES, options->pool, err));
    OQ_TRY_DONE(oq_judge_plan(&judge, plan, &verdict, err));
    out->judged = judge.count;
    out->before = verdict.sqnr;
    OQ_TRY_DONE(try(plan, &judge, options, &verdict, out, err));
    less.tuning.rounding = OQ_ROUNDING_NEAREST;
    if (!out->kept && out->rounding.kept && less.tuning.biases)
        OQ_TRY_DONE(try(plan, &judge, &less, &verdict, out, err));
    if (options->tables) OQ_TRY_DONE(judge_tables(&judge, options->tables, &verdict, out, err));
done:
    oq_verdict_release(&judge, &verdict);
    oq_judge_end(&judge);
    return status;
}
