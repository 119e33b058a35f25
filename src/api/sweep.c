// Sweep: prepare and calibrate once, then width by width.
#include "tune/sweep.h"
#include "api/api.h"
#include "verify/verify.h"

static oq_status check(const onnxq_statistics *statistics, const onnxq_data *data, bool weight_only,
                       const onnxq_sweep_options *options, oq_error *err) {
    if (!data)
        return oq_fail(err, ONNXQ_USAGE, "a sweep needs samples%s",
                       statistics ? ": give them beside the statistics" : "");
    if (!options->width_count) return oq_fail(err, ONNXQ_USAGE, "a sweep needs at least one width");
    for (size_t i = 0; i < options->width_count; i++) {
        const onnxq_widths *w = &options->widths[i];
        const bool fits = w->weight_bits >= 2 && w->weight_bits <= 16 &&
                          (weight_only || (w->activation_bits >= 2 && w->activation_bits <= 16));
        if (!fits)
            return oq_fail(err, ONNXQ_USAGE, "a width of weights %d and activations %d is not within 2 to 16",
                           w->weight_bits, w->activation_bits);
    }
    return ONNXQ_OK;
}

static oq_status report(onnxq_model *model, const oq_sweep_source *source, const char *title,
                        const oq_sweep *found, onnxq_report **out, oq_error *err) {
    const bool weight_only = source->quant->mode == OQ_MODE_WEIGHT_ONLY;
    const oq_sweep_facts facts = {.model = model->model->path,
                                  .title = title,
                                  .format = weight_only                              ? "weight-only"
                                            : source->quant->format == OQ_FORMAT_QDQ ? "qdq"
                                                                                     : "qoperator",
                                  .samples = source->stats ? source->stats->samples : 0,
                                  .synthetic = source->stats && source->stats->synthetic};
    oq_report made;
    OQ_TRY(oq_report_sweep(&model->session->mem, &facts, found, &made, err));
    return oq_report_wrap(model->session, made, out, err);
}

static oq_status sweep(onnxq_model *model, const oq_sweep_source *source, oq_tuning tuning,
                       const onnxq_sweep_options *options, onnxq_report **out, oq_error *err) {
    onnxq_session *session = model->session;
    oq_sweep_width *widths = NULL;
    int64_t *labels = NULL;
    oq_sweep found = {0};
    oq_sweep_options how = {.width_count = options->width_count,
                            .folder = options->folder,
                            .limit = options->limit,
                            .tuning = tuning,
                            .progress = &session->progress,
                            .pool = session->pool};
    oq_dataset *judges = NULL;
    oq_status status = ONNXQ_OK;
    if (options->judges)
        OQ_TRY_DONE(oq_dataset_by_content(options->judges->set, session->pool, &judges, err));
    how.judges = judges;
    if (options->labels)
        OQ_TRY_DONE(oq_labels_load(judges ? judges : source->data, &session->mem, options->labels, &labels,
                                   &how.label_count, err));
    how.labels = labels;
    how.widths = widths = oq_mem_calloc(&session->mem, options->width_count, sizeof *widths, err);
    if (!widths) status = ONNXQ_NO_MEMORY;
    for (size_t i = 0; widths && i < options->width_count; i++)
        widths[i] = (oq_sweep_width){
            options->widths[i].weight_bits,
            source->quant->mode == OQ_MODE_WEIGHT_ONLY ? 0 : options->widths[i].activation_bits};
    OQ_TRY_DONE(status);
    OQ_TRY_DONE(oq_sweep_measure(source, &how, &found, err));
    OQ_TRY_DONE(report(model, source, options->title, &found, out, err));
done:
    oq_sweep_release(&found);
    oq_mem_free(&session->mem, widths);
    oq_mem_free(&session->mem, labels);
    oq_dataset_free(judges);
    return status;
}

onnxq_status onnxq_sweep(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                         const onnxq_convert_options *options, const onnxq_sweep_options *how,
                         onnxq_report **out, onnxq_error *err) {
    onnxq_session *session = model->session;
    oq_quant_options q;
    oq_node_override *overrides = NULL;
    oq_prepared prepared = {0};
    oq_stats *own = NULL;
    oq_dataset *sorted = NULL;
    oq_status status;
    *out = NULL;
    const bool weight_only = options->mode == ONNXQ_MODE_WEIGHT_ONLY;
    if (options->mode != ONNXQ_MODE_STATIC && !weight_only)
        return oq_fail(err, ONNXQ_USAGE,
                       "a sweep goes over widths of static or weight-only mode: choose one");
    if (onnxq_model_is_quantized(model))
        return oq_fail(
            err, ONNXQ_USAGE,
            "'%s' is quantized already: sweep its float form, which 'onnxq convert --dequantize' gives",
            model->model->path);
    OQ_TRY(check(statistics, data, weight_only, how, err));
    OQ_TRY(oq_options_translate(options, &q, err));
    OQ_TRY_DONE(oq_prepared_make(model, &prepared, err));
    OQ_TRY_DONE(oq_overrides_make(options, &prepared, &q, &overrides, err));
    OQ_TRY_DONE(oq_dataset_by_content(data->set, session->pool, &sorted, err));
    if (!statistics && !(weight_only && oq_dataset_is_synthetic(sorted)))
        OQ_TRY_DONE(oq_prepared_statistics(session, &prepared, sorted, &q, &own, NULL, err));
    const oq_stats *stats = statistics ? statistics->stats : own;
    if (stats) OQ_TRY_DONE(oq_statistics_check(stats, model->model, &prepared, err));
    const oq_sweep_source source = {model->model, prepared.model, stats, sorted, &q};
    OQ_TRY_DONE(sweep(model, &source, oq_tuning_of(options, data->set), how, out, err));
done:
    oq_stats_free(own);
    oq_dataset_free(sorted);
    oq_mem_free(&session->mem, overrides);
    oq_prepared_release(&prepared);
    return status;
}
