// Calibration and evaluation samples: sources named on the command line, read one sample at a time.
#ifndef OQ_DATA_DATA_H
#define OQ_DATA_DATA_H

#include "base/hash.h"
#include "onnx/onnx.h"

typedef struct oq_dataset oq_dataset;

// Opens sources for the inputs of `graph`: FILE.npz (axis 0 = samples), FILE.npy (model with one input),
// NAME=FILE.npy, a folder of .npz (one sample each), of .npy (one-input model), or of test_data_set_* / one
// such folder. Several sources are joined by NAME= or appended. A model whose input has a fixed first
// dimension N takes N consecutive samples at once. Missing or unknown names, wrong dtypes and ranks are
// errors that say what the model wants. Arrays stay on disk until asked for.
oq_status oq_dataset_open(oq_mem *mem, const oq_graph *graph, const char *const *sources, size_t count,
                          oq_dataset **out, oq_error *err);
// `samples` made-up samples from a seeded counter generator: floats normal, integers small and valid; symbols
// become `sizes`.
oq_status oq_dataset_synthetic(oq_mem *mem, const oq_graph *graph, size_t samples, uint64_t seed,
                               oq_dataset **out, oq_error *err);
// test_data_set_* beside the model file, or *out = NULL when there is none.
oq_status oq_dataset_beside(oq_mem *mem, const oq_graph *graph, const char *model_path, oq_dataset **out,
                            oq_error *err);
void oq_dataset_free(oq_dataset *dataset); // NULL is allowed

size_t oq_dataset_count(const oq_dataset *dataset); // runs (groups of N for a fixed batch)
bool oq_dataset_is_synthetic(const oq_dataset *dataset);
// How many of the rows of run `index` are real samples and not repetitions that fill a fixed batch, and of
// how many rows.
void oq_dataset_rows(const oq_dataset *dataset, size_t index, size_t *real, size_t *rows);
// Inputs of run `index` in the order of the graph's inputs without initializer; references that the caller
// gives back. Thread-safe. "calib.npz sample 17" style names are in errors.
oq_status oq_dataset_get(const oq_dataset *dataset, size_t index, oq_value *inputs, oq_error *err);
const char *oq_dataset_label(const oq_dataset *dataset, size_t index, char *buffer, size_t size);
// Hash of names, shapes and bytes of all samples; the same for the same data in another container.
oq_status oq_dataset_hash(const oq_dataset *dataset, oq_hash *out, oq_error *err);

// .npz archives, also used for outputs.
typedef struct oq_npz oq_npz;
oq_status oq_npz_open(oq_mem *mem, const char *path, oq_npz **out, oq_error *err);
void oq_npz_close(oq_npz *npz);
size_t oq_npz_count(const oq_npz *npz);
const char *oq_npz_name(const oq_npz *npz, size_t index); // without .npy
oq_status oq_npz_get(const oq_npz *npz, size_t index, oq_tensor *out, oq_error *err);
// Writes arrays whole or not at all.
oq_status oq_npz_write(oq_mem *mem, const char *path, const char *const *names, const oq_tensor *tensors,
                       size_t count, oq_error *err);

#endif
