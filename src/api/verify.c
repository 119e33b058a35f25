// Verify and inspect.
#include "verify/verify.h"
#include "api/api.h"
#include "quant/quant.h"

#include <math.h>

onnxq_verify_options onnxq_verify_defaults(void) {
    return (onnxq_verify_options){
        .minimum_sqnr = (double)NAN, .minimum_cosine = (double)NAN, .minimum_agreement = (double)NAN};
}

onnxq_status onnxq_verify(onnxq_model *reference, onnxq_model *model, const onnxq_data *data,
                          const onnxq_verify_options *options, onnxq_report **out, onnxq_error *err) {
    onnxq_session *session = reference->session;
    int64_t *labels = NULL;
    oq_verify_result result = {0};
    oq_report report = {0};
    oq_verify_options o = {.limit = options->limit,
                           .layers = options->layers,
                           .saturate_pairs = options->emulate == ONNXQ_TARGET_X86_AVX2,
                           .progress = &session->progress,
                           .pool = session->pool};
    oq_status status = ONNXQ_OK;
    *out = NULL;
    if (options->labels)
        OQ_TRY_DONE(oq_labels_load(data->set, &session->mem, options->labels, &labels, &o.label_count, err));
    o.labels = labels;
    OQ_TRY_DONE(oq_verify(reference->model->graph, model->model->graph, data->set, &o, &result, err));
    OQ_TRY_DONE(oq_report_verify(&session->mem, &result, &report, err));
    OQ_TRY_DONE(oq_report_wrap(session, report, out, err));
    status = oq_verify_judge(&result, options->minimum_sqnr, options->minimum_cosine,
                             options->minimum_agreement, err);
done:
    oq_verify_release(&result);
    oq_mem_free(&session->mem, labels);
    return status;
}

// Ranges that let the planner say what it would do without any run: every float value in -1..1.
static oq_status pretend_statistics(const oq_graph *graph, oq_stats **out, oq_error *err) {
    static const float ends[] = {-1, 1};
    const oq_shape shape = OQ_SHAPE(2);
    const oq_tensor sample = {.dtype = ONNXQ_FLOAT, .shape = shape, .data = (void *)(uintptr_t)ends};
    OQ_TRY(oq_stats_new(graph->model->mem, out, err));
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        oq_tensor_stats *stats;
        const bool unknown = value->type.kind == OQ_TYPE_UNKNOWN; // behind an operator that is not known
        if (!unknown && (value->type.kind != OQ_TYPE_TENSOR || !oq_dtype_info(value->type.dtype)->is_float))
            continue;
        OQ_TRY(oq_stats_ensure(*out, value->name, &stats, err));
        OQ_TRY(oq_stats_add(stats, graph->model->mem, &sample, 0, err));
    }
    (*out)->samples = 1;
    return ONNXQ_OK;
}

static oq_status pretend_plan(oq_prepared *prepared, oq_plan **plan, oq_error *err) {
    const oq_quant_options options = oq_quant_defaults();
    oq_stats *stats = NULL;
    oq_graph *graph = prepared->model->graph;
    oq_status status;
    OQ_TRY_DONE(oq_pass_upgrade_opset(prepared->model, oq_quant_minimum_opset(&options), err));
    OQ_TRY_DONE(oq_infer_graph(graph, err));
    OQ_TRY_DONE(pretend_statistics(graph, &stats, err));
    OQ_TRY_DONE(oq_plan_make(graph, stats, &options, plan, err));
done:
    oq_stats_free(stats);
    return status;
}

// A model that cannot be prepared can still be looked at; the reason stands in the report.
onnxq_status onnxq_inspect(onnxq_model *model, onnxq_report **out, onnxq_error *err) {
    onnxq_session *session = model->session;
    oq_prepared prepared = {0};
    oq_plan *plan = NULL;
    oq_error reason = {0}, cannot_run = {0};
    oq_report report = {0};
    *out = NULL;
    oq_status status = oq_prepared_make(model, &prepared, &reason);
    if (status == ONNXQ_OK) oq_graph_can_run(prepared.model->graph, &cannot_run);
    if (status == ONNXQ_OK) status = pretend_plan(&prepared, &plan, &reason);
    if (status == ONNXQ_NO_MEMORY) {
        if (err) *err = reason;
    } else {
        status = oq_report_inspect(&session->mem, model->model, plan ? prepared.model->graph : NULL, plan,
                                   reason.message, cannot_run.message, &report, err);
    }
    if (status == ONNXQ_OK) status = oq_report_wrap(session, report, out, err);
    oq_plan_free(plan);
    oq_prepared_release(&prepared);
    return status;
}
