// What a comparison found, as JSON and as lines.
#include "report/json.h"

#include <math.h>

static json_t *output_json(const oq_output_difference *o) {
    json_t *out = json_object();
    json_object_set_new(out, "output", json_string(o->name));
    json_object_set_new(out, "sqnr_db", oq_json_real(oq_difference_sqnr(&o->all)));
    json_object_set_new(out, "exact", json_boolean(o->all.noise == 0.));
    json_object_set_new(out, "cosine", oq_json_real(o->cosine_mean));
    json_object_set_new(out, "cosine_least", oq_json_real(o->cosine_least));
    json_object_set_new(out, "largest_error", oq_json_real(o->all.largest));
    if (!isnan(o->divergence)) json_object_set_new(out, "divergence_nats", oq_json_real(o->divergence));
    if (o->classifies) {
        json_object_set_new(out, "rows", json_integer((json_int_t)o->rows));
        json_object_set_new(out, "same_top", json_integer((json_int_t)o->same));
        json_object_set_new(out, "agreement", oq_json_real(o->rows ? (double)o->same / (double)o->rows : 1));
        json_object_set_new(out, "disagreement_low", oq_json_real(o->disagreement_low));
        json_object_set_new(out, "disagreement_high", oq_json_real(o->disagreement_high));
    }
    if (!isnan(o->accuracy_model)) {
        json_object_set_new(out, "accuracy_reference", oq_json_real(o->accuracy_reference));
        json_object_set_new(out, "accuracy_model", oq_json_real(o->accuracy_model));
    }
    return out;
}

json_t *oq_json_verify(const oq_verify_result *result) {
    json_t *out = json_object(), *outputs = json_array(), *layers = json_array();
    json_object_set_new(out, "samples", json_integer((json_int_t)result->samples));
    for (size_t i = 0; i < result->output_count; i++)
        json_array_append_new(outputs, output_json(&result->outputs[i]));
    json_object_set_new(out, "outputs", outputs);
    for (size_t i = 0; i < result->layer_count; i++) {
        const oq_layer_difference *l = &result->layers[i];
        json_t *layer = json_object();
        json_object_set_new(layer, "value", json_string(l->name));
        json_object_set_new(layer, "op", json_string(l->op_type));
        json_object_set_new(layer, "sqnr_db", oq_json_real(oq_difference_sqnr(&l->total)));
        json_object_set_new(layer, "arising_sqnr_db", oq_json_real(oq_difference_sqnr(&l->arising)));
        json_array_append_new(layers, layer);
    }
    if (result->layer_count)
        json_object_set_new(out, "layers", layers);
    else
        json_decref(layers);
    return out;
}

static void print_output(const json_t *o, oq_text *into) {
    if (json_is_true(json_object_get(o, "exact")))
        oq_text_printf(into, "output '%s': identical", oq_json_text(o, "output"));
    else
        oq_text_printf(into, "output '%s': SQNR %.2f dB, cosine %.5f (least %.5f), largest error %.4g",
                       oq_json_text(o, "output"), oq_json_number(o, "sqnr_db"), oq_json_number(o, "cosine"),
                       oq_json_number(o, "cosine_least"), oq_json_number(o, "largest_error"));
    if (json_object_get(o, "divergence_nats"))
        oq_text_printf(into, ", divergence %.3g nats", oq_json_number(o, "divergence_nats"));
    if (json_object_get(o, "rows"))
        oq_text_printf(into, ", same top class in %zu of %zu rows (differs in %.1f..%.1f %%, 95 %% interval)",
                       oq_json_count(o, "same_top"), oq_json_count(o, "rows"),
                       100 * oq_json_number(o, "disagreement_low"),
                       100 * oq_json_number(o, "disagreement_high"));
    if (json_object_get(o, "accuracy_model"))
        oq_text_printf(into, ", accuracy %.4f (float model %.4f)", oq_json_number(o, "accuracy_model"),
                       oq_json_number(o, "accuracy_reference"));
    oq_text_add(into, "\n");
}

static void print_decibels(double value, oq_text *into) {
    if (isnan(value))
        oq_text_printf(into, " %9s", "exact");
    else
        oq_text_printf(into, " %9.2f", value);
}

void oq_print_verify(const json_t *verify, oq_text *into) {
    size_t index;
    json_t *item;
    oq_text_printf(into, "compared on %zu samples:\n", oq_json_count(verify, "samples"));
    json_array_foreach(json_object_get(verify, "outputs"), index, item) print_output(item, into);
    const json_t *layers = json_object_get(verify, "layers");
    if (layers) oq_text_printf(into, "%9s %9s  %s\n", "SQNR dB", "arising", "value (operator)");
    json_array_foreach(layers, index, item) {
        print_decibels(oq_json_number(item, "sqnr_db"), into);
        print_decibels(oq_json_number(item, "arising_sqnr_db"), into);
        oq_text_printf(into, "  %s (%s)\n", oq_json_text(item, "value"), oq_json_text(item, "op"));
    }
}

oq_status oq_report_verify(oq_mem *mem, const oq_verify_result *result, oq_report *out, oq_error *err) {
    return oq_report_finish(mem, oq_json_verify(result), oq_print_verify, out, err);
}
