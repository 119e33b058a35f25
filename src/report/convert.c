// The closing table of convert.
#include "report/html.h"

#include <math.h>
#include <string.h>

// What becomes of the model, under `key`, beside what it was.
static oq_status keep(const oq_model *model, const char *key, json_t *decided, oq_convert_facts *facts,
                      oq_error *err) {
    json_t *before = facts->before ? facts->before : json_object();
    if (!facts->before) {
        json_object_set_new(before, "model", json_string(model->path));
        json_object_set_new(before, "operators_before", oq_json_operators(model->graph));
        json_object_set_new(before, "weight_bytes_before",
                            json_integer((json_int_t)oq_report_constant_bytes(model)));
    }
    json_object_set_new(before, key, decided);
    facts->before = before;
    return before ? ONNXQ_OK : oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while writing a report");
}

// What budgets chose, by the nodes of the graph as it was.
static void keep_choices(const oq_graph *prepared, const oq_convert_facts *facts) {
    if (facts->metric != OQ_METRIC_NONE)
        json_object_set_new(facts->before, "budget",
                            oq_json_budget(prepared, facts->metric, facts->asked, &facts->budget));
    if (facts->goal != OQ_GOAL_NONE)
        json_object_set_new(facts->before, "widths",
                            oq_json_widths(prepared, facts->goal, facts->target, &facts->widths));
}

oq_status oq_convert_facts_storage(const oq_model *model, const oq_storage *storage, oq_convert_facts *facts,
                                   oq_error *err) {
    OQ_TRY(keep(model, "storage", oq_json_storage(storage), facts, err));
    if (!json_object_get(facts->before, "plan")) keep_choices(storage->graph, facts);
    return ONNXQ_OK;
}

oq_status oq_convert_facts_before(const oq_model *model, const oq_graph *prepared, const oq_plan *plan,
                                  oq_convert_facts *facts, oq_error *err) {
    OQ_TRY(keep(model, "plan", oq_json_plan(prepared, plan), facts, err));
    keep_choices(prepared, facts);
    return ONNXQ_OK;
}

void oq_convert_facts_sizes(const oq_graph *graph, const oq_plan *plan, oq_convert_facts *facts) {
    oq_json_plan_sizes(json_object_get(facts->before, "plan"), graph, plan);
}

void oq_convert_facts_release(oq_convert_facts *facts) {
    json_decref(facts->before);
    facts->before = NULL;
}

void oq_print_operators(const json_t *before, const json_t *after, oq_text *into) {
    oq_text_printf(into, "%-24s %7s %7s\n", "operators", "before", "after");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)before, key, value)
        oq_text_printf(into, "  %-22s %7lld %7lld\n", key, (long long)json_integer_value(value),
                       (long long)oq_json_count(after, key));
    json_object_foreach((json_t *)after, key, value) if (!json_object_get(before, key))
        oq_text_printf(into, "  %-22s %7d %7lld\n", key, 0, (long long)json_integer_value(value));
}

static json_t *tuning_json(const oq_convert_facts *facts) {
    static const char *const roundings[] = {[OQ_ROUNDING_NEAREST] = "nearest",
                                            [OQ_ROUNDING_GRAM] = "gram",
                                            [OQ_ROUNDING_GPTQ] = "gptq",
                                            [OQ_ROUNDING_ADAROUND] = "adaround"};
    const oq_correction *c = &facts->correction;
    json_t *out = json_object();
    json_object_set_new(out, "rounding", json_string(roundings[facts->tuning.rounding]));
    json_object_set_new(out, "layers_rounded", json_integer((json_int_t)c->rounding.kept));
    json_object_set_new(out, "layers_tried", json_integer((json_int_t)c->rounding.tried));
    json_object_set_new(out, "layers_corrected", json_integer((json_int_t)c->layers));
    json_object_set_new(out, "samples", json_integer((json_int_t)c->samples));
    json_object_set_new(out, "judged_on", json_integer((json_int_t)c->judged));
    json_object_set_new(out, "sqnr_db_before", oq_json_real(c->before));
    json_object_set_new(out, "sqnr_db_after", oq_json_real(c->after));
    json_object_set_new(out, "kept", json_boolean(c->kept));
    if (c->tables_judged) json_object_set_new(out, "sqnr_db_tables", oq_json_real(c->tables));
    return out;
}

