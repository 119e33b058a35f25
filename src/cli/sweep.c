// onnxq sweep: one model at many widths, as a table, as JSON and as a picture.
#include "cli/convert.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 2, MOST = 16 };

typedef struct sweep_values {
    convert_values convert; // first, so that the shared options find their place
    const char *bits, *weight_bits, *activation_bits;
    text_list judges;
    size_t limit;
    const char *svg, *output, *title, *folder;
} sweep_values;

#define AT(member) offsetof(sweep_values, member)

static const option options[] = {
    {"bits", 0, OPTION_TEXT, "RANGE",
     "widths of weights and activations together: 16..2, 8, or 8,6,4 (default: 16..2)", AT(bits), 0, 0},
    {"weight-bits", 0, OPTION_TEXT, "RANGE", "widths of weights (activations: --bits, or 8)", AT(weight_bits),
     0, 0},
    {"activation-bits", 0, OPTION_TEXT, "RANGE",
     "widths of activations (weights: --bits, or 8); with --weight-bits: every combination",
     AT(activation_bits), 0, 0},
    {"eval", 0, OPTION_TEXTS, "SRC",
     "samples to judge on (default: every fourth of the calibration samples, on which no correction is "
     "fitted); may be repeated",
     AT(judges), 0, 0},
    {"labels", 0, OPTION_TEXT, "FILE.npy",
     "the right class of each sample that judges (without --eval: of each calibration sample): accuracies "
     "are shown",
     AT(convert.labels), 0, 0},
    {"limit", 0, OPTION_COUNT, "N", "judge on at most N samples (default: all)", AT(limit), 1, 1e12},
    {"title", 0, OPTION_TEXT, "TEXT", "of table and picture (default: the file's name)", AT(title), 0, 0},
    {"models", 0, OPTION_TEXT, "FOLDER",
     "write each model, as FOLDER/w8a8.onnx and so on (weight-only: w8.onnx)", AT(folder), 0, 0},
    {"svg", 0, OPTION_TEXT, "FILE.svg", "draw the table", AT(svg), 0, 0},
    {"output", 'o', OPTION_TEXT, "FILE.json", "write the JSON that --json prints", AT(output), 0, 0},
    {0}};

// --- widths ---

typedef struct width_list {
    int items[MOST - LEAST + 1];
    size_t count;
} width_list;

static void add_width(width_list *list, int bits) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == bits) return;
    list->items[list->count++] = bits;
}

// A number from 2 to 16, or 0.
static int read_width(const char **at) {
    char *end;
    const long bits = strtol(*at, &end, 10);
    if (end == *at || **at < '0' || **at > '9' || bits < LEAST || bits > MOST) return 0;
    *at = end;
    return (int)bits;
}

// "16..2,1" and the like: single widths and ranges in either direction.
static bool read_widths(const char *text, width_list *out) {
    const char *at = text;
    for (;;) {
        const int from = read_width(&at);
        int to = from;
        if (from && !strncmp(at, "..", 2)) at += 2, to = read_width(&at);
        if (!from || !to) return false;
        for (int bits = from;; bits += from < to ? 1 : -1) {
            add_width(out, bits);
            if (bits == to) break;
        }
        if (!*at) return true;
        if (*at++ != ',') return false;
    }
}

static onnxq_status parse_widths(const char *name, const char *text, width_list *out, onnxq_error *err) {
    if (read_widths(text, out)) return ONNXQ_OK;
    snprintf(err->message, sizeof err->message,
             "--%s takes widths from %d to %d: 16..2, 8, or 8,6,4; not '%s'", name, LEAST, MOST, text);
    return ONNXQ_USAGE;
}

// The rows of the table. One width for both where neither is given alone.
static onnxq_status choose_widths(const sweep_values *v, onnxq_widths **out, size_t *count,
                                  onnxq_error *err) {
    width_list weights = {0}, activations = {0};
    const bool weight_only = convert_options_of(&v->convert).mode == ONNXQ_MODE_WEIGHT_ONLY;
    const bool together = !v->weight_bits && !v->activation_bits && !weight_only;
    const char *both = v->bits ? v->bits : together || weight_only ? "16..2" : "8";
    *count = 0;
    if (weight_only && v->activation_bits) {
        snprintf(err->message, sizeof err->message,
                 "--activation-bits: in weight-only mode activations are floats");
        return ONNXQ_USAGE;
    }
    onnxq_status status = parse_widths(v->weight_bits ? "weight-bits" : "bits",
                                       v->weight_bits ? v->weight_bits : both, &weights, err);
    if (status == ONNXQ_OK)
        status = parse_widths(v->activation_bits ? "activation-bits" : "bits",
                              v->activation_bits ? v->activation_bits
                              : weight_only      ? "8" // stands for none
                                                 : both,
                              &activations, err);
    if (status != ONNXQ_OK) return status;
    *out = calloc(weights.count * activations.count, sizeof **out);
    if (!*out) {
        snprintf(err->message, sizeof err->message, "out of memory while reading the command line");
        return ONNXQ_NO_MEMORY;
    }
    for (size_t a = 0; a < activations.count; a++)
        for (size_t w = 0; w < weights.count; w++)
            if (!together || a == w)
                (*out)[(*count)++] = (onnxq_widths){weights.items[w], activations.items[a]};
    return ONNXQ_OK;
}

