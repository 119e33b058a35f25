// GRU: the standard has no integer form; W and R can be stored as integers.
#include "quant/rule.h"

const oq_rule oq_rule_GRU = {
    .op_type = "GRU", .kind = OQ_RULE_FLOAT, .weight_axes = oq_recurrent_weight_axes};
