// Verification over a data set: outputs of both models sample by sample, figures combined in sample order.
#include "base/file.h"
#include "tensor/npy.h"
#include "verify/compare.h"
#include "verify/layers.h"
#include "verify/parts.h"

#include <math.h>
#include <string.h>

typedef struct pair {
    oq_worker *reference, *model;
} pair;

typedef struct session {
    const oq_dataset *data;
    oq_mem *mem;
    oq_program *reference, *model;
    size_t output_count;
    size_t *output_of;         // [output_count] index among the model's outputs
    const char **names;        // [output_count]
    bool *varies;              // [output_count] its size does (oq_graph_varying)
    size_t samples;            // runs; each of as many samples as the batch has
    size_t *before;            // [runs of the data + 1] samples before each run
    pair *workers;             // [threads], made when first needed
    oq_output_sample *results; // [samples][output_count]
    oq_part *parts;
    size_t part_count;
    oq_difference *part_results; // [samples][part_count]
    oq_layers layers;
    const oq_verify_options *options;
} session;

static oq_status match_outputs(session *s, const oq_graph *reference, const oq_graph *model, oq_error *err) {
    size_t model_count;
    const oq_value_id *a = oq_program_outputs(s->reference, &s->output_count);
    const oq_value_id *b = oq_program_outputs(s->model, &model_count);
    s->output_of = oq_mem_calloc(s->mem, s->output_count, sizeof *s->output_of, err);
    s->names = oq_mem_calloc(s->mem, s->output_count, sizeof *s->names, err);
    if (!s->output_of || !s->names) return ONNXQ_NO_MEMORY;
    if (s->output_count != model_count)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "the first model has %zu outputs and the second %zu: it was not made from the first",
                       s->output_count, model_count);
    for (size_t i = 0; i < s->output_count; i++) {
        s->names[i] = oq_graph_value(reference, a[i])->name;
        size_t k = 0;
        while (k < model_count && strcmp(oq_graph_value(model, b[k])->name, s->names[i]) != 0) k++;
        if (k == model_count)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "the second model has no output '%s': it was not made from the first",
                           s->names[i]);
        s->output_of[i] = k;
    }
    return ONNXQ_OK;
}

static oq_status find_varying(session *s, const oq_graph *reference, oq_error *err) {
    const oq_value_id *ids = oq_program_outputs(s->reference, &s->output_count);
    bool *all = oq_mem_calloc(s->mem, reference->value_count + 1, sizeof *all, err);
    s->varies = oq_mem_calloc(s->mem, s->output_count + 1, sizeof *s->varies, err);
    oq_status status = all && s->varies ? oq_graph_varying(reference, all, err) : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < s->output_count; i++) s->varies[i] = all[ids[i]];
    oq_mem_free(s->mem, all);
    return status;
}

// The models may list their inputs in another order (or the second one fewer): by name.
static oq_status match_inputs(const session *s, const oq_value *given, oq_value *inputs,
                              const oq_graph *reference, const oq_graph *model, oq_error *err) {
    size_t from_count, to_count;
    const oq_value_id *from = oq_program_inputs(s->reference, &from_count),
                      *to = oq_program_inputs(s->model, &to_count);
    for (size_t k = 0; k < to_count; k++) {
        const char *name = oq_graph_value(model, to[k])->name;
        size_t i = 0;
        while (i < from_count && strcmp(oq_graph_value(reference, from[i])->name, name) != 0) i++;
        if (i == from_count)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "the second model wants an input '%s' that the first does not have", name);
        inputs[k] = given[i];
    }
    return ONNXQ_OK;
}

static void release_values(oq_value *values, size_t count) {
    for (size_t i = 0; values && i < count; i++) oq_value_release(&values[i]);
}

typedef struct verify_work {
    session *s;
    oq_graph *reference, *model;
} verify_work;

// Values of one run, in one block: what the first model is given and gives, and the same for the second.
typedef struct run_values {
    oq_value *given, *inputs, *y, *z;
    size_t given_count, input_count, y_count, z_count;
} run_values;

static oq_status run_values_new(const session *s, run_values *v, oq_error *err) {
    oq_program_inputs(s->reference, &v->given_count);
    oq_program_inputs(s->model, &v->input_count);
    oq_program_outputs(s->reference, &v->y_count);
    oq_program_outputs(s->model, &v->z_count);
    v->given = oq_mem_calloc(s->mem, v->given_count + v->input_count + v->y_count + v->z_count,
                             sizeof(oq_value), err);
    if (!v->given) return ONNXQ_NO_MEMORY;
    v->inputs = v->given + v->given_count;
    v->y = v->inputs + v->input_count;
    v->z = v->y + v->y_count;
    return ONNXQ_OK;
}

