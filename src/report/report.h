// Reports: what was found or done, as JSON for programs and, made from that JSON, as a table for people.
#ifndef OQ_REPORT_REPORT_H
#define OQ_REPORT_REPORT_H

#include "forms/forms.h"
#include "passes/passes.h"
#include "quant/storage.h"
#include "tune/budget.h"
#include "tune/sweep.h"
#include "tune/widths.h"
#include "verify/verify.h"

// The texts are blocks of the mem given to the function that made them; the caller frees them.
typedef struct oq_report {
    char *json, *text, *html; // html: NULL unless asked for
    char *svg;                // NULL but for reports with a picture
} oq_report;

void oq_report_release(oq_mem *mem, oq_report *report);

// What is in a model. `plan` says what would be quantized of its prepared form and may be NULL with the
// reason why there is none; `cannot_run` is "" or why the model cannot be run.
oq_status oq_report_inspect(oq_mem *mem, const oq_model *model, const oq_graph *prepared, const oq_plan *plan,
                            const char *no_plan, const char *cannot_run, oq_report *out, oq_error *err);

// What a conversion did. The counts, the plan's nodes and the budget's layers must be taken before emission
// (oq_convert_facts_before).
typedef struct oq_convert_facts {
    void *before;              // kept by report/: JSON of the graph and the plan before emission
    const char *mode, *format; // format: NULL where the mode has one form only
    bool calibrated;           // with statistics of activations; then of
    size_t samples;
    bool synthetic, cached; // statistics of made-up samples, from the cache
    bool given;             // ranges that somebody wrote down, in place of statistics
    oq_error cannot_run;    // set: why the model cannot be run, so that nothing was corrected or compared
    double seconds;
    size_t peak_memory;       // bytes
    size_t input_grids;       // inputs that were made exact integers
    size_t split;             // convolutions that became a few
    oq_tuning tuning;         // that was tried
    oq_correction correction; // when there was any
    oq_metric metric;         // of the budget, or NONE
    double asked;
    oq_budget budget;
    oq_size_goal goal; // of the widths, or NONE
    double target;     // bytes or bits
    oq_widths widths;
    const oq_verify_result *verified; // NULL: not compared
    bool page;                        // also as HTML
} oq_convert_facts;

oq_status oq_convert_facts_before(const oq_model *model, const oq_graph *prepared, const oq_plan *plan,
                                  oq_convert_facts *facts, oq_error *err);
// What the plan's weights take, once it is emitted into `graph`.
void oq_convert_facts_sizes(const oq_graph *graph, const oq_plan *plan, oq_convert_facts *facts);
// The same of weights and tables that are stored as integers.
oq_status oq_convert_facts_storage(const oq_model *model, const oq_storage *storage, oq_convert_facts *facts,
                                   oq_error *err);
void oq_convert_facts_release(oq_convert_facts *facts);
oq_status oq_report_convert(oq_mem *mem, const oq_convert_facts *facts, const oq_model *quantized,
                            oq_report *out, oq_error *err);

// What a change of form did to a model that is quantized already; everything is borrowed.
typedef struct oq_form_facts {
    const oq_model *before, *after;
    const oq_forms *forms;
    const char *form; // "qdq", "qoperator", "float"
    double seconds;
    size_t peak_memory;               // bytes
    const oq_verify_result *verified; // NULL: not compared
    bool page;                        // also as HTML
} oq_form_facts;

oq_status oq_report_forms(oq_mem *mem, const oq_form_facts *facts, oq_report *out, oq_error *err);

oq_status oq_report_verify(oq_mem *mem, const oq_verify_result *result, oq_report *out, oq_error *err);

// One array and what quantizing it gave; everything is borrowed.
typedef struct oq_tensor_facts {
    const char *name;
    onnxq_tensor_options options;
    onnxq_tensor_view view;
    oq_grid grid;
} oq_tensor_facts;

// At most `limit` elements and parameters are listed; 0 = all.
oq_status oq_report_tensor(oq_mem *mem, const oq_tensor_facts *facts, size_t limit, oq_report *out,
                           oq_error *err);

// Layers of `graph` by what they cost, the costliest first.
oq_status oq_report_sensitivity(oq_mem *mem, const oq_graph *graph, const oq_sensitivity *found,
                                oq_report *out, oq_error *err);

// What a sweep was made of.
typedef struct oq_sweep_facts {
    const char *model; // path
    const char *title; // in place of the file's name, or NULL
    const char *format;
    size_t samples; // of the statistics
    bool synthetic;
} oq_sweep_facts;

// A row for each width, and a picture.
oq_status oq_report_sweep(oq_mem *mem, const oq_sweep_facts *facts, const oq_sweep *sweep, oq_report *out,
                          oq_error *err);

// The operator table: Markdown as text.
oq_status oq_report_operators(oq_mem *mem, oq_report *out, oq_error *err);

#endif
