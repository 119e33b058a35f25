// What the public objects are made of; shared by the files of this folder only.
#ifndef OQ_API_API_H
#define OQ_API_API_H

#include "base/progress.h"
#include "calib/calib.h"
#include "passes/passes.h"
#include "report/report.h"

struct onnxq_session {
    oq_mem mem;
    oq_pool *pool; // NULL: one thread
    char *cache;   // folder of cached statistics, or NULL
    oq_progress progress;
};

struct onnxq_model {
    onnxq_session *session;
    oq_model *model; // as read, checked and inferred
};

struct onnxq_data {
    onnxq_session *session;
    oq_dataset *set;
};

struct onnxq_statistics {
    onnxq_session *session;
    oq_stats *stats;
};

// What calibration and quantization work on: a copy of the model, folded and inferred.
typedef struct oq_prepared {
    oq_model *model;
    oq_regions regions;
    oq_hash hash;
    oq_dtype computed_in; // the model's type of products, before they became float32
} oq_prepared;

oq_status oq_prepared_make(const onnxq_model *model, oq_prepared *out, oq_error *err);
void oq_prepared_release(oq_prepared *prepared);
// Statistics of every float value of the prepared graph over the data.
oq_status oq_prepared_calibrate(const onnxq_session *session, const oq_prepared *prepared,
                                const oq_dataset *data, size_t limit, oq_stats **out, oq_error *err);
// Statistics of what a plan with these options may ask for: from the session's cache (`cached`, may be NULL),
// or collected and put there.
oq_status oq_prepared_statistics(const onnxq_session *session, const oq_prepared *prepared,
                                 const oq_dataset *data, const oq_quant_options *options, oq_stats **out,
                                 bool *cached, oq_error *err);

oq_range_method oq_api_method(onnxq_method method);

// Conversion of a model that is quantized already: other format, or none.
oq_status oq_convert_given(onnxq_model *model, const onnxq_data *data, const onnxq_convert_options *options,
                           onnxq_model **out, onnxq_report **report, oq_error *err);
// A new public model that takes `model` over; on failure it is freed.
oq_status oq_model_wrap(onnxq_session *session, oq_model *model, onnxq_model **out, oq_error *err);
double oq_seconds_now(void); // of a clock that only goes forward

// Public options as the planner's, checked.
oq_status oq_options_translate(const onnxq_convert_options *options, oq_quant_options *out, oq_error *err);
// What is done to plans on these samples: made-up ones say nothing about errors on real ones.
oq_tuning oq_tuning_of(const onnxq_convert_options *options, const oq_dataset *data);
// Adds the widths of single layers; `list` is a block of the prepared model's mem that the caller frees.
oq_status oq_overrides_make(const onnxq_convert_options *options, const oq_prepared *prepared,
                            oq_quant_options *q, oq_node_override **list, oq_error *err);
// BAD_DATA when statistics given by the user are of another model, or name what is no tensor of this one.
oq_status oq_statistics_check(const oq_stats *stats, const oq_model *model, const oq_prepared *prepared,
                              oq_error *err);
// BAD_DATA when ranges were given, but none of those that a layer of this plan needs.
oq_status oq_ranges_check(const oq_stats *stats, const oq_graph *graph, const oq_plan *plan, oq_error *err);

// Makes a report a public object; takes its texts over, also on failure.
oq_status oq_report_wrap(onnxq_session *session, oq_report report, onnxq_report **out, oq_error *err);

#endif
