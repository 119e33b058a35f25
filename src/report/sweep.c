// The table and the picture of a sweep.
#include "base/file.h"
#include "report/json.h"
#include "report/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void set_figure(json_t *object, const char *key, double value) {
    if (!isnan(value)) json_object_set_new(object, key, oq_json_real(value));
}

static json_t *point_json(const oq_sweep *sweep, const oq_sweep_point *p) {
    json_t *out = json_object();
    json_object_set_new(out, "weight_bits", json_integer(p->width.weight_bits));
    json_object_set_new(out, "activation_bits",
                        p->width.activation_bits ? json_integer(p->width.activation_bits) : json_null());
    if (p->obstacle) {
        json_object_set_new(out, "obstacle", json_string(p->obstacle));
        return out;
    }
    json_object_set_new(out, "bytes", json_integer((json_int_t)p->bytes));
    json_object_set_new(out, "ratio",
                        oq_json_real(sweep->bytes ? (double)p->bytes / (double)sweep->bytes : (double)NAN));
    json_object_set_new(out, "sqnr_db", oq_json_real(p->sqnr));
    json_object_set_new(out, "cosine", oq_json_real(p->cosine));
    set_figure(out, "agreement", p->agreement);
    set_figure(out, "accuracy", p->accuracy);
    json_object_set_new(out, "products", json_integer((json_int_t)p->plan.nodes));
    json_object_set_new(out, "quantized", json_integer((json_int_t)p->plan.quantized));
    return out;
}

static json_t *sweep_json(const oq_sweep_facts *facts, const oq_sweep *sweep) {
    json_t *out = json_object(), *points = json_array(), *original = json_object();
    json_object_set_new(out, "model", json_string(facts->title ? facts->title : oq_path_name(facts->model)));
    json_object_set_new(out, "format", json_string(facts->format));
    json_object_set_new(out, "samples", json_integer((json_int_t)facts->samples));
    json_object_set_new(out, "synthetic", json_boolean(facts->synthetic));
    json_object_set_new(out, "judged_on", json_integer((json_int_t)sweep->samples));
    json_object_set_new(out, "held_out", json_boolean(sweep->held_out));
    json_object_set_new(original, "bytes", json_integer((json_int_t)sweep->bytes));
    set_figure(original, "accuracy", sweep->accuracy);
    json_object_set_new(out, "float", original);
    for (size_t i = 0; i < sweep->count; i++)
        json_array_append_new(points, point_json(sweep, &sweep->points[i]));
    json_object_set_new(out, "widths", points);
    return out;
}

// --- the table ---

static void print_figure(const json_t *point, const char *key, double factor, const char *format,
                         oq_text *into) {
    const double value = oq_json_number(point, key);
    if (isnan(value))
        oq_text_printf(into, " %9s", json_object_get(point, key) ? "exact" : "-");
    else
        oq_text_printf(into, format, factor * value);
}

static void print_point(const json_t *point, oq_text *into) {
    char bytes[24];
    const size_t activations = oq_json_count(point, "activation_bits");
    oq_text_printf(into, "%7zu ", oq_json_count(point, "weight_bits"));
    oq_text_printf(into, activations ? "%11zu " : "      float ", activations);
    if (json_object_get(point, "obstacle")) {
        oq_text_printf(into, " cannot be had: %s\n", oq_json_text(point, "obstacle"));
        return;
    }
    oq_text_printf(into, "%9s %5.3fx",
                   oq_format_bytes(bytes, sizeof bytes, (uint64_t)oq_json_number(point, "bytes")),
                   oq_json_number(point, "ratio"));
    print_figure(point, "sqnr_db", 1, " %9.2f", into);
    print_figure(point, "agreement", 1, " %9.4f", into);
    print_figure(point, "accuracy", 100, " %9.2f", into);
    oq_text_printf(into, "  %zu of %zu\n", oq_json_count(point, "quantized"),
                   oq_json_count(point, "products"));
}

static void print_source(const json_t *root, oq_text *into) {
    const size_t samples = oq_json_count(root, "samples");
    oq_text_printf(into, "%s, ", oq_json_text(root, "format"));
    if (samples)
        oq_text_printf(into, "calibrated on %zu%s samples, ", samples,
                       json_is_true(json_object_get(root, "synthetic")) ? " MADE-UP" : "");
    oq_text_printf(into, "judged on %zu", oq_json_count(root, "judged_on"));
}

