// Convert of a model that is quantized already: its parameters stay, its form changes.
#include "api/api.h"
#include "forms/forms.h"
#include "verify/verify.h"

#include <string.h>

// Options that choose new parameters, where old ones are kept.
static oq_status check_options(const onnxq_convert_options *o, oq_error *err) {
    const onnxq_convert_options d = onnxq_convert_defaults();
    const struct {
        bool given;
        const char *what;
    } useless[] = {
        {o->mode != d.mode, "a mode"},
        {o->weight_bits != d.weight_bits || o->activation_bits != d.activation_bits, "widths"},
        {o->layer_count > 0, "widths of layers"},
        {o->per_tensor, "a granularity of weights"},
        {o->weight_type != d.weight_type || o->activation_type != d.activation_type, "types of integers"},
        {o->activation_symmetric || o->weight_asymmetric, "symmetry"},
        {o->method != d.method, "a range method"},
        {o->search != d.search, "a search for ranges of weights"},
        {o->float_functions, "another choice of integer functions"},
        {o->no_split, "a choice whether layers are split"},
        {o->no_zero_channels, "another number of channels"},
        {o->include_count || o->exclude_count || o->op_type_count, "a choice of nodes"},
        {o->metric != ONNXQ_METRIC_NONE || o->target_bytes != 0 || o->target_bits != 0, "a budget"},
    };
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++)
        if (useless[i].given)
            return oq_fail(
                err, ONNXQ_USAGE,
                "the model is quantized already and keeps its parameters, so %s cannot be asked for: "
                "dequantize it first and quantize the result",
                useless[i].what);
    return ONNXQ_OK;
}

static oq_status rewrite(oq_model *model, const onnxq_convert_options *options, oq_forms *forms,
                         oq_error *err) {
    oq_graph *graph = model->graph;
    const bool raises = options->dequantize || options->format == ONNXQ_FORMAT_QDQ;
    OQ_TRY(oq_pass_upgrade_opset(model, OQ_FORMS_OPSET, err));
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_forms_raise(graph, !raises, forms, err));
    OQ_TRY(oq_infer_graph(graph, err));
    if (options->dequantize)
        OQ_TRY(oq_forms_dequantize(graph, forms, err));
    else if (!raises)
        OQ_TRY(oq_forms_lower(graph, forms, err));
    OQ_TRY(oq_infer_graph(graph, err));
    return oq_check_graph(graph, false, err);
}

static oq_status verify(const onnxq_model *model, const oq_model *made, const onnxq_data *data,
                        size_t samples, oq_verify_result *result, oq_error *err) {
    const onnxq_session *session = model->session;
    const oq_verify_options options = {
        .limit = samples, .progress = &session->progress, .pool = session->pool};
    oq_dataset *sorted = NULL;
    OQ_TRY(oq_dataset_by_content(data->set, session->pool, &sorted, err));
    const oq_status status = oq_verify(model->model->graph, made->graph, sorted, &options, result, err);
    oq_dataset_free(sorted);
    return status;
}

static oq_status report_of(onnxq_session *session, oq_form_facts *facts, double begin, onnxq_report **out,
                           oq_error *err) {
    oq_report report;
    facts->seconds = oq_seconds_now() - begin;
    facts->peak_memory = onnxq_session_peak_memory(session);
    OQ_TRY(oq_report_forms(&session->mem, facts, &report, err));
    return oq_report_wrap(session, report, out, err);
}

oq_status oq_convert_given(onnxq_model *model, const onnxq_data *data, const onnxq_convert_options *options,
                           onnxq_model **out, onnxq_report **report, oq_error *err) {
    const double begin = oq_seconds_now();
    oq_model *made = NULL;
    oq_forms forms = {0};
    oq_verify_result verified = {0};
    oq_form_facts facts = {.before = model->model,
                           .page = options->page,
                           .forms = &forms,
                           .form = options->dequantize                   ? "float"
                                   : options->format == ONNXQ_FORMAT_QDQ ? "qdq"
                                                                         : "qoperator"};
    if (!onnxq_model_is_quantized(model))
        return oq_fail(err, ONNXQ_USAGE, "the model is not quantized: there is nothing to dequantize");
    OQ_TRY(check_options(options, err));
    oq_status status;
    OQ_TRY_DONE(oq_model_clone(model->model, &made, err));
    OQ_TRY_DONE(rewrite(made, options, &forms, err));
    oq_error cannot_run = {0};
    if (data && options->verify_samples && oq_graph_can_run(made->graph, &cannot_run) == ONNXQ_OK) {
        OQ_TRY_DONE(verify(model, made, data, options->verify_samples, &verified, err));
        facts.verified = &verified;
    }
    facts.after = made;
    if (report) OQ_TRY_DONE(report_of(model->session, &facts, begin, report, err));
    oq_model *result = made;
    made = NULL;
    OQ_TRY_DONE(oq_model_wrap(model->session, result, out, err));
done:
    if (status != ONNXQ_OK && report) {
        onnxq_report_free(*report);
        *report = NULL;
    }
    oq_verify_release(&verified);
    oq_forms_release(&forms);
    oq_model_free(made);
    return status;
}
