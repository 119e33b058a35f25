// Sequential bias correction: each layer's bias takes up the mean error that it has when all before it is
// quantized.
#include "tune/judge.h"
#include "tune/means.h"
#include "tune/quantize.h"
#include "tune/round_layer.h"
#include "tune/samples.h"
#include "tune/tune.h"
#include "tune/visit.h"

enum { MOST_SAMPLES = 96 }; // that layers are fitted on
#define TABLES_BELOW 13.0   // dB between the plan's errors and those of tables that may be stored: .2 dB

// --- one layer ---

static oq_status correct(oq_lockstep *l, const oq_lockstep_part *part, size_t *changed, oq_error *err) {
    const size_t channels = oq_plan_bias_count(l->plan, oq_plan_layer(l->plan, (size_t)part->layer));
    bool known, any = false;
    if (!channels) return ONNXQ_OK;
    float *shift = oq_mem_calloc(l->mem, channels + 1, sizeof *shift, err);
    if (!shift) return ONNXQ_NO_MEMORY;
    oq_status status = oq_mean_errors(l, part, shift, &known, err);
    if (status == ONNXQ_OK && known) status = oq_plan_shift_bias(l->plan, (size_t)part->layer, shift, err);
    for (size_t c = 0; status == ONNXQ_OK && c < channels; c++) any |= shift[c] != 0;
    *changed += any;
    oq_mem_free(l->mem, shift);
    return status;
}

static oq_status tune_layer(oq_lockstep *l, const oq_lockstep_part *part, const oq_tuning *tuning,
                            oq_correction *out, oq_error *err) {
    OQ_TRY(oq_round_layer(l, part, tuning, &out->rounding, err));
    if (tuning->biases) OQ_TRY(correct(l, part, &out->layers, err));
    return oq_lockstep_visit(l, part, 0, l->samples, err);
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

// All that is asked for; then one kind of change without the other. Roundings alone are others than beside
// biases, which take up means.
static oq_status try_all(oq_plan *plan, const oq_judge *judge, const oq_correct_options *options,
                         oq_verdict *verdict, oq_correction *out, oq_error *err) {
    oq_correct_options less = *options;
    OQ_TRY(try(plan, judge, options, verdict, out, err));
    const bool rounded = out->rounding.kept > 0;
    if (out->kept || !out->layers || options->tuning.rounding == OQ_ROUNDING_NEAREST) return ONNXQ_OK;
    less.tuning.biases = false;
    OQ_TRY(try(plan, judge, &less, verdict, out, err));
    if (out->kept || !rounded) return ONNXQ_OK;
    less.tuning = (oq_tuning){.biases = true};
    return try(plan, judge, &less, verdict, out, err);
}

oq_status oq_correct_plan(oq_plan *plan, oq_model *model, const oq_dataset *data,
                          const oq_correct_options *options, oq_correction *out, oq_error *err) {
    oq_judge judge = {0};
    oq_verdict verdict = {0};
    oq_status status;
    *out = (oq_correction){0};
    if (oq_dataset_count(data) == 0) return ONNXQ_OK;
    oq_mem_trim();
    OQ_TRY_DONE(oq_judge_begin(&judge, model, data, OQ_CORRECT_JUDGES, options->pool, err));
    OQ_TRY_DONE(oq_judge_plan(&judge, plan, &verdict, err));
    out->judged = judge.count;
    out->before = verdict.sqnr;
    OQ_TRY_DONE(try_all(plan, &judge, options, &verdict, out, err));
    if (options->tables) OQ_TRY_DONE(judge_tables(&judge, options->tables, &verdict, out, err));
done:
    oq_verdict_release(&judge, &verdict);
    oq_judge_end(&judge);
    return status;
}
