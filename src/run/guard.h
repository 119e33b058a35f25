// What a kernel may rely on about its inputs: presence and types as its signature says, checked in each run.
#ifndef OQ_RUN_GUARD_H
#define OQ_RUN_GUARD_H

#include "ops/ops.h"

// One actual input of a node. Bits as in OQ_T.
typedef struct oq_guard {
    uint64_t allowed;
    int variable; // inputs of the same number must agree in type; -1: on its own
    bool required;
    const char *name; // formal name, not NUL-terminated
    int name_length;
} oq_guard;

// Guards of a node's inputs ([input_count], in `arena`); BAD_MODEL when their number does not fit.
oq_status oq_guards_new(oq_arena *arena, const oq_op_version *version, const oq_node *node,
                        const oq_guard **out, oq_error *err);
// BAD_MODEL when a value that is needed is missing, or a type is not allowed or not that of its fellows.
oq_status oq_guards_check(const oq_guard *guards, const oq_value *const *inputs, size_t count, oq_error *err);

#endif
