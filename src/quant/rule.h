// A rule: how nodes of one operator are quantized. src/quant/rules/<Name>.c exports one `const oq_rule
// oq_rule_<Name>`.
#ifndef OQ_QUANT_RULE_H
#define OQ_QUANT_RULE_H

#include "quant/quant.h"

typedef enum oq_rule_kind {
    OQ_RULE_COMPUTE,
    OQ_RULE_PASSTHROUGH
} oq_rule_kind; // an operator without rule is a barrier

typedef struct oq_rule {
    const char *op_type; // of ai.onnx
    oq_rule_kind kind;
} oq_rule;

extern const oq_rule *const oq_rule_table[]; // generated; ended by NULL

#endif
