// Models: reading with all checks, writing, and the prepared copy on which quantization works.
#include "api/api.h"
#include "forms/forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static oq_status check_and_infer(oq_graph *graph, oq_error *err) {
    OQ_TRY(oq_check_graph(graph, false, err));
    return oq_infer_graph(graph, err);
}

// One sentence about values of the main graph that are declared with another shape than they have.
static oq_status note_misdeclared(onnxq_session *session, const oq_graph *graph, oq_error *err) {
    const oq_gvalue *first = NULL;
    size_t count = 0;
    for (size_t v = 0; v < graph->value_count; v++) {
        if (!graph->values[v]->misdeclared) continue;
        if (!first) first = graph->values[v];
        count++;
    }
    if (!first) return ONNXQ_OK;
    oq_text note;
    oq_text_init(&note, &session->mem);
    oq_text_printf(&note, "the model declares '%s' as %s, but computes ", first->name, first->misdeclared);
    oq_type_format(&first->type, &note);
    if (count > 1) oq_text_printf(&note, ", and %zu more values wrongly", count - 1);
    oq_text_add(&note, ": what it computes counts, and files written from it declare that");
    if (!note.failed) oq_progress_note(&session->progress, oq_text_get(&note));
    const bool failed = note.failed;
    oq_text_release(&note);
    return failed ? oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while reading the model") : ONNXQ_OK;
}

onnxq_status onnxq_model_load(onnxq_session *session, const char *path, onnxq_model **out, onnxq_error *err) {
    *out = NULL;
    onnxq_model *model = oq_mem_calloc(&session->mem, 1, sizeof *model, err);
    if (!model) return ONNXQ_NO_MEMORY;
    model->session = session;
    oq_status status = oq_onnx_load(&session->mem, path, &model->model, err);
    if (status == ONNXQ_OK) status = check_and_infer(model->model->graph, err);
    if (status == ONNXQ_OK) status = note_misdeclared(session, model->model->graph, err);
    if (status != ONNXQ_OK) {
        oq_error_at_file(err, path);
        onnxq_model_free(model);
        return status;
    }
    *out = model;
    return ONNXQ_OK;
}

onnxq_status onnxq_model_save(const onnxq_model *model, const char *path, const onnxq_save_options *options,
                              onnxq_error *err) {
    const oq_onnx_save_options save = {.external_data = options && options->external_data};
    return oq_onnx_save(model->model, path, &save, err);
}

oq_status oq_model_wrap(onnxq_session *session, oq_model *model, onnxq_model **out, oq_error *err) {
    *out = oq_mem_calloc(&session->mem, 1, sizeof **out, err);
    if (!*out) {
        oq_model_free(model);
        return ONNXQ_NO_MEMORY;
    }
    **out = (onnxq_model){session, model};
    return ONNXQ_OK;
}

int onnxq_model_is_quantized(const onnxq_model *model) { return oq_forms_is_quantized(model->model->graph); }

static oq_gvalue *find_input(const oq_graph *graph, const char *name, oq_error *err) {
    oq_gvalue *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        oq_gvalue *value = oq_graph_value(graph, graph->inputs[i]);
        if (value->initializer) continue;
        if (name && strcmp(value->name, name) == 0) return value;
        only = value;
        count++;
    }
    if (!name && count == 1) return only;
    if (name)
        oq_fail(err, ONNXQ_USAGE, "a range is given for '%s', which is no input of the model", name);
    else
        oq_fail(err, ONNXQ_USAGE,
                "a range is given without a name, but the model has %zu inputs: say of which it is", count);
    return NULL;
}

onnxq_status onnxq_model_set_input_range(onnxq_model *model, const char *name, double low, double high,
                                         onnxq_error *err) {
    oq_gvalue *value = find_input(model->model->graph, name, err);
    if (!value) return ONNXQ_USAGE;
    if (!isfinite(low) || !isfinite(high) || !(low < high))
        return oq_fail(err, ONNXQ_USAGE, "the range %g to %g of '%s' must go from a number to a larger one",
                       low, high, value->name);
    const oq_dtype_traits *traits = oq_dtype_info(value->type.dtype);
    if (!traits->is_float && !traits->is_integer)
        return oq_fail(err, ONNXQ_USAGE, "a range is given for '%s', whose elements are no numbers",
                       value->name);
    if (traits->is_integer &&
        (low < (double)traits->min || high > (double)traits->max || floor(high) < ceil(low)))
        return oq_fail(err, ONNXQ_USAGE, "%s holds no numbers from %g to %g, the range given for '%s'",
                       onnxq_dtype_name(value->type.dtype), low, high, value->name);
    value->bounded = true, value->low = low, value->high = high;
    return ONNXQ_OK;
}

void onnxq_model_free(onnxq_model *model) {
    if (!model) return;
    oq_model_free(model->model);
    oq_mem_free(&model->session->mem, model);
}

onnxq_status onnxq_model_print(const onnxq_model *model, char **text, onnxq_error *err) {
    oq_text print;
    oq_text_init(&print, &model->session->mem);
    oq_status status = oq_graph_print(model->model->graph, &print, err);
    if (status == ONNXQ_OK && print.failed)
        status = oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while printing the graph");
    if (status != ONNXQ_OK) {
        oq_text_release(&print);
        return status;
    }
    *text = print.data;
    return ONNXQ_OK;
}

// Nothing is said to be quantized that is computed in another type than the user's without telling so.
static oq_status to_float32(const onnxq_session *session, oq_graph *graph, oq_dtype *from, oq_error *err) {
    char note[160];
    bool changed;
    *from = oq_pass_product_type(graph);
    OQ_TRY(oq_pass_to_float32(graph, *from, &changed, err));
    if (!changed) return ONNXQ_OK;
    snprintf(note, sizeof note,
             "the model computes in %s: what stays float of it becomes float32; inputs and outputs keep "
             "their types",
             onnxq_dtype_name(*from));
    oq_progress_note(&session->progress, note);
    return ONNXQ_OK;
}

oq_status oq_prepared_make(const onnxq_model *model, oq_prepared *out, oq_error *err) {
    *out = (oq_prepared){0};
    oq_status status;
    OQ_TRY_DONE(oq_model_clone(model->model, &out->model, err));
    OQ_TRY_DONE(to_float32(model->session, out->model->graph, &out->computed_in, err));
    OQ_TRY_DONE(oq_prepare_model(out->model, &out->regions, err));
    OQ_TRY_DONE(oq_infer_graph(out->model->graph, err));
    OQ_TRY_DONE(oq_graph_hash(out->model->graph, &out->hash, err));
done:
    if (status != ONNXQ_OK) oq_prepared_release(out);
    return status;
}

void oq_prepared_release(oq_prepared *prepared) {
    oq_regions_release(&prepared->regions);
    oq_model_free(prepared->model);
    *prepared = (oq_prepared){0};
}