static void print(const json_t *root, oq_text *into) {
    char bytes[24];
    size_t index;
    json_t *point;
    const json_t *original = json_object_get(root, "float");
    oq_text_printf(into, "%s, ", oq_json_text(root, "model"));
    print_source(root, into);
    oq_text_printf(into, "%s\n",
                   json_is_true(json_object_get(root, "held_out")) ? " held out of all corrections" : "");
    oq_text_printf(into, "float: %s",
                   oq_format_bytes(bytes, sizeof bytes, (uint64_t)oq_json_number(original, "bytes")));
    if (json_object_get(original, "accuracy"))
        oq_text_printf(into, ", accuracy %.2f %%", 100 * oq_json_number(original, "accuracy"));
    oq_text_printf(into, "\n%7s %11s %10s %6s %9s %9s %9s  %s\n", "weights", "activations", "size", "ratio",
                   "SQNR dB", "agreement", "accuracy", "layers");
    json_array_foreach(json_object_get(root, "widths"), index, point) print_point(point, into);
}

// --- the picture ---

enum { MOST_WIDTHS = 32, MOST_PANELS = 4, NAME_SIZE = 40 };

// Points as categories along the axis and, where both widths vary, series.
typedef struct layout {
    const json_t *root;
    int x[MOST_WIDTHS], z[MOST_WIDTHS]; // widths along the axis, and of the series
    size_t x_count, z_count;
    bool together; // both widths are the same everywhere
    const char *x_key, *z_key;
    char x_names[MOST_WIDTHS][NAME_SIZE], z_names[MOST_WIDTHS][NAME_SIZE], size_title[NAME_SIZE * 2];
    const char *x_texts[MOST_WIDTHS];
    double *y; // [MOST_PANELS][z_count][x_count]
    oq_plot_series series[MOST_PANELS][MOST_WIDTHS];
    oq_plot_panel panels[MOST_PANELS];
    size_t panel_count;
} layout;

static void add_width(int *list, size_t *count, int width) {
    for (size_t i = 0; i < *count; i++)
        if (list[i] == width) return;
    if (*count < MOST_WIDTHS) list[(*count)++] = width;
}

static void find_widths(const json_t *points, const char *key, int *list, size_t *count) {
    size_t index;
    json_t *point;
    json_array_foreach(points, index, point) add_width(list, count, (int)oq_json_count(point, key));
}

static void arrange(layout *l) {
    const json_t *points = json_object_get(l->root, "widths");
    size_t index;
    json_t *point;
    l->together = true;
    json_array_foreach(points, index, point) l->together &=
        oq_json_count(point, "weight_bits") == oq_json_count(point, "activation_bits");
    l->x_key = "weight_bits";
    l->z_key = "activation_bits";
    find_widths(points, l->x_key, l->x, &l->x_count);
    find_widths(points, l->z_key, l->z, &l->z_count);
    if (l->x_count > 1 || l->z_count == 1 || l->together) return;
    const layout before = *l;
    l->x_key = before.z_key, l->z_key = before.x_key;
    memcpy(l->x, before.z, sizeof l->x);
    memcpy(l->z, before.x, sizeof l->z);
    l->x_count = before.z_count, l->z_count = before.x_count;
}

static void name_widths(layout *l) {
    const bool weights = !strcmp(l->z_key, "weight_bits");
    for (size_t i = 0; i < l->x_count; i++) {
        snprintf(l->x_names[i], NAME_SIZE, "%d", l->x[i]);
        l->x_texts[i] = l->x_names[i];
    }
    for (size_t i = 0; i < l->z_count; i++)
        snprintf(l->z_names[i], NAME_SIZE, "%s %d bits", weights ? "weights" : "activations", l->z[i]);
}

static double figure_at(const layout *l, const char *key, size_t x, size_t z) {
    size_t index;
    json_t *point;
    json_array_foreach(json_object_get(l->root, "widths"), index, point) {
        if ((int)oq_json_count(point, l->x_key) != l->x[x]) continue;
        if (!l->together && (int)oq_json_count(point, l->z_key) != l->z[z]) continue;
        return oq_json_number(point, key);
    }
    return (double)NAN;
}

