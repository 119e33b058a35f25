// The closing table of convert for a model that is quantized already.
#include "report/html.h"
#include "report/json.h"

static json_t *left_json(const oq_forms *forms) {
    json_t *out = json_array();
    for (size_t i = 0; i < forms->left_count; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "node", json_string(forms->left[i].node));
        json_object_set_new(row, "op", json_string(forms->left[i].op_type));
        json_object_set_new(row, "reason", json_string(forms->left[i].reason));
        json_array_append_new(out, row);
    }
    return out;
}

static void print_left(const json_t *left, oq_text *into) {
    size_t index;
    json_t *row;
    if (json_array_size(left)) oq_text_add(into, "left as they are:\n");
    json_array_foreach(left, index, row) oq_text_printf(into, "  %s (%s): %s\n", oq_json_text(row, "node"),
                                                        oq_json_text(row, "op"), oq_json_text(row, "reason"));
}

static void print_counts(const json_t *root, oq_text *into) {
    if (json_object_get(root, "moved"))
        oq_text_printf(into, "to integer operators: %zu nodes; %zu more move integers instead of floats\n",
                       oq_json_count(root, "rewritten"), oq_json_count(root, "moved"));
    else
        oq_text_printf(into, "to float operators: %zu nodes\n", oq_json_count(root, "rewritten"));
    if (!json_object_get(root, "removed")) return;
    oq_text_printf(into, "taken out: %zu nodes that only quantized or dequantized\n",
                   oq_json_count(root, "removed"));
    oq_text_printf(into, "put back: %zu Relu and Clip nodes for which saturation had stood\n",
                   oq_json_count(root, "clips_restored"));
}

static void print(const json_t *root, oq_text *into) {
    oq_print_operators(json_object_get(root, "operators_before"), json_object_get(root, "operators_after"),
                       into);
    oq_text_add(into, json_object_get(root, "removed")
                          ? "the model came quantized: it is a float model again\n"
                          : "the model came quantized: its scales, zero points and integers are kept\n");
    print_counts(root, into);
    print_left(json_object_get(root, "left"), into);
    oq_print_weights(root, into);
    if (json_is_object(json_object_get(root, "verify")))
        oq_print_outputs(json_object_get(root, "verify"), into);
    else
        oq_text_add(into, "not compared with the given model\n");
    oq_print_cost(root, into);
}

static void set_count(json_t *root, const char *key, size_t count) {
    json_object_set_new(root, key, json_integer((json_int_t)count));
}

oq_status oq_report_forms(oq_mem *mem, const oq_form_facts *facts, oq_report *out, oq_error *err) {
    const oq_forms *forms = facts->forms;
    const char letter = facts->form[0] == 'q' ? facts->form[1] : 'f'; // q[o]perator, q[d]q, [f]loat
    json_t *root = json_object();
    json_object_set_new(root, "model", json_string(facts->before->path));
    json_object_set_new(root, "format", json_string(facts->form));
    json_object_set_new(root, "operators_before", oq_json_operators(facts->before->graph));
    json_object_set_new(root, "operators_after", oq_json_operators(facts->after->graph));
    set_count(root, "weight_bytes_before", oq_report_constant_bytes(facts->before));
    set_count(root, "weight_bytes_after", oq_report_constant_bytes(facts->after));
    set_count(root, "rewritten", forms->rewritten);
    if (letter == 'o') set_count(root, "moved", forms->moved);
    if (letter == 'f') {
        set_count(root, "removed", forms->removed);
        set_count(root, "clips_restored", forms->clips);
    }
    json_object_set_new(root, "left", left_json(forms));
    if (facts->verified) json_object_set_new(root, "verify", oq_json_verify(facts->verified));
    json_object_set_new(root, "seconds", oq_json_real(facts->seconds));
    set_count(root, "peak_memory_bytes", facts->peak_memory);
    json_incref(root); // for the page
    oq_status status = oq_report_finish(mem, root, print, out, err);
    if (status == ONNXQ_OK && facts->page) status = oq_html_convert(mem, root, out, err);
    json_decref(root);
    return status;
}