static void run_values_release(const session *s, run_values *v) {
    if (!v->given) return;
    release_values(v->given, v->given_count);
    release_values(v->y, v->y_count);
    release_values(v->z, v->z_count);
    oq_mem_free(s->mem, v->given);
}

static oq_status make_pair(const session *s, pair *p, oq_error *err) {
    if (!p->reference) OQ_TRY(oq_worker_new(s->reference, &p->reference, err));
    if (!p->model) OQ_TRY(oq_worker_beside(s->model, p->reference, &p->model, err));
    return ONNXQ_OK;
}

// The run of the data set that is compared as number `index`.
static size_t data_index(const session *s, size_t index) {
    return s->options->first + index * (s->options->stride ? s->options->stride : 1);
}

static oq_status fail_of_shapes(const char *name, const oq_value *y, const oq_value *z, oq_error *err) {
    char a[128] = "", b[128] = "";
    if (y->kind == OQ_VALUE_TENSOR) oq_shape_format(&y->tensor.shape, a, sizeof a);
    if (z->kind == OQ_VALUE_TENSOR) oq_shape_format(&z->tensor.shape, b, sizeof b);
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "'%s' has shape %s in one model and %s in the other: they do not compute the same thing",
                   name, a, b);
}

static oq_status compare_sample(const session *s, size_t index, const run_values *v, oq_error *err) {
    size_t real, rows;
    const size_t at = data_index(s, index);
    oq_dataset_rows(s->data, at, &real, &rows);
    for (size_t i = 0; i < s->output_count; i++) {
        const int64_t *labels = s->options->labels ? s->options->labels + s->before[at] : NULL;
        const oq_value *y = &v->y[i], *z = &v->z[s->output_of[i]];
        oq_output_sample *result = &s->results[index * s->output_count + i];
        OQ_TRY(oq_compare_values(y, z, real, rows, labels, s->names[i], result, err));
        if (result->difference.resized && !s->varies[i]) return fail_of_shapes(s->names[i], y, z, err);
    }
    for (size_t p = 0; p < s->part_count; p++) {
        const size_t i = s->parts[p].output;
        oq_part_compare(&s->parts[p], &v->y[i], &v->z[s->output_of[i]], real, rows,
                        &s->part_results[index * s->part_count + p]);
    }
    return ONNXQ_OK;
}

static oq_status one_sample(void *self, size_t index, size_t worker, oq_error *err) {
    const verify_work *w = self;
    session *s = w->s;
    pair *p = &s->workers[worker];
    run_values v = {0};
    oq_layers_sample seen = {0};
    oq_status status;
    OQ_TRY_DONE(make_pair(s, p, err));
    OQ_TRY_DONE(run_values_new(s, &v, err));
    OQ_TRY_DONE(oq_dataset_get(s->data, data_index(s, index), v.given, err));
    OQ_TRY_DONE(match_inputs(s, v.given, v.inputs, w->reference, w->model, err));
    OQ_TRY_DONE(oq_layers_begin(&s->layers, index, data_index(s, index), worker, &seen, err));
    OQ_TRY_DONE(oq_worker_run(p->reference, v.given, v.y, oq_layers_observe_reference(&seen), NULL, err));
    OQ_TRY_DONE(oq_worker_run(p->model, v.inputs, v.z, oq_layers_observe_model(&seen), NULL, err));
    OQ_TRY_DONE(compare_sample(s, index, &v, err));
    OQ_TRY_DONE(oq_layers_arising(&seen, err));
done:
    oq_layers_end(&seen);
    run_values_release(s, &v);
    if (status != ONNXQ_OK) {
        char label[160];
        oq_error_prefix(err, "%s: ", oq_dataset_label(s->data, data_index(s, index), label, sizeof label));
    }
    oq_progress_step(worker == 0 ? s->options->progress : NULL, "comparing", index + 1, s->samples);
    return status;
}

// Wilson's score interval of a share at 95 % (Wilson 1927).
static void wilson(uint64_t hits, uint64_t trials, double *low, double *high) {
    const double z = 1.959963984540054, n = (double)trials;
    *low = *high = 0;
    if (!trials) return;
    const double p = (double)hits / n, middle = p + z * z / (2 * n),
                 spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = fmax(0, (middle - spread) / (1 + z * z / n));
    *high = fmin(1, (middle + spread) / (1 + z * z / n));
}

