// Calibration and evaluation samples: sources named on the command line, read one sample at a time.
#ifndef OQ_DATA_DATA_H
#define OQ_DATA_DATA_H

#include "base/hash.h"
#include "base/pool.h"
#include "onnx/onnx.h"

typedef struct oq_dataset oq_dataset;

// Opens sources for the inputs of `graph` (those without initializer):
//   FILE.npz       arrays named after the inputs; sample i is array[i:i+1] of each
//   FILE.npy       the same for a model with one input
//   NAME=FILE.npy  the same for input NAME; consecutive ones are joined, a repeated name begins a new group
//   DIR            of .npz or .npy files, one sample each, in the order of their names, given whole as the
//                  inputs; or of test_data_set_* folders, or itself such a folder (input_<k>.pb)
// Several sources are appended. An array of one rank more than its input (a model without batch axis) gives
// array[i]. An input whose first dimension is fixed to N takes N consecutive rows at once, the last one
// repeated to fill up. Integers of other widths are accepted while their values fit, floats while they are
// widened (float16 to float32), uint8 as the bits of 8-bit and narrower floats; everything else must have the
// input's type. Missing or unknown names, wrong types, ranks and sizes are errors that say what the model
// wants. Arrays stay on disk until asked for; the graph is not needed any more afterwards.
oq_status oq_dataset_open(oq_mem *mem, const oq_graph *graph, const char *const *sources, size_t count,
                          oq_dataset **out, oq_error *err);
// `samples` made-up samples from a seeded counter generator. Floats are normal, in images (rank 4, at most 4
// channels, 16 by 16 or more) smooth at every scale; integers are below the size of the table that they are
// looked up in, or what they are compared with, else 0 or 1 like truth values; images of bytes are 0 to 255.
// Where an input is bounded (oq_gvalue), its numbers lie within the bounds. Unknown sizes become 1 on axis 0,
// 64 on the last two axes of rank 4 and more, 16 elsewhere; equal names become equal sizes.
oq_status oq_dataset_synthetic(oq_mem *mem, const oq_graph *graph, size_t samples, uint64_t seed,
                               oq_dataset **out, oq_error *err);
// test_data_set_* beside the model file, or *out = NULL when there is none.
oq_status oq_dataset_beside(oq_mem *mem, const oq_graph *graph, const char *model_path, oq_dataset **out,
                            oq_error *err);
void oq_dataset_free(oq_dataset *dataset); // NULL is allowed

size_t oq_dataset_count(const oq_dataset *dataset); // runs (groups of N for a fixed batch)
bool oq_dataset_is_synthetic(const oq_dataset *dataset);
// One sentence that the user should see ("calib.npz: 'labels' is no input of the model and is not used"), or
// NULL.
const char *oq_dataset_note(const oq_dataset *dataset);
// How many of the rows of run `index` are real samples and not repetitions that fill a fixed batch, and of
// how many rows.
void oq_dataset_rows(const oq_dataset *dataset, size_t index, size_t *real, size_t *rows);
// Inputs of run `index` in the order of the graph's inputs without initializer; references that the caller
// gives back. Thread-safe. "calib.npz sample 17" style names are in errors.
oq_status oq_dataset_get(const oq_dataset *dataset, size_t index, oq_value *inputs, oq_error *err);
const char *oq_dataset_label(const oq_dataset *dataset, size_t index, char *buffer, size_t size);
// Hash of names, types, shapes and bytes of all samples (fillers excluded): the sums modulo 2^64 of the high
// and the low words of the samples' hashes. So it is the same for the same data in another container, order
// or batch, and parts add up to the whole (oq_stats_merge).
oq_status oq_dataset_hash(const oq_dataset *dataset, oq_hash *out, oq_error *err);

// The same samples in an order that their content gives: that of their hashes, so that what picks samples by
// number does not depend on how they were sorted. Rows of arrays are put in order before a fixed batch takes
// N of them (if it takes N of every input). Every sample is read once, over the pool's threads; `of` must
// live longer.
oq_status oq_dataset_by_content(const oq_dataset *of, oq_pool *pool, oq_dataset **out, oq_error *err);
// Such a data set as it was given, which is read faster; any other itself.
const oq_dataset *oq_dataset_as_given(const oq_dataset *dataset);
// Brings what was given one a sample, in the order of the sources, into the order of the data set; nothing
// when `count` is not the number of samples.
oq_status oq_dataset_arrange(const oq_dataset *dataset, int64_t *labels, size_t count, oq_error *err);

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