// --- the work ---

// What belongs to one run of the command.
typedef struct objects {
    onnxq_model *model;
    onnxq_data *data, *judges;
    onnxq_statistics *statistics;
    onnxq_layer_choice *layers;
    onnxq_widths *widths;
    onnxq_report *report;
} objects;

static void release(objects *o) {
    onnxq_report_free(o->report);
    onnxq_statistics_free(o->statistics);
    onnxq_data_free(o->judges);
    onnxq_data_free(o->data);
    onnxq_model_free(o->model);
    free(o->widths);
    free(o->layers);
}

static onnxq_status measure(const sweep_values *v, objects *o, onnxq_error *err) {
    onnxq_convert_options how = convert_options_of(&v->convert);
    onnxq_sweep_options sweep = {.judges = o->judges,
                                 .labels = v->convert.labels,
                                 .limit = v->limit,
                                 .title = v->title,
                                 .folder = v->folder};
    how.layers = o->layers;
    how.layer_count = v->convert.layers.count;
    const onnxq_status status = choose_widths(v, &o->widths, &sweep.width_count, err);
    sweep.widths = o->widths;
    if (status != ONNXQ_OK) return status;
    return onnxq_sweep(o->model, o->statistics, o->data, &how, &sweep, &o->report, err);
}

static onnxq_status open_objects(const sweep_values *v, onnxq_session *session, const char *path, objects *o,
                                 onnxq_error *err) {
    const text_list *judges = &v->judges;
    onnxq_status status = convert_layers(&v->convert.layers, &o->layers, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, path, &o->model, err);
    if (status == ONNXQ_OK) status = convert_open_data(&v->convert, o->model, &o->data, err);
    if (status == ONNXQ_OK && judges->count)
        status = onnxq_data_open(o->model, judges->items, judges->count, &o->judges, err);
    if (status == ONNXQ_OK && v->convert.statistics)
        status = onnxq_statistics_load(session, v->convert.statistics, &o->statistics, err);
    return status;
}

static onnxq_status write(const sweep_values *v, const onnxq_report *report, onnxq_error *err) {
    onnxq_status status = ONNXQ_OK;
    if (v->svg) status = onnxq_report_save(report, ONNXQ_REPORT_PICTURE, v->svg, err);
    if (status == ONNXQ_OK && v->output)
        status = onnxq_report_save(report, ONNXQ_REPORT_JSON, v->output, err);
    terminal_end();
    if (v->convert.common.json)
        puts(onnxq_report_json(report));
    else if (!v->convert.common.quiet)
        fputs(onnxq_report_text(report), stdout);
    return status;
}

// Wrong widths are told before any sample is run.
static onnxq_status check(const sweep_values *v, onnxq_error *err) {
    onnxq_widths *widths = NULL;
    size_t count;
    onnxq_status status = convert_check(&v->convert, err);
    if (status == ONNXQ_OK) status = choose_widths(v, &widths, &count, err);
    free(widths);
    return status;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const sweep_values *v = values;
    onnxq_session *session = NULL;
    objects o = {0};
    onnxq_status status = check(v, err);
    if (status == ONNXQ_OK) status = terminal_session(&v->convert.common, &session, err);
    if (status == ONNXQ_OK) status = open_objects(v, session, positional[0], &o, err);
    if (status == ONNXQ_OK) status = measure(v, &o, err);
    if (status == ONNXQ_OK) status = write(v, o.report, err);
    release(&o);
    onnxq_session_free(session);
    return status;
}

const command sweep_command = {
    .name = "sweep",
    .usage = "MODEL.onnx [--data SRC]... [--bits RANGE] [OPTION]...",
    .summary = "quantize at many widths and show what each costs",
    .details =
        "Runs the calibration samples once, quantizes the model at each width, and compares every result "
        "with the float model: file size, SQNR, agreement of the top class, accuracy with labels. A width "
        "that cannot be had stands in the table with the reason.",
    .options = options,
    .shared = convert_shared_options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(sweep_values),
    .defaults = convert_defaults,
    .run = run,
};