static void combine_output(const session *s, size_t i, oq_output_difference *out) {
    uint64_t right_reference = 0, right_model = 0, judged = 0;
    double cosines = 0, divergence = 0;
    bool probabilities = s->samples > 0;
    out->name = s->names[i];
    out->varies = s->varies[i];
    out->cosine_least = 1;
    out->classifies = s->samples > 0;
    for (size_t k = 0; k < s->samples; k++) {
        const oq_output_sample *r = &s->results[k * s->output_count + i];
        oq_difference_add(&out->all, &r->difference);
        cosines += r->cosine;
        out->cosine_least = fmin(out->cosine_least, r->cosine);
        out->classifies &= r->classifies;
        out->rows += r->rows;
        out->same += r->same;
        judged += r->judged;
        probabilities &= r->probabilities;
        divergence += r->divergence;
        right_reference += r->right_reference;
        right_model += r->right_model;
    }
    out->cosine_mean = s->samples ? cosines / (double)s->samples : 1;
    wilson(out->rows - out->same, out->rows, &out->disagreement_low, &out->disagreement_high);
    out->divergence = probabilities ? divergence / (double)out->rows : (double)NAN;
    const bool all_judged = judged && judged == out->rows;
    out->accuracy_reference = all_judged ? (double)right_reference / (double)judged : (double)NAN;
    out->accuracy_model = all_judged ? (double)right_model / (double)judged : (double)NAN;
}

static oq_status combine_parts(const session *s, oq_verify_result *out, oq_error *err) {
    if (!s->part_count) return ONNXQ_OK;
    out->parts = oq_mem_calloc(s->mem, s->part_count, sizeof *out->parts, err);
    if (!out->parts) return ONNXQ_NO_MEMORY;
    out->part_count = s->part_count;
    for (size_t p = 0; p < s->part_count; p++) {
        out->parts[p] = (oq_part_difference){.output = s->parts[p].output, .name = s->parts[p].name};
        for (size_t k = 0; k < s->samples; k++)
            oq_difference_add(&out->parts[p].all, &s->part_results[k * s->part_count + p]);
    }
    return ONNXQ_OK;
}

static oq_status combine(const session *s, oq_verify_result *out, oq_error *err) {
    out->samples = s->samples;
    out->output_count = s->output_count;
    out->outputs = oq_mem_calloc(s->mem, s->output_count, sizeof *out->outputs, err);
    if (!out->outputs) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < s->output_count; i++) combine_output(s, i, &out->outputs[i]);
    OQ_TRY(combine_parts(s, out, err));
    return oq_layers_combine(&s->layers, &out->layers, &out->layer_count, err);
}

static void session_release(session *s) {
    for (size_t i = 0; s->workers && i < oq_pool_threads(s->options->pool); i++) {
        oq_worker_free(s->workers[i].model);
        oq_worker_free(s->workers[i].reference);
    }
    oq_layers_release(&s->layers);
    oq_mem_free(s->mem, s->workers);
    oq_mem_free(s->mem, s->results);
    oq_mem_free(s->mem, s->parts);
    oq_mem_free(s->mem, s->part_results);
    oq_mem_free(s->mem, s->before);
    oq_mem_free(s->mem, s->output_of);
    oq_mem_free(s->mem, s->names);
    oq_mem_free(s->mem, s->varies);
    oq_program_free(s->reference);
    oq_program_free(s->model);
}

static oq_status session_begin(session *s, oq_graph *reference, oq_graph *model, oq_error *err) {
    const size_t threads = oq_pool_threads(s->options->pool);
    const oq_verify_options *o = s->options;
    if (o->layers)
        OQ_TRY(oq_layers_init(&s->layers, s->mem, reference, model, s->data, s->samples, o->saturate_pairs,
                              threads, err));
    const oq_program_options watch_reference = {.observed = s->layers.in_reference},
                             watch_model = {.observed = s->layers.in_model,
                                            .saturate_pairs = o->saturate_pairs};
    OQ_TRY(oq_program_new(reference, &watch_reference, &s->reference, err));
    OQ_TRY(oq_program_new(model, &watch_model, &s->model, err));
    OQ_TRY(match_outputs(s, reference, model, err));
    OQ_TRY(find_varying(s, reference, err));
    size_t outputs;
    const oq_value_id *ids = oq_program_outputs(s->reference, &outputs);
    OQ_TRY(oq_parts_find(reference, ids, outputs, &s->parts, &s->part_count, err));
    s->workers = oq_mem_calloc(s->mem, threads, sizeof *s->workers, err);
    s->results = oq_mem_calloc(s->mem, s->samples * s->output_count, sizeof *s->results, err);
    s->part_results = oq_mem_calloc(s->mem, s->samples * s->part_count + 1, sizeof *s->part_results, err);
    return s->workers && s->results && s->part_results ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// Counts samples, without the repetitions that fill a fixed batch: labels are one a sample.
static oq_status count_samples(session *s, oq_error *err) {
    const size_t runs = oq_dataset_count(s->data);
    s->before = oq_mem_calloc(s->mem, runs + 1, sizeof *s->before, err);
    if (!s->before) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < runs; i++) {
        size_t real, rows;
        oq_dataset_rows(s->data, i, &real, &rows);
        s->before[i + 1] = s->before[i] + real;
    }
    if (!s->options->labels || s->options->label_count == s->before[runs]) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_DATA, "there are %zu labels for %zu samples: give one label a sample",
                   s->options->label_count, s->before[runs]);
}

