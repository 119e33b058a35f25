// Check of values that a caller gives against what the graph declares.
#ifndef OQ_RUN_GIVEN_H
#define OQ_RUN_GIVEN_H

#include "graph/graph.h"

// BAD_DATA with both sides in the sentence when kind, dtype, rank or a known dimension differs.
oq_status oq_check_given(const oq_gvalue *input, const oq_value *given, oq_mem *mem, oq_error *err);

#endif
