// Parts of outputs: what a Concat at the end puts together, compared one by one. Boxes in pixels beside
// scores look fine as a whole whatever became of the scores.
#ifndef OQ_VERIFY_PARTS_H
#define OQ_VERIFY_PARTS_H

#include "verify/compare.h"

typedef struct oq_part {
    size_t output;    // index
    const char *name; // of the Concat's input
    int axis;
    int64_t from, size; // along the axis
} oq_part;

// Of the outputs (as many as `count`) that a Concat of tensors with known sizes makes, along an axis other
// than the first. *parts is a block of the graph's memory, NULL without parts.
oq_status oq_parts_find(const oq_graph *graph, const oq_value_id *outputs, size_t count, oq_part **parts,
                        size_t *part_count, oq_error *err);
// Of two values of that output; nothing where they are no tensors of one shape that holds the part. `real`
// and `rows` as in oq_compare_tensors.
void oq_part_compare(const oq_part *part, const oq_value *y, const oq_value *z, size_t real, size_t rows,
                     oq_difference *out);

#endif