oq_status oq_verify(oq_graph *reference, oq_graph *model, const oq_dataset *data,
                    const oq_verify_options *options, oq_verify_result *out, oq_error *err) {
    const size_t stride = options->stride ? options->stride : 1, from = options->first,
                 count = oq_dataset_count(data),
                 all = from < count ? (count - from + stride - 1) / stride : 0;
    session s = {.data = data, .mem = reference->model->mem, .options = options};
    s.samples = options->limit && options->limit < all ? options->limit : all;
    *out = (oq_verify_result){.mem = s.mem};
    oq_status status;
    OQ_TRY_DONE(count_samples(&s, err));
    OQ_TRY_DONE(session_begin(&s, reference, model, err));
    verify_work work = {&s, reference, model};
    OQ_TRY_DONE(oq_pool_run(options->pool, s.samples, one_sample, &work, err));
    OQ_TRY_DONE(combine(&s, out, err));
done:
    session_release(&s);
    if (status != ONNXQ_OK) oq_verify_release(out);
    return status;
}

void oq_verify_release(oq_verify_result *result) {
    if (!result->mem) return;
    oq_mem_free(result->mem, result->outputs);
    oq_mem_free(result->mem, result->parts);
    oq_mem_free(result->mem, result->layers);
    *result = (oq_verify_result){0};
}

oq_status oq_verify_judge(const oq_verify_result *result, double minimum_sqnr, double minimum_cosine,
                          double minimum_agreement, oq_error *err) {
    for (size_t i = 0; i < result->output_count; i++) {
        const oq_output_difference *o = &result->outputs[i];
        if (o->varies) continue;
        const double sqnr = oq_difference_sqnr(&o->all),
                     agree = o->rows ? (double)o->same / (double)o->rows : 1;
        if (!isnan(minimum_sqnr) && !(sqnr >= minimum_sqnr))
            return oq_fail(err, ONNXQ_ACCURACY,
                           "output '%s' has an SQNR of %.2f dB, less than the %.2f asked for", o->name, sqnr,
                           minimum_sqnr);
        if (!isnan(minimum_cosine) && !(o->cosine_mean >= minimum_cosine))
            return oq_fail(err, ONNXQ_ACCURACY,
                           "output '%s' has a mean cosine of %.6f, less than the %.6f asked for", o->name,
                           o->cosine_mean, minimum_cosine);
        if (!isnan(minimum_agreement) && o->classifies && !(agree >= minimum_agreement))
            return oq_fail(
                err, ONNXQ_ACCURACY,
                "output '%s' has the same top class in a share of %.4f, less than the %.4f asked for",
                o->name, agree, minimum_agreement);
    }
    return ONNXQ_OK;
}

oq_status oq_labels_load(const oq_dataset *data, oq_mem *mem, const char *path, int64_t **labels,
                         size_t *count, oq_error *err) {
    uint8_t *bytes = NULL;
    size_t size;
    oq_tensor tensor = {0};
    oq_status status;
    *labels = NULL;
    OQ_TRY(oq_file_read_all(mem, path, &bytes, &size, err));
    OQ_TRY_DONE(oq_npy_parse(mem, bytes, size, path, &tensor, err));
    if (tensor.shape.rank != 1 || !oq_dtype_info(tensor.dtype)->is_integer) {
        status =
            oq_fail(err, ONNXQ_BAD_DATA, "labels '%s' must be integers in one dimension, one a sample", path);
        goto done;
    }
    *count = (size_t)tensor.shape.dim[0];
    *labels = oq_mem_calloc(mem, *count, sizeof **labels, err);
    status = *labels ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (*labels) oq_load_i64(tensor.dtype, tensor.data, *labels, *count);
    if (*labels) status = oq_dataset_arrange(data, *labels, *count, err);
done:
    oq_tensor_release(&tensor);
    oq_mem_free(mem, bytes);
    return status;
}
