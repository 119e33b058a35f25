// Short forms for the tables of operator versions.
#ifndef OQ_OPS_LIB_SCHEMA_H
#define OQ_OPS_LIB_SCHEMA_H

#include "ops/lib/infer.h"

// .types = OQ_TYPES({"T", OQ_T_ALL13}, {"Tind", OQ_T_INDEX}), .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false})
#define OQ_TYPES(...)                                                                                        \
    (const oq_type_set[]) {                                                                                  \
        __VA_ARGS__, { 0 }                                                                                   \
    }
#define OQ_ATTRS(...)                                                                                        \
    (const oq_attr_spec[]) {                                                                                 \
        __VA_ARGS__, { 0 }                                                                                   \
    }

#endif
