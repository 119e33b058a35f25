// Sensitivity: prepare, calibrate, then layer by layer.
#include "tune/sensitivity.h"
#include "api/api.h"

static oq_status measure(onnxq_session *session, const oq_prepared *prepared, const oq_stats *stats,
                         const oq_dataset *data, const oq_quant_options *options, size_t limit,
                         onnxq_report **out, oq_error *err) {
    const oq_sensitivity_options how = {
        .limit = limit, .progress = &session->progress, .pool = session->pool};
    oq_quantization q;
    oq_sensitivity found = {0};
    oq_report report = {0};
    oq_status status;
    OQ_TRY_DONE(oq_quantization_begin(&q, prepared->model, stats, options, err));
    OQ_TRY_DONE(oq_sensitivity_measure(&q, data, &how, &found, err));
    OQ_TRY_DONE(oq_report_sensitivity(&session->mem, q.model->graph, &found, &report, err));
    OQ_TRY_DONE(oq_report_wrap(session, report, out, err));
done:
    oq_sensitivity_release(&found);
    oq_quantization_release(&q);
    return status;
}

onnxq_status onnxq_sensitivity(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                               const onnxq_convert_options *options, size_t limit, onnxq_report **out,
                               onnxq_error *err) {
    onnxq_session *session = model->session;
    oq_quant_options q;
    oq_prepared prepared = {0};
    oq_stats *own = NULL;
    oq_dataset *sorted = NULL;
    oq_status status;
    *out = NULL;
    if (onnxq_model_is_quantized(model))
        return oq_fail(err, ONNXQ_USAGE,
                       "the model is quantized already: dequantize it first ('onnxq convert --dequantize')");
    OQ_TRY(oq_options_translate(options, &q, err));
    OQ_TRY_DONE(oq_prepared_make(model, &prepared, err));
    OQ_TRY_DONE(oq_dataset_by_content(data->set, session->pool, &sorted, err));
    if (!statistics) OQ_TRY_DONE(oq_prepared_statistics(session, &prepared, sorted, &q, &own, NULL, err));
    const oq_stats *stats = statistics ? statistics->stats : own;
    OQ_TRY_DONE(oq_statistics_check(stats, model->model, &prepared, err));
    OQ_TRY_DONE(measure(session, &prepared, stats, sorted, &q, limit, out, err));
done:
    oq_stats_free(own);
    oq_dataset_free(sorted);
    oq_prepared_release(&prepared);
    return status;
}