static bool has_figure(const layout *l, const char *key) {
    size_t index;
    json_t *point;
    json_array_foreach(json_object_get(l->root, "widths"), index,
                       point) if (json_object_get(point, key)) return true;
    return false;
}

static oq_plot_panel *add_panel(layout *l, const char *key, double factor, const char *title) {
    const size_t p = l->panel_count++, z_count = l->together ? 1 : l->z_count;
    for (size_t z = 0; z < z_count; z++) {
        double *y = l->y + (p * MOST_WIDTHS + z) * MOST_WIDTHS;
        for (size_t x = 0; x < l->x_count; x++) y[x] = factor * figure_at(l, key, x, z);
        l->series[p][z] = (oq_plot_series){l->z_names[z], y};
    }
    l->panels[p] = (oq_plot_panel){.title = title,
                                   .series = l->series[p],
                                   .series_count = z_count,
                                   .decimals = 1,
                                   .reference = (double)NAN,
                                   .reference_name = "float"};
    return &l->panels[p];
}

static void add_panels(layout *l) {
    char bytes[24];
    const json_t *original = json_object_get(l->root, "float");
    add_panel(l, "sqnr_db", 1, "SQNR at the outputs, dB");
    if (has_figure(l, "agreement")) add_panel(l, "agreement", 100, "Same top class as the float model, %");
    if (has_figure(l, "accuracy"))
        add_panel(l, "accuracy", 100, "Accuracy, %")->reference = 100 * oq_json_number(original, "accuracy");
    oq_format_bytes(bytes, sizeof bytes, (uint64_t)oq_json_number(original, "bytes"));
    snprintf(l->size_title, sizeof l->size_title, "Size, %% of the float model's %s", bytes);
    add_panel(l, "ratio", 100, l->size_title)->from_zero = true;
}

static void axis_title(const layout *l, char *buffer, size_t size) {
    const bool weights = !strcmp(l->x_key, "weight_bits");
    if (l->together)
        snprintf(buffer, size, "bits of weights and activations");
    else if (l->z_count > 1)
        snprintf(buffer, size, "bits of %s", weights ? "weights" : "activations");
    else if (!l->z[0])
        snprintf(buffer, size, "bits of weights (activations: float)");
    else
        snprintf(buffer, size, "bits of %s (%s: %d)", weights ? "weights" : "activations",
                 weights ? "activations" : "weights", l->z[0]);
}

static oq_status draw(oq_mem *mem, const json_t *root, oq_text *into, oq_error *err) {
    char x_title[80];
    oq_text subtitle;
    layout *l = oq_mem_calloc(mem, 1, sizeof *l, err);
    double *y = l ? oq_mem_calloc(mem, MOST_PANELS * MOST_WIDTHS, MOST_WIDTHS * sizeof *y, err) : NULL;
    if (!y) {
        oq_mem_free(mem, l);
        return ONNXQ_NO_MEMORY;
    }
    l->root = root;
    l->y = y;
    arrange(l);
    name_widths(l);
    add_panels(l);
    axis_title(l, x_title, sizeof x_title);
    oq_text_init(&subtitle, mem);
    print_source(root, &subtitle);
    const oq_plot plot = {.title = oq_json_text(root, "model"),
                          .subtitle = oq_text_get(&subtitle),
                          .x_title = x_title,
                          .x = l->x_texts,
                          .x_count = l->x_count,
                          .panels = l->panels,
                          .panel_count = l->panel_count};
    oq_plot_svg(&plot, into);
    oq_text_release(&subtitle);
    oq_mem_free(mem, y);
    oq_mem_free(mem, l);
    return ONNXQ_OK;
}

oq_status oq_report_sweep(oq_mem *mem, const oq_sweep_facts *facts, const oq_sweep *sweep, oq_report *out,
                          oq_error *err) {
    json_t *root = sweep_json(facts, sweep);
    oq_text svg;
    oq_text_init(&svg, mem);
    oq_status status = draw(mem, root, &svg, err);
    if (status == ONNXQ_OK && svg.failed)
        status = oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while drawing a plot");
    if (status == ONNXQ_OK)
        status = oq_report_finish(mem, root, print, out, err);
    else
        json_decref(root);
    if (status == ONNXQ_OK)
        out->svg = svg.data;
    else
        oq_text_release(&svg);
    return status;
}