static void print_tuning(const json_t *c, oq_text *into) {
    if (!json_is_object(c)) return;
    oq_text_printf(into, "tuned (%s): ", json_is_true(json_object_get(c, "kept")) ? "kept" : "not kept");
    if (oq_json_count(c, "layers_tried"))
        oq_text_printf(into, "weights of %zu of %zu layers, ", oq_json_count(c, "layers_rounded"),
                       oq_json_count(c, "layers_tried"));
    oq_text_printf(into, "biases of %zu, SQNR %.2f -> %.2f dB on %zu samples held out\n",
                   oq_json_count(c, "layers_corrected"), oq_json_number(c, "sqnr_db_before"),
                   oq_json_number(c, "sqnr_db_after"), oq_json_count(c, "judged_on"));
    if (json_object_get(c, "sqnr_db_tables"))
        oq_text_printf(into, "tables in 8 bits alone: SQNR %.2f dB on these samples\n",
                       oq_json_number(c, "sqnr_db_tables"));
}

// Where the ranges come from.
static void print_origin(const json_t *root, oq_text *into) {
    if (json_is_true(json_object_get(root, "given"))) {
        oq_text_add(into, "ranges as given in a file\n");
        return;
    }
    oq_text_printf(into, "calibrated on %zu%s samples%s\n", oq_json_count(root, "samples"),
                   json_is_true(json_object_get(root, "synthetic")) ? " MADE-UP" : "",
                   json_is_true(json_object_get(root, "cached")) ? ", statistics from the cache" : "");
}

static void print_input_grids(const json_t *root, oq_text *into) {
    const size_t count = oq_json_count(root, "exact_input_grids");
    if (count)
        oq_text_printf(
            into, "exact input grids: %zu (the samples' values are integers, scaled and shifted)\n", count);
}

static void print_split(const json_t *root, oq_text *into) {
    const size_t count = oq_json_count(root, "layers_split");
    if (count)
        oq_text_printf(into,
                       "split: %zu convolutions into rows of about one size (--no-split keeps them whole)\n",
                       count);
}

static void print(const json_t *root, oq_text *into) {
    oq_print_operators(json_object_get(root, "operators_before"), json_object_get(root, "operators_after"),
                       into);
    if (json_is_object(json_object_get(root, "plan"))) oq_print_plan(json_object_get(root, "plan"), into);
    if (json_is_object(json_object_get(root, "storage")))
        oq_print_storage(json_object_get(root, "storage"), into);
    oq_print_weights(root, into);
    if (json_object_get(root, "samples")) print_origin(root, into);
    print_input_grids(root, into);
    print_split(root, into);
    print_tuning(json_object_get(root, "tuning"), into);
    oq_print_budget(json_object_get(root, "budget"), into);
    oq_print_widths(json_object_get(root, "widths"), into);
    if (json_is_object(json_object_get(root, "verify")))
        oq_print_outputs(json_object_get(root, "verify"), into);
    else if (json_object_get(root, "cannot_run"))
        oq_text_printf(into, "neither corrected nor compared with the float model: %s\n",
                       oq_json_text(root, "cannot_run"));
    else
        oq_text_add(into, "not compared with the float model\n");
    oq_print_cost(root, into);
}

static void set_calibration(json_t *root, const oq_convert_facts *facts) {
    json_object_set_new(root, "samples", json_integer((json_int_t)facts->samples));
    json_object_set_new(root, "synthetic", json_boolean(facts->synthetic));
    json_object_set_new(root, "cached", json_boolean(facts->cached));
    json_object_set_new(root, "given", json_boolean(facts->given));
}

oq_status oq_report_convert(oq_mem *mem, const oq_convert_facts *facts, const oq_model *quantized,
                            oq_report *out, oq_error *err) {
    json_t *root = json_copy(facts->before);
    json_object_set_new(root, "mode", json_string(facts->mode));
    if (facts->format) json_object_set_new(root, "format", json_string(facts->format));
    if (facts->calibrated) set_calibration(root, facts);
    if (*facts->cannot_run.message)
        json_object_set_new(root, "cannot_run", json_string(facts->cannot_run.message));
    json_object_set_new(root, "operators_after", oq_json_operators(quantized->graph));
    json_object_set_new(root, "weight_bytes_after",
                        json_integer((json_int_t)oq_report_constant_bytes(quantized)));
    json_object_set_new(root, "exact_input_grids", json_integer((json_int_t)facts->input_grids));
    json_object_set_new(root, "layers_split", json_integer((json_int_t)facts->split));
    if (oq_tuning_any(&facts->tuning)) json_object_set_new(root, "tuning", tuning_json(facts));
    if (facts->verified) json_object_set_new(root, "verify", oq_json_verify(facts->verified));
    json_object_set_new(root, "seconds", oq_json_real(facts->seconds));
    json_object_set_new(root, "peak_memory_bytes", json_integer((json_int_t)facts->peak_memory));
    json_incref(root); // for the page
    oq_status status = oq_report_finish(mem, root, print, out, err);
    if (status == ONNXQ_OK && facts->page) status = oq_html_convert(mem, root, out, err);
    json_decref(root);
    return status;
}
