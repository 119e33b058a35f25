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
    if (o->varies)
        json_object_set_new(out, "samples_of_other_size", json_integer((json_int_t)o->all.resized));
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

// What the inputs of the Concat that makes an output have of its error.
static void add_parts(const oq_verify_result *result, size_t output, json_t *into) {
    json_t *parts = json_array();
    for (size_t i = 0; i < result->part_count; i++) {
        const oq_part_difference *p = &result->parts[i];
        if (p->output != output) continue;
        json_t *part = json_object();
        json_object_set_new(part, "value", json_string(p->name));
        json_object_set_new(part, "sqnr_db", oq_json_real(oq_difference_sqnr(&p->all)));
        json_object_set_new(part, "largest_error", oq_json_real(p->all.largest));
        json_array_append_new(parts, part);
    }
    if (json_array_size(parts))
        json_object_set_new(into, "parts", parts);
    else
        json_decref(parts);
}

static json_t *pair_json(double low, double high) {
    json_t *out = json_array();
    json_array_append_new(out, oq_json_real(low));
    json_array_append_new(out, oq_json_real(high));
    return out;
}

static json_t *layer_json(const oq_layer_difference *l) {
    json_t *out = json_object();
    json_object_set_new(out, "value", json_string(l->name));
    json_object_set_new(out, "op", json_string(l->op_type));
    json_object_set_new(out, "carrier", json_string(l->carrier));
    json_object_set_new(out, "sqnr_db", oq_json_real(oq_difference_sqnr(&l->total)));
    json_object_set_new(out, "arriving_sqnr_db", oq_json_real(l->arriving));
    json_object_set_new(out, "arising_sqnr_db", oq_json_real(oq_difference_sqnr(&l->arising)));
    json_object_set_new(out, "range", pair_json(l->low, l->high));
    if (!isnan(l->grid_low)) {
        const double all = l->elements ? (double)l->elements : 1;
        json_object_set_new(out, "grid", pair_json(l->grid_low, l->grid_high));
        json_object_set_new(out, "at_ends", oq_json_real((double)l->at_ends / all));
        json_object_set_new(out, "cut_off", oq_json_real((double)l->cut_off / all));
    }
    json_t *sketch = json_array();
    for (int i = 0; i < OQ_SKETCH_BINS; i++)
        json_array_append_new(sketch, json_integer((json_int_t)l->sketch[i]));
    json_object_set_new(out, "histogram", sketch);
    return out;
}

json_t *oq_json_verify(const oq_verify_result *result) {
    json_t *out = json_object(), *outputs = json_array(), *layers = json_array();
    json_object_set_new(out, "samples", json_integer((json_int_t)result->samples));
    for (size_t i = 0; i < result->output_count; i++) {
        json_t *output = output_json(&result->outputs[i]);
        add_parts(result, i, output);
        json_array_append_new(outputs, output);
    }
    json_object_set_new(out, "outputs", outputs);
    for (size_t i = 0; i < result->layer_count; i++)
        json_array_append_new(layers, layer_json(&result->layers[i]));
    if (result->layer_count)
        json_object_set_new(out, "layers", layers);
    else
        json_decref(layers);
    return out;
}

static void print_part(const json_t *part, oq_text *into) {
    const double sqnr = oq_json_number(part, "sqnr_db");
    oq_text_printf(into, "  its part '%s': ", oq_json_text(part, "value"));
    if (isnan(sqnr))
        oq_text_add(into, "identical\n");
    else
        oq_text_printf(into, "SQNR %.2f dB, largest error %.4g\n", sqnr,
                       oq_json_number(part, "largest_error"));
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
    if (json_object_get(o, "samples_of_other_size"))
        oq_text_printf(into, ", of another size in %zu samples (computed numbers decide what it holds)",
                       oq_json_count(o, "samples_of_other_size"));
    if (json_object_get(o, "accuracy_model"))
        oq_text_printf(into, ", accuracy %.4f (float model %.4f)", oq_json_number(o, "accuracy_model"),
                       oq_json_number(o, "accuracy_reference"));
    oq_text_add(into, "\n");
    size_t index;
    json_t *part;
    json_array_foreach(json_object_get(o, "parts"), index, part) print_part(part, into);
}

static void print_decibels(double value, oq_text *into) {
    if (isnan(value))
        oq_text_printf(into, " %8s", "exact");
    else
        oq_text_printf(into, " %8.2f", value);
}

// One block a bin on a scale of logarithms, so that thin tails are seen: each step down is a third as many.
static void print_sketch(const json_t *counts, oq_text *into) {
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double most = 0;
    size_t index;
    json_t *count;
    json_array_foreach(counts, index, count) most = fmax(most, (double)json_integer_value(count));
    json_array_foreach(counts, index, count) {
        const double n = (double)json_integer_value(count);
        oq_text_add(into, blocks[n > 0 ? (int)fmax(1, 8.5 + 2 * log10(n / most)) : 0]);
    }
}

static void print_share(const json_t *layer, const char *key, oq_text *into) {
    const double share = oq_json_number(layer, key);
    if (isnan(share))
        oq_text_printf(into, " %8s", "");
    else
        oq_text_printf(into, " %7.2f%%", 100 * share);
}

static void print_layer(const json_t *layer, oq_text *into) {
    const json_t *range = json_object_get(layer, "range");
    const char *op = oq_json_text(layer, "op");
    print_decibels(oq_json_number(layer, "sqnr_db"), into);
    print_decibels(oq_json_number(layer, "arriving_sqnr_db"), into);
    print_decibels(oq_json_number(layer, "arising_sqnr_db"), into);
    print_share(layer, "at_ends", into);
    print_share(layer, "cut_off", into);
    oq_text_printf(into, " %9.3g", json_number_value(json_array_get(range, 0)));
    oq_text_add(into, " ");
    print_sketch(json_object_get(layer, "histogram"), into);
    oq_text_printf(into, " %-9.3g %s (%s)\n", json_number_value(json_array_get(range, 1)),
                   oq_json_text(layer, "value"), *op ? op : "input");
}

void oq_print_outputs(const json_t *verify, oq_text *into) {
    size_t index;
    json_t *item;
    oq_text_printf(into, "compared on %zu samples:\n", oq_json_count(verify, "samples"));
    json_array_foreach(json_object_get(verify, "outputs"), index, item) print_output(item, into);
}

static void print(const json_t *verify, oq_text *into) {
    size_t index;
    json_t *item;
    oq_print_outputs(verify, into);
    const json_t *layers = json_object_get(verify, "layers");
    if (layers)
        oq_text_printf(into, " %8s %8s %8s %8s %8s %9s %-16s %-9s %s\n", "SQNR dB", "arriving", "arising",
                       "at ends", "cut off", "least", "values", "greatest", "value (operator)");
    json_array_foreach(layers, index, item) print_layer(item, into);
}

oq_status oq_report_verify(oq_mem *mem, const oq_verify_result *result, oq_report *out, oq_error *err) {
    return oq_report_finish(mem, oq_json_verify(result), print, out, err);
}
