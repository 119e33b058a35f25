// The parts of a data set, for the files of this room.
#ifndef OQ_DATA_DATASET_H
#define OQ_DATA_DATASET_H

#include "base/arena.h"
#include "data/rows.h"

// What the model wants under a name; texts are the data set's own.
typedef struct data_input {
    const char *name;
    oq_type type;
    int64_t domain; // made-up integers are 0 .. domain - 1
    bool bounded;   // made-up numbers lie within [low, high]
    double low, high;
} data_input;

typedef enum part_kind { PART_ROWS, PART_NPZ_FILES, PART_NPY_FILES, PART_SETS, PART_SYNTHETIC } part_kind;

// One source: runs [begin, begin + count) of the data set.
typedef struct data_part {
    part_kind kind;
    size_t begin, count;
    const char *title; // "calib.npz", or the folder
    // ROWS: one array per input; a run takes `step` rows of it, without axis 0 when `drops`.
    oq_npz *npz;
    oq_rows **rows;
    int64_t *steps;
    bool *drops;
    int64_t batch; // largest step
    // Of a data set by content: [rows] the rows of the arrays as runs take them; NULL: as they stand.
    int64_t *row_order;
    // The FILES kinds and SETS: one path a run.
    const char **paths;
    uint64_t seed; // SYNTHETIC
} data_part;

struct oq_dataset {
    oq_mem *mem;
    oq_arena arena;
    data_input *inputs;
    size_t input_count;
    data_part *parts; // block of `mem`
    size_t part_count, part_capacity;
    size_t count;
    oq_text note;
    // Of a data set by content (order.c), which shares all above with `of`, or NULL.
    const oq_dataset *of;
    size_t *order;   // [count] runs of `of`
    size_t *numbers; // [sample_count] where each sample stands in the sources
    size_t sample_count;
    oq_hash hash;
};

// --- dataset.c ---
oq_status oq_dataset_new(oq_mem *mem, const oq_graph *graph, oq_dataset **out, oq_error *err);
// A new part at the end, which the caller fills; oq_dataset_end_part counts its runs in.
oq_status oq_dataset_add_part(oq_dataset *data, part_kind kind, const char *title, data_part **out,
                              oq_error *err);
void oq_dataset_end_part(oq_dataset *data, size_t runs);

// --- part_rows.c ---
oq_status oq_part_of_npz(oq_dataset *data, const char *path, oq_error *err);
// Arrays of `rows` (one per input, taken over, also on failure) as a part.
oq_status oq_part_of_rows(oq_dataset *data, const char *title, oq_npz *npz, oq_rows **rows, oq_error *err);
// Values of one run, or of the single sample `row` (for hashes).
oq_status oq_part_rows_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                           oq_error *err);
oq_status oq_part_rows_sample(const oq_dataset *data, const data_part *part, int64_t row, oq_value *values,
                              oq_error *err);
int64_t oq_part_rows_total(const oq_dataset *data, const data_part *part);

// --- part_files.c ---
oq_status oq_part_of_folder(oq_dataset *data, const char *path, oq_error *err);
// The test_data_set_* folders inside `folder`; *found false when there is none.
oq_status oq_part_of_sets(oq_dataset *data, const char *folder, bool *found, oq_error *err);
oq_status oq_part_files_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                            oq_error *err);

// --- order.c ---
void oq_dataset_release_order(oq_dataset *data); // of a data set by content

// --- hash.c ---
// Of sample number `i` of a part: of a row, or of a file's values.
oq_status oq_part_hash(const oq_dataset *data, const data_part *part, size_t i, oq_hash *out, oq_error *err);
size_t oq_part_samples(const oq_dataset *data, const data_part *part);

// --- synthetic.c ---
oq_status oq_part_synthetic_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                                oq_error *err);

// --- domain.c ---
// How many values, from 0 on, an integer input of the graph can have; 2 when nothing tells.
int64_t oq_domain_of(oq_mem *mem, const oq_graph *graph, oq_value_id input);

// --- match.c ---
// Whether an array of that type and shape can become the input; `where` begins the sentence.
oq_status oq_match_array(const data_input *input, oq_dtype dtype, const oq_shape *shape, const char *where,
                         oq_error *err);
// Gives the tensor the input's type (in place), or says which value does not fit.
oq_status oq_match_convert(oq_mem *mem, const data_input *input, oq_tensor *tensor, const char *where,
                           oq_error *err);
// Whether sizes of the same name are equal over all inputs of a run.
oq_status oq_match_symbols(const oq_dataset *data, const oq_value *values, const char *where, oq_error *err);
// Finds each input in an archive: index per input; what is left over goes into the note when `noting`.
oq_status oq_match_names(oq_dataset *noting, const oq_dataset *data, const oq_npz *npz, const char *where,
                         size_t *indices, oq_error *err);

#endif
