// DepthToSpace: the same elements in another order.
#include "quant/rule.h"

const oq_rule oq_rule_DepthToSpace = {.op_type = "DepthToSpace", .kind = OQ_RULE_PASSTHROUGH, .early = true};
