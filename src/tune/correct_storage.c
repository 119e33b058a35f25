// Data-aware rounding of weights that are stored as integers while everything is computed in float.
#include "quant/edit.h"
#include "tune/judge.h"
#include "tune/tune.h"

// The model that the storage would be written as.
static oq_status judge_storage(const oq_judge *judge, const oq_storage *storage, oq_verdict *out,
                               oq_error *err) {
    oq_model *clone = NULL;
    *out = (oq_verdict){0};
    oq_status status = oq_model_clone(judge->model, &clone, err);
    if (status == ONNXQ_OK) status = oq_storage_emit(storage, clone->graph, err);
    if (status == ONNXQ_OK) status = oq_infer_graph(clone->graph, err);
    if (status == ONNXQ_OK) status = oq_judge_graph(judge, clone->graph, out, err);
    oq_model_free(clone);
    return status;
}

// The plan as these options change it, and out of the storage again when the model is not better for it.
static oq_status try(oq_storage *storage, oq_plan *plan, const oq_judge *judge, const oq_dataset *data,
                     const oq_correct_options *options, const oq_verdict *before, oq_correction *out,
                     oq_error *err) {
    oq_verdict after;
    out->layers = 0;
    out->rounding = (oq_rounding_counts){0};
    OQ_TRY(oq_correct_layers(plan, judge->model->graph, data, options, out, err));
    if (!out->rounding.kept && !out->layers) return ONNXQ_OK;
    OQ_TRY(oq_storage_adopt(storage, plan, err));
    OQ_TRY(judge_storage(judge, storage, &after, err));
    out->after = after.sqnr;
    out->kept = oq_judge_prefers(judge, &after, before);
    oq_verdict_release(judge, &after);
    storage->rounded = out->kept && out->rounding.kept;
    if (out->kept) return ONNXQ_OK;
    oq_plan_revert(plan);
    return oq_storage_adopt(storage, plan, err);
}

oq_status oq_correct_storage(oq_storage *storage, oq_model *model, const oq_dataset *data,
                             const oq_correct_options *options, oq_correction *out, oq_error *err) {
    oq_correct_options roundings = *options;
    oq_judge judge = {0};
    oq_verdict before = {0};
    oq_plan *plan = NULL;
    oq_status status;
    *out = (oq_correction){0};
    roundings.tuning.biases = false;
    if (oq_dataset_count(data) == 0 || !oq_tuning_any(&options->tuning)) return ONNXQ_OK;
    OQ_TRY_DONE(oq_storage_plan(storage, &plan, err));
    OQ_TRY_DONE(oq_judge_begin(&judge, model, data, OQ_CORRECT_JUDGES, options->pool, err));
    OQ_TRY_DONE(judge_storage(&judge, storage, &before, err));
    out->judged = judge.count;
    out->before = out->after = before.sqnr;
    OQ_TRY_DONE(try(storage, plan, &judge, data, options, &before, out, err));
    if (!out->kept && out->layers && oq_tuning_any(&roundings.tuning))
        OQ_TRY_DONE(try(storage, plan, &judge, data, &roundings, &before, out, err));
done:
    oq_verdict_release(&judge, &before);
    oq_judge_end(&judge);
    oq_plan_free(plan);
    return status;
}
