// Signatures of operators ("X:T, B?:T -> Y:T", see ops.h) taken apart.
#ifndef OQ_OPS_LIB_SIGNATURE_H
#define OQ_OPS_LIB_SIGNATURE_H

#include "ops/ops.h"

#define OQ_MAX_PARAMS 32 // formal inputs, or outputs, of one operator

// One formal input or output. Texts point into the signature and are not NUL-terminated.
typedef struct oq_param {
    const char *name, *type;
    size_t name_length, type_length;
    bool optional;  // "?"
    bool variadic;  // "*" or "+": any number of values from here on
    bool one_first; // "+": at least one
    bool mixed;     // "~": types may differ from each other
    oq_dtype dtype; // of a fixed type ("int64"); UNDEFINED when `type` is a variable
    int variable;   // index into oq_op_version.types, or -1
} oq_param;

typedef struct oq_params {
    oq_param items[OQ_MAX_PARAMS];
    size_t count;
    size_t least, most; // how many values may be given; most SIZE_MAX when variadic
} oq_params;

typedef struct oq_signature {
    oq_params in, out;
} oq_signature;

// INTERNAL when the text does not follow the grammar or names a type variable that `types` lacks.
oq_status oq_signature_parse(const oq_op_version *version, oq_signature *out, oq_error *err);
// The formal parameter of value `i`, or NULL when that is beyond the last.
const oq_param *oq_params_at(const oq_params *params, size_t i);
// The types allowed for a parameter.
uint64_t oq_param_allowed(const oq_op_version *version, const oq_param *param);
// The bits of a type as in OQ_T: its dtype for tensors, its kind for others; 0 when nothing is known.
uint64_t oq_type_bits(const oq_type *type);

#endif
